//! Forecasts: layers multiply to the total, and generated demand agrees with it.

mod common;

use assert_cmd::Command;
use common::{arrivals, load, mean_of, recordings};
use serde_json::Value;
use std::fs;
use tokenmill::kernel::{Span, Time};
use tokenmill::metrics::UseCaseRecord;
use tokenmill::random::{Distribution, Streams};
use tokenmill::scenario::{Arrivals, Scenario};
use tokenmill::simulation::{Options, run};
use tokenmill::statistics::Interval;
use tokenmill::study::forecast::{CacheSource, Figures, Layer, forecast};
use tokenmill::workload::{Content, Script, Strand};

/// A season of growing chats, a steady API, and a closed loop.
const SEASON: &str = r#"
name = "season"
start = "2026-11-01T04:00:00Z"
duration = "61 days"
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
[[use_case]]
name = "shop"
users = 2_000
sessions_per_user_per_day = 0.5
time_zone = "America/New_York"
profile = "e-commerce"
calendar = "retail-us"
growth = "9.7 %/month"
prefix = [{ tokens = 1500 }]
prompt_tokens = { distribution = "lognormal", mean = 300, cv = 1 }
output_tokens = 200
[use_case.session]
turns = { distribution = "uniform", low = 1, high = 5 }
think = "20 s"
[[use_case]]
name = "api"
arrivals = { process = "poisson", rate = "0.01 /s" }
prompt_tokens = 800
output_tokens = 100
cache_hit = 0.5
[[use_case]]
name = "bench"
arrivals = { process = "closed-loop", clients = 4 }
prompt_tokens = 800
output_tokens = 100
"#;

fn scenario(text: &str) -> Scenario {
    load(text).scenario
}

/// A scenario of one use case with these lines, 61 days of it.
fn shop(lines: &str) -> Scenario {
    let top = SEASON.split("[[use_case]]").next().unwrap();
    let lengths = "prompt_tokens = 500\noutput_tokens = 50\n";
    scenario(&format!("{top}[[use_case]]\nname = \"shop\"\n{lines}\n{lengths}"))
}

fn error_of(interval: Interval) -> f64 {
    (interval.high.unwrap() - interval.mean) / 1.96
}

fn figures(scenario: &Scenario) -> Figures {
    forecast(scenario).use_cases[0].figures.clone().expect("it has a rate")
}

#[test]
fn layers_multiply_to_the_total() {
    let forecast = forecast(&scenario(SEASON));
    let total = forecast.total.as_ref().unwrap();
    let each = forecast.use_cases.iter().filter_map(|use_case| use_case.figures.as_ref());
    for figures in each.clone().chain([total]) {
        let names: Vec<&str> = figures.layers.iter().map(|layer| layer.name).collect();
        assert_eq!(names, ["base", "reasoning", "agents", "cache", "variability", "growth"]);
        assert_eq!(
            (figures.layers[2].horizon_factor, figures.layers[2].peak_hour_factor),
            (1.0, 1.0)
        );
        let factors = |factor: fn(&_) -> f64| figures.layers.iter().map(factor).product::<f64>();
        let base = &figures.layers[0];
        let horizon = base.horizon_tokens * factors(|layer| layer.horizon_factor);
        let computed = figures.computed_input_tokens.mean + figures.output_tokens.mean;
        assert!((horizon / computed - 1.0).abs() < 1e-12, "{horizon} {computed}");
        assert!((figures.computed_tokens.mean / computed - 1.0).abs() < 1e-12);
        let peak = base.peak_hour_tokens_per_s * factors(|layer| layer.peak_hour_factor);
        let expected = figures.peak_hour.tokens_per_s;
        assert!((peak / expected - 1.0).abs() < 1e-12, "{peak} {expected}");
    }
    let sum: f64 = each.map(|figures| figures.computed_tokens.mean).sum();
    assert!((sum / total.computed_tokens.mean - 1.0).abs() < 1e-12);
    assert_eq!(forecast.use_cases[0].cache, CacheSource::NeverEvicts);
    assert_eq!(forecast.use_cases[1].cache, CacheSource::Given);
    assert_eq!(forecast.use_cases[2].figures, None);
    assert!(forecast.notes.iter().any(|note| note.starts_with("bench: a closed loop")));
}

#[test]
fn a_steady_use_case_by_hand() {
    let forecast = forecast(&scenario(SEASON));
    let api = forecast.use_cases[1].figures.as_ref().unwrap();
    let calls = 0.01 * 61.0 * 86_400.0;
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12);
    near(api.calls.mean, calls);
    assert_eq!((api.calls.low, api.calls.high), (Some(api.calls.mean), Some(api.calls.mean)));
    near(api.input_tokens.mean, 800.0 * calls);
    near(api.computed_input_tokens.mean, 400.0 * calls);
    near(api.mean_tokens_per_s, 5.0);
    near(api.mean_day_tokens, 432_000.0);
    near(api.mean_month_tokens, 432_000.0 * 365.0 / 12.0);
    near(api.peak_hour.tokens_per_s, 5.0);
    assert_eq!(api.peak_hour.start_local, None, "every hour is alike");
}

#[test]
fn the_peak_hour_is_the_evening_of_cyber_monday() {
    let season = "users = 2_000\nsessions_per_user_per_day = 0.5\ntime_zone = \
                  \"America/New_York\"\nprofile = \"e-commerce\"\ncalendar = \"retail-us\"\n";
    let scenario = shop(season);
    let figures = figures(&scenario);
    assert_eq!(figures.peak_hour.start_local.as_deref(), Some("2026-11-30T20:00:00-05:00"));
    assert_eq!(figures.peak_hour.time_zone.as_deref(), Some("America/New_York"));
    // Its hour by a fine sum over the curve.
    let Arrivals::Varying(demand) = &scenario.use_cases[0].arrivals else { panic!("it varies") };
    let at = |second: f64| Time::ZERO + Span::from_seconds(figures.peak_hour.start_s + second);
    let (from, until) = (at(0.0), at(3_600.0));
    let minutes: f64 = (0..60)
        .map(|minute| {
            let minute = f64::from(minute) * 60.0;
            demand.curve.arrivals(at(minute), at(minute + 60.0))
        })
        .sum();
    let found = figures.peak_hour.tokens_per_s * 3_600.0 / 550.0;
    assert!((found / minutes - 1.0).abs() < 1e-9, "{found} {minutes}");
    assert!(demand.curve.peak(from, until) * 3_600.0 > minutes, "the peak minute is higher");
    assert_eq!(figures.layers[5].horizon_factor, 1.0, "nothing grows");
}

#[test]
fn days_add_up_to_the_horizon_and_cyber_monday_stands_out() {
    let season = "users = 2_000\nsessions_per_user_per_day = 0.5\ntime_zone = \
                  \"America/New_York\"\nprofile = \"e-commerce\"\ncalendar = \"retail-us\"\n";
    let figures = figures(&shop(season));
    let days = &figures.days;
    assert_eq!(days.first().unwrap().date.as_deref(), Some("2026-11-01"), "midnight there");
    // Of 61 times 24 hours an hour belongs to the next day: one Sunday had 25.
    assert_eq!((days.len(), days.last().unwrap().date.as_deref()), (60, Some("2026-12-30")));
    let lengths = days.windows(2).map(|pair| pair[1].start_s - pair[0].start_s);
    let tokens: f64 = lengths.zip(days).map(|(length_s, day)| length_s * day.tokens_per_s).sum();
    let tokens = tokens + 86_400.0 * days[59].tokens_per_s;
    let share = tokens / figures.computed_tokens.mean;
    assert!((0.97..0.99).contains(&share), "all but most of a day of 61: {share}");
    let on = |date: &str| days.iter().find(|day| day.date.as_deref() == Some(date)).unwrap();
    let monday = on("2026-11-30");
    let mean = figures.mean_tokens_per_s;
    let factor = monday.tokens_per_s / mean;
    assert!((factor / 3.37 - 1.0).abs() < 0.01, "Adobe's spend of the day over the mean: {factor}");
    assert_eq!(monday.peak_hour_tokens_per_s, figures.peak_hour.tokens_per_s);
    assert!(monday.low_hour_tokens_per_s < monday.tokens_per_s);
}

#[test]
fn generated_demand_agrees_with_the_forecast() {
    let scenario = scenario(SEASON);
    let figures = figures(&scenario);
    let (mut calls, mut input, mut output) = (Vec::new(), Vec::new(), Vec::new());
    let (mut computed, mut peak) = (Vec::new(), Vec::new());
    let peak_from = Time::ZERO + Span::from_seconds(figures.peak_hour.start_s);
    let peak_until = peak_from + Span::from_seconds(3_600.0);
    // A cache that never evicts has full blocks, short of the last token.
    let block = scenario.pools[0].kv.block_tokens;
    let keeps_answers = scenario.pools[0].engine.prefix_cache.unwrap().cache_decoded;
    for replication in 1..=8 {
        let streams = Streams::new(scenario.seed, replication);
        let script = Script::new(0, &scenario.use_cases[0], streams);
        let mut sums = [0.0; 5];
        for (number, at) in arrivals(&scenario, 0, replication).into_iter().enumerate() {
            let mut session = script.session(number as u64, Content::new(Strand::NONE));
            let mut known = session.history;
            while !session.is_over() {
                let ask = script.turn(&session);
                let cached = known.min(ask.prompt - 1) / block * block;
                let work = f64::from(ask.prompt - cached + ask.output);
                let hour = if (peak_from..peak_until).contains(&at) { work } else { 0.0 };
                let more =
                    [1.0, f64::from(ask.prompt), f64::from(ask.output), work, hour / 3_600.0];
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                known = if keeps_answers { ask.prompt + ask.output - 1 } else { ask.prompt };
                session.answered(ask.prompt, ask.output, None);
            }
        }
        let all = [&mut calls, &mut input, &mut output, &mut computed, &mut peak];
        all.into_iter().zip(sums).for_each(|(values, sum)| values.push(sum));
    }
    let agrees = |name: &str, values: &[f64], expected: f64, of_expected: f64| {
        let (mean, error) = mean_of(values);
        let error = error.hypot(of_expected);
        assert!((mean - expected).abs() < 4.0 * error, "{name}: {mean} +- {error}, {expected}");
        assert!(error < 0.05 * expected, "{name}: the test tells nothing: {error} of {expected}");
    };
    let check = |name: &str, values: &[f64], interval: Interval| {
        agrees(name, values, interval.mean, error_of(interval));
    };
    check("calls", &calls, figures.calls);
    check("input", &input, figures.input_tokens);
    check("output", &output, figures.output_tokens);
    check("computed", &computed, figures.computed_tokens);
    let relative = error_of(figures.computed_tokens) / figures.computed_tokens.mean;
    let expected = figures.peak_hour.tokens_per_s;
    agrees("peak hour", &peak, expected, relative * expected);
}

/// Layer `reasoning`, and its tokens less those of layer `base`.
fn reasoning(figures: &Figures) -> (f64, f64) {
    let [base, reasoning, ..] = &figures.layers[..] else { panic!("six layers") };
    assert_eq!(reasoning.name, "reasoning");
    (reasoning.horizon_factor, reasoning.horizon_tokens - base.horizon_tokens)
}

const STEADY: &str = "arrivals = { process = \"constant\", rate = \"1 /min\" }";

/// Probability times E[min(lognormal, budget)], which has a closed form.
#[test]
fn thinking_is_a_layer_with_a_closed_form() {
    let law = Distribution::lognormal(700.0, 1.1).unwrap();
    for (budget, probability) in [(300, 1.0), (2_000, 0.6), (8_000, 0.25)] {
        let figures = figures(&shop(&format!(
            "{STEADY}\nthinking = {{ probability = {probability}, budget = {budget}, tokens = {{ \
             distribution = \"lognormal\", median = 700, sigma = 1.1 }} }}"
        )));
        let calls = figures.calls.mean;
        let expected = calls * probability * law.mean_up_to(f64::from(budget)).unwrap();
        let thinking = figures.thinking_tokens.expect("it thinks");
        let error = error_of(thinking);
        assert!((thinking.mean - expected).abs() < 3.5 * error, "{thinking:?} {expected}");
        assert!(error < 0.03 * expected);
        // Prompts of 500 tokens and answers of 50.
        let (factor, added) = reasoning(&figures);
        assert!((added / thinking.mean - 1.0).abs() < 1e-9, "{added} {thinking:?}");
        assert!((factor / (1.0 + thinking.mean / (550.0 * calls)) - 1.0).abs() < 1e-9);
    }
    let silent = figures(&shop(STEADY));
    assert_eq!((silent.thinking_tokens, reasoning(&silent)), (None, (1.0, 0.0)));
}

/// Of four turns with 300 thinking tokens each, those that are kept come again in
/// three, two and one prompt.
#[test]
fn kept_thinking_grows_sessions() {
    for (thinking, again) in [("", 0.0), (", kept = true", 6.0)] {
        let figures = figures(&shop(&format!(
            "{STEADY}\nsession = {{ turns = 4 }}\nthinking = {{ tokens = 300{thinking} }}"
        )));
        let sessions = figures.calls.mean / 4.0;
        let (factor, added) = reasoning(&figures);
        let expected = (4.0 + again) * 300.0;
        assert!((added / sessions / expected - 1.0).abs() < 1e-9, "{added} {expected}");
        // Prompts of 500, 1,050, 1,600 and 2,150 tokens, and four answers.
        assert!((factor - 1.0 - expected / 5_500.0).abs() < 1e-9, "{factor}");
    }
}

/// What is served in whole episodes, with a cache that never has to evict, is what
/// was forecast.
#[test]
fn tokens_served_agree_with_the_forecast() {
    let kept = "thinking = { probability = 0.7, budget = 900, kept = true, tokens = { distribution \
                = \"lognormal\", median = 300, sigma = 1 } }";
    for thinking in ["", kept, "thinking = { share = \"deepseek-r1\", budget = 400 }"] {
        let scenario = scenario(&format!(
            "name = \"served\"\nduration = \"20 min\"\nregime = \"terminating\"\n[[pool]]\nname = \
             \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nengine = {{ kv_blocks = \
             1_000_000 }}\n[[use_case]]\nname = \"chat\"\narrivals = {{ process = \"poisson\", rate = \
             \"0.5 /s\" }}\nsession = {{ turns = {{ distribution = \"uniform\", low = 1, high = 5 }}, \
             think = \"5 s\" }}\nprompt_tokens = {{ distribution = \"exponential\", mean = 300 \
             }}\noutput_tokens = {{ distribution = \"lognormal\", median = 200, sigma = 0.9 }}\n{thinking}"
        ));
        let figures = figures(&scenario);
        let records: Vec<_> =
            (1..=12).map(|replication| run(&scenario, replication, Options::default())).collect();
        let agrees = |name: &str, served: fn(&UseCaseRecord) -> u64, expected: Interval| {
            let served: Vec<f64> =
                records.iter().map(|record| served(&record.whole.use_cases[0]) as f64).collect();
            let (mean, error) = mean_of(&served);
            let error = error.hypot(error_of(expected));
            let apart = (mean - expected.mean).abs();
            assert!(apart < 4.0 * error, "{thinking} {name}: {mean} +- {error}, {expected:?}");
            assert!(error < 0.04 * mean, "the test tells nothing of {name}: {mean} +- {error}");
        };
        agrees("calls", |served| served.calls, figures.calls);
        agrees("input", |served| served.prompt_tokens, figures.input_tokens);
        agrees("output", |served| served.output_tokens, figures.output_tokens);
        agrees(
            "computed",
            |served| served.prompt_tokens - served.cached_tokens + served.output_tokens,
            figures.computed_tokens,
        );
        if let Some(expected) = figures.thinking_tokens {
            agrees("thinking", |served| served.thinking.as_ref().unwrap().tokens, expected);
        }
    }
}

/// Runs of a coordinator that thinks, uses tools that fail and sends helpers who are
/// on a pool of their own, its context summarized now and then.
const AGENTS: &str = r#"
name = "agents"
duration = "40 min"
regime = "terminating"
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { kv_blocks = 1_000_000 }
[[pool]]
name = "b"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { kv_blocks = 1_000_000, block_tokens = 32 }
[[use_case]]
name = "desk"
pool = "a"
agent = "x"
pools = { y = "b" }
arrivals = { process = "poisson", rate = "0.25 /s" }
[[agent]]
name = "x"
context = { global_tokens = 900, message_tokens = { distribution = "exponential", mean = 120 } }
session = { runs = 2, gap = "20 s" }
turns = { count = { distribution = "uniform", low = 1, high = 6 }, output_tokens = 60 }
thinking = { tokens = 150, probability = 0.5 }
children = { probability = 0.4, fan_out = [0.0, 1.0], agent = "y", summary_tokens = 80 }
compaction = { above_tokens = 2_600, keep_tokens = 200, output_tokens = 150 }
[agent.tools]
calls = [0.5, 0.5]
failure = 0.1
error_tokens = 20
class = [{ name = "t", latency = "2 s", result_tokens = { distribution = "exponential", mean = 250 } }]
[[agent]]
name = "y"
context = { global_tokens = 640, message_tokens = 100 }
turns = { count = 2, output_tokens = 40 }
"#;

/// The layers of a forecast.
fn layer<'f>(figures: &'f Figures, name: &str) -> &'f Layer {
    figures.layers.iter().find(|layer| layer.name == name).expect("it is there")
}

/// What agents are served in whole episodes is what was forecast.
fn agree_with_the_forecast(text: &str) {
    let scenario = scenario(text);
    let figures = figures(&scenario);
    let records: Vec<_> =
        (1..=12).map(|replication| run(&scenario, replication, Options::default())).collect();
    let agrees = |name: &str, served: fn(&UseCaseRecord) -> u64, expected: Interval| {
        let served: Vec<f64> =
            records.iter().map(|record| served(&record.whole.use_cases[0]) as f64).collect();
        let (mean, error) = mean_of(&served);
        let error = error.hypot(error_of(expected));
        let apart = (mean - expected.mean).abs();
        assert!(apart < 4.0 * error, "{name}: {mean} +- {error}, {expected:?}");
        assert!(error < 0.03 * mean, "the test tells nothing of {name}: {mean} +- {error}");
    };
    agrees("calls", |served| served.calls, figures.calls);
    agrees("input", |served| served.prompt_tokens, figures.input_tokens);
    agrees("output", |served| served.output_tokens, figures.output_tokens);
    agrees(
        "computed",
        |served| served.prompt_tokens - served.cached_tokens + served.output_tokens,
        figures.computed_tokens,
    );
    let thought = figures.thinking_tokens.expect("it thinks");
    agrees("thinking", |served| served.thinking.as_ref().unwrap().tokens, thought);
}

#[test]
fn runs_of_agents_agree_with_the_forecast() {
    agree_with_the_forecast(AGENTS);
}

/// The same where users are in two regions, each with its working day.
#[test]
fn agents_in_regions_agree_with_the_forecast() {
    let regions = "start = \"2026-03-03T12:00:00Z\"\n[[region]]\nname = \"us\"\ntime_zone = \"America/New_York\"\n\
                   [[region]]\nname = \"eu\"\ntime_zone = \"Europe/Berlin\"\nround_trips = { us = \"90 ms\" }\n[[pool]]";
    let text = AGENTS
        .replacen("[[pool]]", regions, 1)
        .replacen("name = \"a\"\n", "name = \"a\"\nregion = \"us\"\n", 1)
        .replacen("name = \"b\"\n", "name = \"b\"\nregion = \"eu\"\n", 1)
        .replace(", block_tokens = 32", "")
        .replacen(
            "pool = \"a\"\n",
            "pool = [\"a\", \"b\"]\nregions = { us = 0.3, eu = { share = 0.7, profile = \"enterprise\" } }\n\
             profile = \"chat\"\ngrowth = \"40 %/day\"\n",
            1,
        );
    agree_with_the_forecast(&text);
}

/// And where they are the runs of jobs.
#[test]
fn agents_of_jobs_agree_with_the_forecast() {
    let arrivals = "arrivals = { process = \"poisson\", rate = \"0.25 /s\" }";
    let batch = "batch = { every = \"10 min\", calls = { distribution = \"uniform\", low = 150, high = 250 }, \
                 deadline = \"9 min\" }";
    agree_with_the_forecast(&AGENTS.replacen(arrivals, batch, 1));
}

/// With lengths that do not vary each layer is known beforehand.
#[test]
fn agents_are_a_layer_with_a_closed_form() {
    let top = AGENTS.split("[[use_case]]").next().unwrap();
    let text = |thinking: &str| {
        format!(
            r#"{top}
            [[use_case]]
            name = "desk"
            pool = "a"
            agent = "x"
            pools = {{ y = "b" }}
            arrivals = {{ process = "constant", rate = "0.1 /s" }}
            [[agent]]
            name = "x"
            context = {{ message_tokens = 100 }}
            turns = {{ count = 4, output_tokens = 50 }}
            children = {{ probability = 1.0, fan_out = [0.0, 1.0], agent = "y", summary_tokens = 20 }}
            tools = {{ calls = [1.0], class = [{{ name = "t", latency = "1 s", result_tokens = 230 }}] }}
            {thinking}
            [[agent]]
            name = "y"
            context = {{ message_tokens = 60 }}
            turns = {{ count = 1, output_tokens = 40 }}
            "#
        )
    };
    // Turns ask with 100, 420, 740 and 1,060 tokens (an answer of 50, a result of 230
    // and two summaries of 20 come on top) and answer with 50; each but the last has two
    // helpers of 100 tokens.
    let figures_of = |thinking| figures(&scenario(&text(thinking)));
    let figures = figures_of("");
    let runs = 0.1 * 40.0 * 60.0;
    let near =
        |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found}");
    near(layer(&figures, "base").horizon_tokens, runs * 150.0);
    near(layer(&figures, "reasoning").horizon_factor, 1.0);
    near(layer(&figures, "agents").horizon_tokens, runs * (2_320.0 + 200.0 + 6.0 * 100.0));
    near(figures.calls.mean, runs * (4.0 + 6.0));
    let thinking = figures_of("thinking = { probability = 1.0, tokens = 30 }");
    near(layer(&thinking, "reasoning").horizon_factor, 180.0 / 150.0);
    near(layer(&thinking, "agents").horizon_tokens, runs * (2_320.0 + 320.0 + 600.0));
    near(thinking.thinking_tokens.unwrap().mean, runs * 4.0 * 30.0);
}

#[test]
fn crowds_are_part_of_variability() {
    let scenario = shop(
        "arrivals = { process = \"poisson\", rate = \"60 /h\" }\nvariability = { crowds = { every = \
         \"1 days\", peak = 6, decay = \"2 h\" } }",
    );
    let figures = figures(&scenario);
    let factor = figures.layers[4].horizon_factor;
    // None are there at the start: 1 + 6 x 2 h / 24 h but for the first two hours.
    let by_hand = 1.0 + 0.5 * (1.0 - 2.0 / (61.0 * 24.0));
    assert!((factor - by_hand).abs() < 1e-9, "{factor} {by_hand}");
    let counts: Vec<f64> =
        (0..20).map(|number| arrivals(&scenario, 0, number).len() as f64).collect();
    let (mean, error) = mean_of(&counts);
    let expected = figures.calls.mean;
    // Crowds are broken lines, larger by 1 in 3,000.
    assert!(
        (mean - expected).abs() < 4.0 * error + 3e-4 * expected,
        "{mean} +- {error} {expected}"
    );
}

#[test]
fn a_recording_is_counted_as_far_as_it_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00.0,100,10\n2023-11-16 \
                18:30:00.0,200,20\n2023-11-16 19:30:00.0,400,40\n2023-11-16 20:30:00.0,800,80\n";
    fs::write(dir.path().join("t.csv"), rows).unwrap();
    let text = |duration: &str| {
        format!(
            "name = \"t\"\n{duration}\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware \
             = \"h100-sxm\"\n[[use_case]]\nname = \"u\"\ntrace = {{ format = \"azure\", path = \
             \"t.csv\" }}\n"
        )
    };
    let told = |duration: &str| {
        fs::write(dir.path().join("s.toml"), text(duration)).unwrap();
        told(&dir, &["--json"])
    };
    let whole = told("");
    assert_eq!(whole["horizon_s"], 9_001.0);
    let figures = &whole["use_cases"][0]["figures"];
    assert_eq!(figures["calls"]["mean"], 4.0);
    assert_eq!(figures["calls"]["low"], figures["calls"]["high"]);
    assert_eq!(figures["input_tokens"]["mean"], 1_500.0);
    assert_eq!(figures["output_tokens"]["mean"], 150.0);
    // Two whole hours: 330 tokens, then 440.
    assert_eq!(figures["peak_hour"]["start_s"], 3_600.0);
    assert_eq!(figures["peak_hour"]["tokens_per_s"], 440.0 / 3_600.0);
    let part = told("duration = \"1 h\"");
    let figures = &part["use_cases"][0]["figures"];
    assert_eq!(figures["calls"]["mean"], 2.0);
    assert_eq!(figures["input_tokens"]["mean"], 300.0);
    assert_eq!(figures["peak_hour"]["tokens_per_s"], 330.0 / 3_600.0);
}

/// Two runs with a sub-agent in the second. Without agents each run is one call: 128 and
/// 10 tokens, then the 88 tokens that the second one adds to what was said before it,
/// behind 138, and 30. All of it is 1,189 tokens, of which a cache has 576.
#[test]
fn layers_of_a_replay_are_those_of_its_recording() {
    let text = concat!(
        r#"{"block_size": 64, "requests": ["#,
        r#"{"t": 0, "in": 128, "out": 10, "hash_ids": [1, 2], "stop": "tool_use", "api_time": 1},"#,
        r#"{"t": 2, "in": 192, "out": 20, "hash_ids": [1, 2, 3], "stop": "end_turn", "api_time": 1},"#,
        r#"{"t": 9, "in": 300, "out": 30, "hash_ids": [1, 2, 3, 4], "stop": "tool_use", "api_time": 1},"#,
        r#"{"t": 10, "subagent_type": "Explore", "duration_ms": 1000, "requests": ["#,
        r#"{"t": 0, "in": 64, "out": 5, "hash_ids": [9], "api_time": 1}]},"#,
        r#"{"t": 12, "in": 400, "out": 40, "hash_ids": [1, 2, 3, 4, 5, 6], "stop": "end_turn"}]}"#,
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t"), format!("{text}\n").repeat(3)).unwrap();
    let two_pools = |pools: &str| {
        let use_case = format!(
            "name = \"u\"\npool = \"gpu\"\n{pools}\nreplay = {{ path = \"t\", session_gap = \
             \"1 min\" }}\n[[pool]]\nname = \"small\"\nmodel = \"llama-3.1-8b\"\nhardware = \
             \"h100-sxm\"\nengine = {{ block_tokens = 64 }}"
        );
        recordings::open(64, &[], &use_case, folder.path()).unwrap().scenario
    };
    for pools in ["", "pools = { explore = \"small\" }"] {
        let scenario = two_pools(pools);
        let forecast = forecast(&scenario);
        let figures = forecast.use_cases[0].figures.as_ref().unwrap();
        let served = &common::simulate(&scenario).whole.use_cases[0];
        assert_eq!(figures.calls.mean, served.calls as f64);
        let tokens = |name: &str| layer(figures, name).horizon_tokens;
        let all = (served.prompt_tokens + served.output_tokens) as f64;
        assert_eq!(tokens("base"), 3.0 * (128.0 + 10.0 + 226.0 + 30.0));
        assert_eq!(tokens("reasoning"), tokens("base"));
        assert_eq!((tokens("agents"), all), (3.0 * 1_189.0, 3.0 * 1_189.0));
        assert_eq!(tokens("cache"), all - served.cached_tokens as f64);
        assert_eq!(served.cached_tokens, 3 * 576);
    }
}

/// What `forecast s.toml` prints in `dir`, as JSON.
fn told(dir: &tempfile::TempDir, options: &[&str]) -> Value {
    let mut command = Command::cargo_bin("tokenmill").unwrap();
    let command = command.current_dir(dir.path()).args(["forecast", "s.toml", "--out", "out"]);
    let output = command.args(options).assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("one JSON document")
}

#[test]
fn the_verb_leaves_tables_chart_and_page() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("s.toml"), SEASON).unwrap();
    let document = told(&dir, &["--json"]);
    let read = |name: &str| fs::read_to_string(dir.path().join("out").join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("forecast.json")).unwrap(), document);
    assert!(document["use_cases"][2]["figures"].is_null(), "a closed loop has no rate");
    for name in ["manifest.json", "scenario.toml", "charts/forecast.svg"] {
        assert!(!read(name).is_empty(), "{name}");
    }
    let page = read("report.html");
    for word in ["variability", "shop", "2026-11-30 21:00 America/New_York", "<svg"] {
        assert!(page.contains(word), "the page lacks {word}");
    }
    let again = told(&dir, &["--json", "--threads", "1"]);
    assert_eq!(again, document);
}

#[test]
fn closed_loops_alone_have_nothing_to_forecast() {
    let dir = tempfile::tempdir().unwrap();
    let (head, bench) = (SEASON.split("[[use_case]]").next(), SEASON.rsplit("[[use_case]]").next());
    let text = format!("{}[[use_case]]{}", head.unwrap(), bench.unwrap());
    fs::write(dir.path().join("s.toml"), text).unwrap();
    let document = told(&dir, &["--json"]);
    assert!(document["total"].is_null());
    let mut command = Command::cargo_bin("tokenmill").unwrap();
    let command = command.current_dir(dir.path()).args(["forecast", "s.toml", "--out", "out"]);
    let output = command.assert().success().get_output().stdout.clone();
    assert!(String::from_utf8(output).unwrap().contains("no rate of its own"));
}

#[test]
fn mistakes_are_told_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let broken = SEASON.replace("America/New_York", "America/New_Yrok");
    fs::write(dir.path().join("s.toml"), broken).unwrap();
    let mut command = Command::cargo_bin("tokenmill").unwrap();
    let command = command.current_dir(dir.path()).args(["forecast", "s.toml", "--out", "out"]);
    let failed = command.assert().code(2).get_output().clone();
    let told = String::from_utf8(failed.stderr).unwrap();
    assert!(told.contains("time_zone") && told.contains("America/New_York"), "{told}");
    assert!(!dir.path().join("out").exists());
    let mut command = Command::cargo_bin("tokenmill").unwrap();
    command.current_dir(dir.path()).args(["forecast", "none.toml"]).assert().code(2);
    Command::cargo_bin("tokenmill").unwrap().arg("forecast").assert().code(2);
}
