//! Sessions and shared prefixes: what calls say, and what the cache makes of it.

mod common;

use common::load;
use tokenmill::metrics::{RunRecord, UseCaseRecord};

fn simulate(text: &str) -> RunRecord {
    common::simulate(&load(text).scenario)
}

fn only(record: &RunRecord) -> &UseCaseRecord {
    assert_eq!(record.whole.use_cases.len(), 1);
    &record.whole.use_cases[0]
}

/// One session of 20 turns: a first prompt of 20,000 tokens, then 1,250 more
/// and an answer of 250 a turn.
fn loop_of_20(engine: &str) -> RunRecord {
    simulate(&format!(
        r#"
        name = "loop"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = {{ kv_blocks = 10_000, {engine} }}
        [[use_case]]
        name = "agent"
        arrivals = {{ process = "closed-loop", clients = 1, requests = 1 }}
        prefix = [{{ tokens = 18_750 }}]
        session = {{ turns = 20, think = "1 s" }}
        prompt_tokens = 1250
        output_tokens = 250
        "#
    ))
}

/// Each turn hits the blocks of all that was said before; the last token of an
/// answer has no KV yet.
#[test]
fn a_loop_of_turns_hits_what_its_closed_form_says() {
    for (engine, hits) in [("block_tokens = 16", 641_104), ("block_tokens = 512", 636_416)] {
        let record = loop_of_20(engine);
        let calls = only(&record);
        assert_eq!((calls.calls, calls.prompt_tokens, calls.output_tokens), (20, 685_000, 5_000));
        assert_eq!(calls.cached_tokens, hits, "{engine}");
    }
    assert_eq!(only(&loop_of_20("prefix_caching = false")).cached_tokens, 0);
}

/// Answers that are not kept come back as parts of the next prompt and are
/// computed once more.
#[test]
fn without_answers_a_loop_hits_only_its_prompts() {
    for (block, fraction) in [(16, 0.929_028), (512, 0.921_600)] {
        let engine = format!("block_tokens = {block}, cache_decoded = false");
        let record = loop_of_20(&engine);
        // The prompt of turn k is 20,000 + 1,500 (k - 1); its full blocks are hit.
        let hits: u64 = (0..19).map(|turn| (20_000 + 1_500 * turn) / block * block).sum();
        let cached = only(&record).cached_tokens;
        assert_eq!(cached, hits);
        assert!((cached as f64 / 685_000.0 - fraction).abs() < 5e-7, "{cached}");
    }
}

/// The loop of 20 turns with 100 thinking tokens before answers of 150.
fn thinking_loop(engine: &str, thinking: &str) -> RunRecord {
    simulate(&format!(
        r#"
        name = "loop"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = {{ kv_blocks = 10_000, {engine} }}
        [[use_case]]
        name = "agent"
        arrivals = {{ process = "closed-loop", clients = 1, requests = 1 }}
        prefix = [{{ tokens = 18_750 }}]
        session = {{ turns = 20, think = "1 s" }}
        prompt_tokens = 1250
        {thinking}
        "#
    ))
}

/// Thinking that is kept is text like any other: the loop is that of answers of 250.
#[test]
fn kept_thinking_is_hit_like_an_answer() {
    let amounts = [
        "output_tokens = 150\nthinking = { tokens = 100, kept = true }",
        "output_tokens = 150\nthinking = { tokens = 300, budget = 100, kept = true }",
        "output_tokens = 250\nthinking = { share = 0.4, kept = true }",
    ];
    for amount in amounts {
        for (engine, hits) in [("block_tokens = 16", 641_104), ("block_tokens = 512", 636_416)] {
            let record = thinking_loop(engine, amount);
            let calls = only(&record);
            assert_eq!((calls.prompt_tokens, calls.output_tokens), (685_000, 5_000));
            assert_eq!(calls.cached_tokens, hits, "{engine} {amount}");
            let thinking = calls.thinking.as_ref().unwrap();
            assert_eq!((thinking.calls, thinking.tokens), (20, 2_000));
        }
    }
}

/// Thinking that is dropped leaves its answer in another place, where nothing of it
/// has been computed: only the prompt before is hit.
#[test]
fn an_answer_behind_dropped_thinking_is_computed_anew() {
    for block in [16, 512] {
        let engine = format!("block_tokens = {block}");
        let record = thinking_loop(&engine, "output_tokens = 150\nthinking = { tokens = 100 }");
        let calls = only(&record);
        // The prompt of turn k is 20,000 + 1,400 (k - 1); its full blocks are hit.
        let prompt = |turn: u64| 20_000 + 1_400 * turn;
        assert_eq!(calls.prompt_tokens, (0..20).map(prompt).sum::<u64>());
        assert_eq!(calls.output_tokens, 5_000);
        let hits: u64 = (0..19).map(|turn| prompt(turn) / block * block).sum();
        assert_eq!(calls.cached_tokens, hits, "{block}");
    }
    // A call that does not think is continued where it ended.
    let none = thinking_loop("", "output_tokens = 250\nthinking = { tokens = 100, budget = 0 }");
    let calls = only(&none);
    assert_eq!(calls.cached_tokens, 641_104);
    let thinking = calls.thinking.as_ref().unwrap();
    assert_eq!((thinking.calls, thinking.cut, thinking.tokens), (0, 20, 0));
}

/// A hit rate that is an input counts as hits, whatever the cache would have.
#[test]
fn a_given_hit_rate_replaces_the_cache() {
    let text = |cache_hit: &str, engine: &str| {
        format!(
            r#"
            name = "given"
            [[pool]]
            name = "gpu"
            model = "llama-3.1-8b"
            hardware = "h100-sxm"
            engine = {{ {engine} }}
            [[use_case]]
            name = "chat"
            arrivals = {{ process = "closed-loop", clients = 1, requests = 5 }}
            prefix = [{{ tokens = 500 }}]
            session = {{ turns = 2 }}
            prompt_tokens = 500
            output_tokens = 100
            {cache_hit}
            "#
        )
    };
    // Prompts of 1,000 and 1,600 tokens, in each of five sessions.
    let shares = [(0.0, 0), (0.5, 1_300), (0.994, 994 + 1_590), (1.0, 999 + 1_599)];
    let mut last = f64::INFINITY;
    for engine in ["", "prefix_caching = false"] {
        last = f64::INFINITY;
        for (share, cached) in shares {
            let record = simulate(&text(&format!("cache_hit = {share}"), engine));
            let calls = only(&record);
            assert_eq!((calls.calls, calls.prompt_tokens), (10, 13_000));
            assert_eq!(calls.cached_tokens, 5 * cached, "{share}");
            assert!(calls.ttft.mean < last, "{share}: {} s", calls.ttft.mean);
            last = calls.ttft.mean;
        }
    }
    // With nothing given, the cache speaks for itself.
    let emergent = simulate(&text("", ""));
    let calls = only(&emergent);
    assert_eq!(calls.cached_tokens, 4 * 496 + 5 * 1_088);
    assert!(calls.ttft.mean > last);
}

/// The blocks of what is given are held like any others.
#[test]
fn given_tokens_take_blocks() {
    let peak = |cache_hit: &str| {
        let record = simulate(&format!(
            r#"
            name = "given"
            [[pool]]
            name = "gpu"
            model = "llama-3.1-8b"
            hardware = "h100-sxm"
            engine = {{ kv_blocks = 100 }}
            [[use_case]]
            name = "chat"
            arrivals = {{ process = "closed-loop", clients = 4, requests = 4 }}
            prompt_tokens = 600
            output_tokens = 40
            {cache_hit}
            "#
        ));
        // Two of four fit at a time: 40 blocks each, and 80 in use.
        (only(&record).calls, record.whole.pools[0].kv_use_peak)
    };
    assert_eq!(peak("cache_hit = 0.9"), peak(""));
    assert_eq!(peak(""), (4, 0.8));
}

/// Draws are keyed by session and turn, so arms of a comparison stay paired.
#[test]
fn slower_service_changes_when_turns_come_but_not_what_they_ask() {
    let text = |speed: f64| {
        format!(
            r#"
            name = "paired"
            duration = "100 s"
            regime = "terminating"
            [[pool]]
            name = "gpu"
            model = "llama-3.1-8b"
            hardware = "h100-sxm"
            engine = {{ step_scale = {speed} }}
            [[use_case]]
            name = "chat"
            arrivals = {{ process = "poisson", rate = "1 /s" }}
            session = {{ turns = {{ distribution = "exponential", mean = 5 }}, think = "2 s" }}
            prompt_tokens = {{ distribution = "exponential", mean = 300 }}
            output_tokens = {{ distribution = "exponential", mean = 100 }}
            "#
        )
    };
    let (fast, slow) = (simulate(&text(1.0)), simulate(&text(4.0)));
    let (fast, slow) = (only(&fast), only(&slow));
    assert!(fast.calls > 400 && fast.sessions.began > 80, "{} calls", fast.calls);
    assert_eq!((fast.calls, fast.prompt_tokens), (slow.calls, slow.prompt_tokens));
    assert_eq!(fast.output_tokens, slow.output_tokens);
    assert_eq!(fast.sessions.completed, fast.sessions.began);
    assert_eq!(fast.sessions.turns, fast.calls);
    assert!(slow.e2e.mean > 3.0 * fast.e2e.mean);
}

/// Clients run sessions one after another, with the pauses of both kinds.
#[test]
fn clients_run_sessions_one_after_another() {
    let record = simulate(
        r#"
        name = "clients"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [[use_case]]
        name = "chat"
        arrivals = { process = "closed-loop", clients = 2, requests = 6, think = "100 s" }
        session = { turns = 4, think = "10 s" }
        prompt_tokens = 100
        output_tokens = 2
        "#,
    );
    let calls = only(&record);
    assert_eq!((calls.calls, calls.sessions.began, calls.sessions.completed), (24, 6, 6));
    // 100 + 202 + 304 + 406 tokens in the prompts of each session.
    assert_eq!(calls.prompt_tokens, 6 * 1_012);
    // Three sessions of three pauses, and two pauses between them.
    assert!((record.end_s - (3.0 * 30.0 + 200.0)).abs() < 1.0, "ended at {} s", record.end_s);
}

/// A prompt that has grown too long ends its session, and its client goes on.
#[test]
fn a_session_ends_early_when_its_prompt_grows_too_long() {
    let record = simulate(
        r#"
        name = "long"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = { max_model_len = 1000 }
        [[use_case]]
        name = "chat"
        arrivals = { process = "closed-loop", clients = 1, requests = 3 }
        session = { turns = 10 }
        prompt_tokens = 290
        output_tokens = 10
        "#,
    );
    // Turns of 300, 600 and 900 tokens; the fourth would take 1,200.
    let calls = only(&record);
    assert_eq!((calls.calls, calls.rejected), (9, 3));
    let sessions = &calls.sessions;
    assert_eq!((sessions.began, sessions.completed, sessions.aborted), (3, 0, 3));
    assert_eq!(sessions.turns, 9);
}

/// Two use cases on one pool; `shared` are the segments of both prefixes.
fn two_use_cases(first: &str, second: &str) -> RunRecord {
    simulate(&format!(
        r#"
        name = "prefixes"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [[use_case]]
        name = "first"
        arrivals = {{ process = "closed-loop", clients = 1, requests = 10 }}
        prefix = [{first}]
        prompt_tokens = 100
        output_tokens = 1
        [[use_case]]
        name = "second"
        arrivals = {{ process = "closed-loop", clients = 1, requests = 10, think = "1 s" }}
        prefix = [{second}]
        prompt_tokens = 100
        output_tokens = 1
        "#
    ))
}

#[test]
fn prefixes_are_computed_once_for_all_who_share_them() {
    let tokens = |record: &RunRecord| {
        [0, 1].map(|at| {
            (record.whole.use_cases[at].prompt_tokens, record.whole.use_cases[at].cached_tokens)
        })
    };
    // A prefix of each use case: every call but the first of each hits it.
    let own = two_use_cases("{ tokens = 1600 }", "{ tokens = 1600 }");
    assert_eq!(tokens(&own), [(17_000, 9 * 1_600); 2]);
    // With a common name it is computed once. Both begin at once: the block of
    // the second is there from the step that computes it.
    let named = "{ name = \"rules\", tokens = 1600 }";
    let common = two_use_cases(named, named);
    assert_eq!(tokens(&common), [(17_000, 9 * 1_600), (17_000, 10 * 1_600)]);
    // What follows a common segment is each one's own.
    let then = "{ name = \"rules\", tokens = 1600 }, { tokens = 160 }";
    let partly = two_use_cases(named, then);
    assert_eq!(tokens(&partly)[1], (18_600, 9 * 1_760 + 1_600));
    // A common name in another place is another text.
    let elsewhere = "{ tokens = 160 }, { name = \"rules\", tokens = 1600 }";
    let apart = two_use_cases(named, elsewhere);
    assert_eq!(tokens(&apart)[1], (18_600, 9 * 1_760));
}

/// Groups are drawn by call, and each computes its own text once.
#[test]
fn groups_have_texts_of_their_own() {
    let groups = 8;
    let prefix = format!("{{ tokens = 1600 }}, {{ tokens = 800, groups = {groups}, zipf = 1.0 }}");
    let text = |prefix: &str| {
        format!(
            r#"
            name = "groups"
            [[pool]]
            name = "gpu"
            model = "llama-3.1-8b"
            hardware = "h100-sxm"
            [[use_case]]
            name = "tenants"
            arrivals = {{ process = "closed-loop", clients = 1, requests = 400 }}
            prefix = [{prefix}]
            prompt_tokens = 10
            output_tokens = 1
            "#
        )
    };
    let record = simulate(&text(&prefix));
    // In 400 calls every group was drawn; the rarest of eight has 4.6 %.
    let computed = 400 * 2_410 - only(&record).cached_tokens;
    assert_eq!(computed, 400 * 10 + 1_600 + groups * 800);
    // Two levels: 8 x 8 texts of the second, of which some were not drawn.
    let deeper = format!("{prefix}, {{ tokens = 800, groups = 8 }}");
    let record = simulate(&text(&deeper));
    let computed = 400 * 3_210 - only(&record).cached_tokens - 400 * 10 - 1_600 - groups * 800;
    let texts = computed / 800;
    assert!(computed.is_multiple_of(800) && (45..=64).contains(&texts), "{texts} texts");
}
