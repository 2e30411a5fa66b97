//! The coding agent against recorded sessions, and programs against closed forms.

use super::*;
use crate::catalog::{Catalog, RawAgent};
use crate::random::Streams;

fn crew(catalog: &Catalog, name: &str) -> Arc<Crew> {
    let agent = catalog.agent(name).unwrap();
    let child = agent.children.as_ref().map(|spec| catalog.agent(&spec.agent).unwrap());
    let mut members = vec![Member {
        agent,
        site: None,
        share: 1.0,
        child: child.as_ref().map(|_| 1),
        tool_pools: Vec::new(),
    }];
    members.extend(child.map(|agent| Member {
        agent,
        site: None,
        share: 0.0,
        child: None,
        tool_pools: Vec::new(),
    }));
    Arc::new(Crew { members })
}

pub(super) fn dry(catalog: &Catalog, name: &str, pace: Pace) -> Dry {
    let script = Script::new(0, name, &crew(catalog, name), None, Streams::new(1, 0));
    Dry::new(script, pace)
}

/// A catalog with the agents of this text.
fn with(text: &str) -> Catalog {
    #[derive(serde::Deserialize)]
    struct File {
        agent: Vec<RawAgent>,
    }
    let File { agent } = toml::from_str(text).unwrap();
    let mut catalog = Catalog::embedded().clone();
    for raw in &agent {
        catalog.add_agent(raw).unwrap();
    }
    catalog
}

const NO_TIME: Pace = Pace { first_s: 0.0, prefill_s: 0.0, decode_s: 0.0 };
pub(super) const TABLE: Pace =
    Pace { first_s: 0.35, prefill_s: 1.0 / 12_000.0, decode_s: 1.0 / 60.0 };

/// A mean and its standard error.
fn mean(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        (n, sum, squares) = (n + 1.0, sum + value, squares + value * value);
    }
    let mean: f64 = sum / n;
    (mean, ((squares / n - mean * mean) / n).max(0.0).sqrt())
}

/// The recorded coding sessions: 88.75 calls a session of 118.9k prompt tokens,
/// 265 times their output, of which 95.7 % repeat what was said before.
#[test]
fn the_coding_agent_is_like_recorded_sessions() {
    let Some(shared) = std::env::var_os("TOKENMILL_SHARED") else {
        eprintln!("skipped: TOKENMILL_SHARED is not set");
        return;
    };
    let path = std::path::Path::new(&shared).join("workloads/traces/weka_cc_dev_sessions.jsonl");
    let (mut count, mut calls, mut prompt, mut output, mut new) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let session: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut seen = std::collections::HashSet::new();
        let mut add = |request: &serde_json::Value| {
            let tokens = request["in"].as_f64().unwrap();
            let ids = request["hash_rle"].as_array().into_iter().flatten().flat_map(|run| {
                let first = run[0].as_u64().unwrap();
                first..first + run[1].as_u64().unwrap()
            });
            let ids: Vec<u64> = ids.collect();
            let hit = ids.iter().take_while(|id| seen.contains(*id)).count() as f64 * 64.0;
            seen.extend(ids);
            (calls, prompt, new) = (calls + 1.0, prompt + tokens, new + tokens - hit);
            output += request["out"].as_f64().unwrap();
        };
        for request in session["requests"].as_array().unwrap() {
            match request["requests"].as_array() {
                Some(inner) => inner.iter().for_each(&mut add),
                None => add(request),
            }
        }
        count += 1.0;
    }
    let mut dry = dry(Catalog::embedded(), "coding-agent", TABLE);
    let sessions: Vec<DrySession> = (0..10_000).map(|number| dry.session(number)).collect();
    let sum = |figure: fn(&DrySession) -> u64| sessions.iter().map(figure).sum::<u64>() as f64;
    let own = [
        sum(|s| s.calls) / 10_000.0,
        sum(|s| s.prompt_tokens) / sum(|s| s.calls),
        sum(|s| s.prompt_tokens) / sum(|s| s.output_tokens),
        1.0 - sum(|s| s.new_tokens) / sum(|s| s.prompt_tokens),
    ];
    let recorded = [calls / count, prompt / calls, prompt / output, 1.0 - new / prompt];
    println!("recorded {recorded:?}, own {own:?}");
    for (own, recorded) in own.into_iter().zip(recorded) {
        assert!((own / recorded - 1.0).abs() < 0.15, "{own} against {recorded}");
    }
}

/// One agent whose turns wait for a tool of one class, and perhaps for sub-agents.
fn waiting(turns: &str, calls: &str, latency: &str, more: &str) -> Catalog {
    with(&format!(
        r#"
        [[agent]]
        name = "x"
        context = {{ message_tokens = 20_000 }}
        turns = {{ count = {turns}, output_tokens = 250 }}
        [agent.tools]
        calls = {calls}
        class = [{{ name = "t", latency = {latency}, result_tokens = 1_250 }}]
        {more}
        [[agent]]
        name = "y"
        context = {{ message_tokens = 10 }}
        turns = {{ count = 2, output_tokens = 1 }}
        tools = {{ calls = [1.0], class = [{{ name = "t", latency = {latency}, result_tokens = 1 }}] }}
        "#
    ))
}

/// Prompt and computed tokens of a loop of n turns.
#[test]
fn a_loop_comes_to_its_closed_form() {
    for (turns, prompt, new) in [(20, 685_000, 48_500), (50, 2_837_500, 93_500)] {
        let catalog = waiting(&turns.to_string(), "[1.0]", "\"1 s\"", "");
        let session = dry(&catalog, "x", NO_TIME).session(0);
        assert_eq!((session.prompt_tokens, session.new_tokens), (prompt, new));
        assert_eq!(session.runs[0].latency_s, f64::from(turns - 1));
    }
}

/// E[T] = m C0 + g m (m - 1) for a geometric number of turns with mean m.
#[test]
fn a_geometric_loop_comes_to_its_closed_form() {
    let values: Vec<u32> = (1..600).collect();
    let weights: Vec<f64> = values.iter().map(|&n| (7.0f64 / 8.0).powi(n as i32 - 1)).collect();
    let turns =
        format!("{{ distribution = \"empirical\", values = {values:?}, weights = {weights:?} }}");
    let catalog = waiting(&turns, "[1.0]", "\"1 s\"", "");
    let mut dry = dry(&catalog, "x", NO_TIME);
    let (found, error) = mean((0..40_000).map(|n| dry.session(n).prompt_tokens as f64));
    assert!((found - 244_000.0).abs() < 4.0 * error, "{found} +- {error}");
}

/// Compaction at W to C takes ceil((W - C) / g) turns a period; the mean prompt of
/// turns is half way between.
#[test]
fn compactions_come_as_often_as_they_should() {
    let more =
        "[agent.compaction]\nabove_tokens = 200_000\nkeep_tokens = 20_000\noutput_tokens = 900";
    let catalog = waiting("9_001", "[1.0]", "\"1 s\"", more);
    let session = dry(&catalog, "x", NO_TIME).session(0);
    // 180,000 / 1,500 = 120 turns grow the context to W, one more goes beyond it.
    assert!((session.turns as f64 / session.compactions as f64 - 121.0).abs() < 2.0);
    let summaries = session.compactions * 201_500;
    let mean = (session.prompt_tokens - summaries) as f64 / session.turns as f64;
    assert!((mean / 110_000.0 - 1.0).abs() < 0.01, "{mean}");
    assert_eq!(session.summary_tokens, 900 * session.compactions);
}

/// The k-th of n sub-agents side by side ends after m (H_n - H_(n-k)).
#[test]
fn forks_wait_for_as_many_as_they_join() {
    let exponential = "{ distribution = \"exponential\", mean = \"1 s\" }";
    let cases = [("\"all\"", 5, 137.0 / 60.0), ("\"first\"", 2, 0.5)];
    for (join, count, expected) in cases.into_iter().chain([("{ at_least = 3 }", 5, 47.0 / 60.0)]) {
        let mut chances = vec![0.0; count];
        chances[count - 1] = 1.0;
        let more = format!(
            "[agent.children]\nprobability = 1.0\nfan_out = {chances:?}\nagent = \"y\"\n\
             join = {join}\nsummary_tokens = 5"
        );
        let mut catalog = waiting("2", "[1.0]", exponential, &more);
        let mut raw = RawAgent { name: "x".to_owned(), ..RawAgent::default() };
        raw.tools = toml::from_str::<RawAgent>("name = \"x\"\n[tools]\ncalls = [1.0]\nclass = [{ name = \"t\", latency = \"0 s\", result_tokens = 1 }]").unwrap().tools;
        catalog.add_agent(&raw).unwrap();
        let mut dry = dry(&catalog, "x", NO_TIME);
        let (found, error) = mean((0..1_000).map(|number| dry.session(number).runs[0].latency_s));
        assert!(
            (found - expected).abs() < 4.0 * error,
            "{join} of {count}: {found} +- {error} against {expected}"
        );
    }
}

/// A session is the same whatever was asked before it.
#[test]
fn sessions_are_keyed_by_their_numbers() {
    let mut forth = dry(Catalog::embedded(), "deep-research", TABLE);
    let mut back = forth.clone();
    let forth: Vec<DrySession> = (0..40).map(|number| forth.session(number)).collect();
    let mut back: Vec<DrySession> = (0..40).rev().map(|number| back.session(number)).collect();
    back.reverse();
    assert_eq!(forth, back);
    for session in forth {
        let parts = session.turns + session.compactions + session.retries;
        assert_eq!(session.calls, parts, "calls are turns, compactions and repeated turns");
    }
}
