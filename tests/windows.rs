//! Windows of a long horizon: which are chosen, that each is what a run of the
//! whole horizon has there, and what they say of it.

mod common;

use common::{Folder, load, mean_of, on_threads};
use serde_json::Value;
use tokenmill::kernel::{Span, Time};
use tokenmill::metrics::RunRecord;
use tokenmill::scenario::{Arrivals, Scenario};
use tokenmill::simulation::{Options, Part, run};
use tokenmill::statistics::Interval;
use tokenmill::study::windows::Plan;
use tokenmill::study::{self, Summary};

/// A shop whose customers come back within minutes, on two replicas with little
/// memory, with a sale on the fourth day.
const SHOP: &str = r#"
name = "shop"
start = "2026-03-02T05:00:00Z"
duration = "14 days"
replications = 6
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
replicas = 2
router = { policy = "session-affinity" }
engine = { kv_blocks = 1_500 }
[[calendar]]
name = "sale"
days = [{ on = "03-05", multiple = 3 }]
[[use_case]]
name = "shop"
users = 8_000
sessions_per_user_per_day = 0.5
time_zone = "America/New_York"
profile = "e-commerce"
calendar = "sale"
growth = "9 %/month"
variability = { day_noise = { cv = 0.1, correlation = 0.3 } }
prompt_tokens = { distribution = "lognormal", median = 700, sigma = 0.5, max = 4_000 }
output_tokens = { distribution = "lognormal", median = 100, sigma = 0.5, max = 500 }
slo = { ttft_p95 = "800 ms" }
[use_case.session]
turns = { distribution = "exponential", mean = 3, min = 1 }
think = { distribution = "lognormal", median = "60 s", sigma = 0.8 }
"#;

/// The shop with these windows and changes.
fn shop(windows: &str, changes: &[(&str, &str)]) -> Scenario {
    load(&text(windows, changes)).scenario
}

fn text(windows: &str, changes: &[(&str, &str)]) -> String {
    let mut text = format!("{SHOP}[windows]\n{windows}\n");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text
}

fn summary(scenario: &Scenario) -> Summary {
    study::replicate(scenario, false, |_| {}).summary
}

fn hours(count: f64) -> Span {
    Span::from_seconds(count * 3_600.0)
}

fn part(from: Time, warm_up: Span, length: Span) -> Options {
    let from = Time::from_ticks(from.ticks() - warm_up.ticks());
    Options { warm_up, audit: true, part: Some(Part { from, length }), ..Options::default() }
}

/// Expected arrivals of each local hour, counted one by one.
fn by_hour(scenario: &Scenario) -> Vec<f64> {
    let Arrivals::Varying(demand) = &scenario.use_cases[0].arrivals else { panic!("it varies") };
    let hour = |hour: u64| Time::ZERO + hours(hour as f64);
    let count = demand.duration.seconds() as u64 / 3_600;
    (0..count).map(|at| demand.curve.arrivals(hour(at), hour(at + 1))).collect()
}

fn starts(summary: &Summary) -> Vec<f64> {
    summary.windows.iter().map(|window| window.start_s).collect()
}

#[test]
fn the_window_that_is_the_whole_horizon_is_the_whole_run() {
    let calls = [
        ("duration = \"14 days\"", "duration = \"6 h\""),
        ("[use_case.session]", "#"),
        ("turns =", "#"),
        ("think =", "#"),
    ];
    let scenario = shop("choose = \"worst\"\ncount = 1", &calls);
    let whole = run(&scenario, 3, Options { audit: true, ..Options::default() });
    let window = run(&scenario, 3, part(Time::ZERO, Span::ZERO, hours(6.0)));
    assert!(whole.calls > 300, "{}", whole.calls);
    assert_eq!((whole.digest, whole.calls), (window.digest, window.calls));
    assert_eq!(whole.whole.use_cases[0].ttft.curve, window.whole.use_cases[0].ttft.curve);
}

#[test]
fn a_recording_goes_on_where_the_window_begins() {
    // A call every ten seconds, the k-th with a prompt of k tokens.
    let lines = (1..=1_000u64).map(|k| format!("{},{k},5\n", (k - 1) * 10));
    let csv = format!("at,in,out\n{}", lines.collect::<String>());
    let folder = Folder::new("");
    std::fs::write(folder.path("t.csv"), csv).unwrap();
    folder.write(
        r#"
name = "t"
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
[[use_case]]
name = "t"
trace = { format = "csv", path = "t.csv", time_unit = "s", columns = { time = "at", prompt_tokens = "in", output_tokens = "out" } }
[windows]
choose = "worst"
count = 2
length = "1000 s"
warm_up = "100 s"
"#,
    );
    let scenario =
        tokenmill::scenario::load(&folder.path("s.toml"), &Default::default()).unwrap().scenario;
    let summary = summary(&scenario);
    // The tokens of each window grow with time, so the last two are the worst.
    assert_eq!(starts(&summary), [7_000.0, 8_000.0]);
    let prompts: Vec<f64> = summary
        .windows
        .iter()
        .map(|window| window.use_cases["t"].prompt_tokens_mean.unwrap().mean)
        .collect();
    assert_eq!(prompts, [750.5, 850.5]);
    assert!(summary.windows.iter().all(|window| window.use_cases["t"].calls == 100));
}

#[test]
fn the_worst_hours_are_those_that_ask_for_most() {
    let scenario =
        shop("choose = \"worst\"\ncount = 5", &[("replications = 6", "replications = 1")]);
    let mut order: Vec<(usize, f64)> = by_hour(&scenario).into_iter().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut worst: Vec<f64> = order[..5].iter().map(|(at, _)| *at as f64 * 3_600.0).collect();
    worst.sort_by(f64::total_cmp);
    let summary = summary(&scenario);
    assert_eq!(starts(&summary), worst);
    let ranks = summary.windows.iter().map(|window| window.rank.unwrap()).collect::<Vec<u64>>();
    let mut sorted = ranks.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4, 5]);
    let horizon = summary.horizon.unwrap();
    let all: f64 = order.iter().map(|(_, calls)| calls).sum();
    let most: f64 = order[..5].iter().map(|(_, calls)| calls).sum();
    assert!((horizon.share_of_calls / (most / all) - 1.0).abs() < 1e-9, "{horizon:?}");
    assert!((horizon.peak_over_mean / (order[0].1 / all * 336.0) - 1.0).abs() < 1e-9);
    assert_eq!(horizon.chosen_from, Some(336));
}

#[test]
fn each_week_of_the_local_clock_has_its_peak() {
    let year = [
        ("duration = \"14 days\"", "duration = \"60 days\""),
        ("replications = 6", "replications = 1"),
        ("users = 8_000", "users = 100"),
    ];
    let scenario = shop("choose = \"weekly-peaks\"", &year);
    let summary = summary(&scenario);
    // March 2 is a Monday; the clock goes forward on March 8, in the first week.
    let hours = by_hour(&scenario);
    let week = |at: usize| if at < 167 { 0 } else { 1 + (at - 167) / 168 };
    let mut peaks = vec![0; week(hours.len() - 1) + 1];
    for (at, calls) in hours.iter().enumerate() {
        let peak = &mut peaks[week(at)];
        if week(*peak) != week(at) || *calls > hours[*peak] * (1.0 + 1e-9) {
            *peak = at;
        }
    }
    let peaks: Vec<f64> = peaks.into_iter().map(|at| at as f64 * 3_600.0).collect();
    assert_eq!(starts(&summary), peaks);
    assert_eq!(summary.windows[0].start_local.as_deref(), Some("2026-03-05T20:00:00-05:00"));
    assert_eq!(summary.windows[0].represents, "the busiest of 167 of the week of 2026-03-02");
    assert!(summary.windows[1].start_local.as_deref().unwrap().ends_with("T20:00:00-04:00"));
}

#[test]
fn a_window_does_not_depend_on_threads_nor_on_other_windows() {
    let few = [("replications = 6", "replications = 2")];
    let three = shop("choose = \"worst\"\ncount = 3", &few);
    let five = shop("choose = \"worst\"\ncount = 5", &few);
    let one_thread = on_threads(1, || summary(&three));
    let two_threads = on_threads(2, || summary(&three));
    assert_eq!(one_thread.digest, two_threads.digest);
    let more = summary(&five);
    for window in &one_thread.windows {
        let same = more.windows.iter().find(|other| other.start_s == window.start_s).unwrap();
        assert_eq!(same.digest, window.digest);
    }
    let given = "at = [\"2026-03-05T20:00\"]";
    let given = summary(&shop(given, &few));
    let same = one_thread.windows.iter().find(|it| it.start_s == given.windows[0].start_s).unwrap();
    assert_eq!(same.digest, given.windows[0].digest);
    assert_eq!(given.windows[0].rank, None);
}

#[test]
fn days_are_as_good_in_a_window_as_in_the_whole_run() {
    // Noise alone decides: 40 % from day to day, in a window on the tenth day.
    let noise = [("cv = 0.1", "cv = 0.4"), ("users = 8_000", "users = 40_000")];
    let scenario = shop("choose = \"weekly-peaks\"", &noise);
    let from = Time::ZERO + hours(9.0 * 24.0 + 12.0);
    let arrived = |options| {
        let calls =
            |replication| run(&scenario, replication, options).whole.pools[0].arrived as f64;
        (0..6).map(calls).collect::<Vec<f64>>()
    };
    let window = arrived(part(from, hours(1.0), hours(1.0)));
    let later = arrived(part(from + hours(2.0), hours(1.0), hours(1.0)));
    let (mean, error) = mean_of(&window);
    assert!(error * 6f64.sqrt() / mean > 0.15, "days differ: {window:?}");
    // Two windows of one day share its factor; other days have others.
    let ratios: Vec<f64> = window.iter().zip(&later).map(|(a, b)| a / b).collect();
    let (mean, error) = mean_of(&ratios);
    assert!(error * 6f64.sqrt() / mean < 0.1, "{ratios:?}");
    assert_ne!(window, later);
}

fn peak_of(records: &[RunRecord], of: impl Fn(&RunRecord) -> f64) -> Interval {
    Interval::student(&records.iter().map(of).collect::<Vec<f64>>()).unwrap()
}

#[test]
fn the_peak_hour_is_that_of_a_run_of_all_that_came_before_it() {
    let scenario = shop("choose = \"worst\"\ncount = 1", &[]);
    let window = summary(&scenario);
    let [peak] = window.windows.as_slice() else { panic!("one window") };
    assert_eq!(peak.start_local.as_deref(), Some("2026-03-05T20:00:00-05:00"));
    let from = Time::ZERO + Span::from_seconds(peak.start_s);
    let before = Span::from_ticks(from.ticks());
    let whole = |replication| {
        run(&scenario, replication, Options { audit: false, ..part(from, before, hours(1.0)) })
    };
    let records: Vec<RunRecord> = (0..6).map(whole).collect();
    let p95 = peak_of(&records, |run| run.whole.use_cases[0].ttft.quantiles[2]);
    let hits = peak_of(&records, |run| {
        let use_case = &run.whole.use_cases[0];
        use_case.cached_tokens as f64 / use_case.prompt_tokens as f64
    });
    let inside = |found: Interval, of: Interval| {
        of.low.unwrap() <= found.mean && found.mean <= of.high.unwrap()
    };
    let use_case = &peak.use_cases["shop"];
    assert!(inside(use_case.ttft_s.p95.unwrap(), p95), "{:?} {p95:?}", use_case.ttft_s.p95);
    let cached = use_case.cache_hit_fraction.unwrap();
    assert!(inside(cached, hits), "{cached:?} {hits:?}");
    // Without a warm-up the cache has more room than it would have.
    let cold = run(&scenario, 0, part(from, Span::ZERO, hours(0.05)));
    let cold = &cold.whole.use_cases[0];
    let cold = cold.cached_tokens as f64 / cold.prompt_tokens as f64;
    assert!(cold > 1.5 * hits.high.unwrap(), "{cold} {hits:?}");
}

/// What the hours that replications draw are expected to bring, by itself: the
/// mean is that of the horizon, and intervals over replications hold it.
#[test]
fn draws_of_hours_are_unbiased_and_their_intervals_hold() {
    let mut scenario = shop("choose = \"random\"\ncount = 12", &[]);
    let expected = by_hour(&scenario);
    let truth = expected.iter().sum::<f64>() / expected.len() as f64;
    let (mut held, mut all) = (0, Vec::new());
    for seed in 1..=150 {
        scenario.seed = seed;
        let plan = Plan::of(&scenario).unwrap();
        let mean = |replication| {
            let chosen = plan.chosen(replication);
            chosen.iter().map(|&at| expected[at]).sum::<f64>() / chosen.len() as f64
        };
        let means: Vec<f64> = (0..16).map(mean).collect();
        let interval = Interval::student(&means).unwrap();
        held += u32::from(interval.low.unwrap() < truth && truth < interval.high.unwrap());
        all.extend(means);
    }
    let (mean, error) = mean_of(&all);
    assert!((mean - truth).abs() < 3.0 * error, "{mean} {error} {truth}");
    // 95 % of 150 are 142; the hours of a sale are few and far above the others.
    assert!(held >= 132, "{held}");
}

#[test]
fn random_hours_estimate_the_whole_horizon() {
    let few = [
        ("duration = \"14 days\"", "duration = \"2 days\""),
        ("users = 8_000", "users = 2_000"),
        ("cv = 0.1,", "cv = 0.001,"),
        ("replications = 6", "replications = 16"),
    ];
    let mut scenario = shop("choose = \"random\"\ncount = 12", &few);
    let expected = by_hour(&scenario);
    let sessions = expected.iter().sum::<f64>() / expected.len() as f64 / 3_600.0;
    let mut estimate = |seed: u64| {
        scenario.seed = seed;
        let sampled = summary(&scenario);
        let began = sampled.use_cases["shop"].sessions.as_ref().unwrap().began_per_s.unwrap();
        (sampled, began)
    };
    // 95 % intervals: fewer than 9 of 12 hold the truth twice in a thousand times.
    let holds = |began: &Interval| began.low.unwrap() < sessions && sessions < began.high.unwrap();
    let held = (2..=12).filter(|&seed| holds(&estimate(seed).1)).count();
    let (sampled, began) = estimate(1);
    let held = held + usize::from(holds(&began));
    assert!(held >= 9, "{held} of 12 intervals hold {sessions}");
    // Each replication draws hours of its own.
    let runs: u32 = sampled.windows.iter().map(|window| window.replications).sum();
    assert_eq!(runs, 16 * 12);
    assert!(sampled.windows.len() > 45, "{}", sampled.windows.len());
    // All of the hours are no sample: what is left is chance within them.
    let all = shop("choose = \"random\"\ncount = 48", &few);
    let all = summary(&all);
    let spread = |interval: Interval| interval.high.unwrap() - interval.low.unwrap();
    let whole = all.use_cases["shop"].sessions.as_ref().unwrap().began_per_s.unwrap();
    assert!(spread(whole) < spread(began) / 2.0, "{whole:?} {began:?}");
    let horizon = all.horizon.unwrap();
    assert!((horizon.share_of_time - 1.0).abs() < 1e-12);
    assert!((horizon.share_of_tokens - 1.0).abs() < 1e-9, "{horizon:?}");
}

/// Too many customers for one replica during the sale.
const BUSY: [(&str, &str); 3] = [
    ("users = 8_000", "users = 250_000"),
    ("replicas = 2", "replicas = 1"),
    ("replications = 6", "replications = 1"),
];
/// A quiet night, and an evening of the sale.
const NIGHT_AND_SALE: &str = "at = [\"2026-03-03T04:00\", \"2026-03-05T20:00\"]\n\
                              length = \"10 min\"\nwarm_up = \"20 min\"";

#[test]
fn overloaded_windows_are_named() {
    let summary = summary(&shop(NIGHT_AND_SALE, &BUSY));
    let overloaded: Vec<bool> =
        summary.windows.iter().map(|window| !window.overloaded_pools.is_empty()).collect();
    assert_eq!(overloaded, [false, true]);
    let [quiet, sale] = summary.windows.as_slice() else { panic!("two windows") };
    assert_eq!(quiet.pools["a"].stable, Some(true));
    assert_eq!(sale.pools["a"].stable, Some(false));
    let p95 =
        |window: &study::windows::WindowSummary| window.use_cases["shop"].ttft_s.p95.unwrap().mean;
    assert!(p95(sale) > 20.0 * p95(quiet), "{} {}", p95(sale), p95(quiet));
    assert!(summary.warnings[0].contains("2026-03-05 20:00 (a)"), "{}", summary.warnings[0]);
    assert_eq!(summary.horizon.unwrap().overloaded_windows, 1);
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let mut command = folder.tokenmill(arguments);
    let output = command.args(["--json", "--no-progress"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const SMALL: [(&str, &str); 2] =
    [("duration = \"14 days\"", "duration = \"5 days\""), ("replications = 6", "replications = 2")];

#[test]
fn arms_and_sweeps_run_windows_as_well() {
    let arms = "choose = \"worst\"\ncount = 2\n[[arm]]\nname = \"third\"\nset = { \"pool.a.replicas\" = 3 }\n\
                [sweep]\n\"pool.a.replicas\" = [2, 3]";
    let folder = Folder::new(&text(arms, &SMALL));
    let whole = json(&folder, &["run", "s.toml", "--out", "r"]);
    let compared = json(&folder, &["compare", "s.toml", "--out", "c"]);
    let figure = |arm: &str| compared["arms"][arm]["figures"]["use_cases.shop.ttft_s.p95"].clone();
    assert_eq!(figure("baseline")["value"], whole["use_cases"]["shop"]["ttft_s"]["p95"]);
    assert!(figure("third")["difference"]["mean"].as_f64().unwrap() < 0.0);
    // The same calls come to both arms.
    let calls =
        |arm: &str| &compared["arms"][arm]["figures"]["use_cases.shop.prompt_tokens_mean"]["value"];
    let [baseline, third] = ["baseline", "third"].map(|arm| calls(arm)["mean"].as_f64().unwrap());
    assert!((third / baseline - 1.0).abs() < 0.02, "{baseline} {third}");
    let swept = json(&folder, &["sweep", "s.toml", "--out", "w"]);
    let point = &swept["points"][0]["figures"]["use_cases.shop.ttft_s.p95"];
    assert_eq!(point["mean"], whole["use_cases"]["shop"]["ttft_s"]["p95"]["mean"], "{swept}");
}

#[test]
fn arms_points_and_values_name_their_overloaded_windows() {
    let studies = format!(
        "{NIGHT_AND_SALE}\n[[arm]]\nname = \"more\"\nset = {{ \"pool.a.replicas\" = 8 }}\n\
         [sweep]\n\"pool.a.replicas\" = [1, 8]\n\
         [seek]\nkey = \"pool.a.replicas\"\nfrom = 1\nto = 8\n\
         [[seek.keep]]\nmetric = \"use_cases.shop.goodput_fraction\"\nat_least = \"95 %\""
    );
    let folder = Folder::new(&text(&studies, &BUSY));
    let sale = serde_json::json!([{
        "start_s": 4.0 * 86_400.0 - 4.0 * 3_600.0,
        "start_local": "2026-03-05T20:00:00-05:00",
        "pools": ["a"]
    }]);
    let named = "in 1 of 2 windows a pool cannot keep up: 2026-03-05 20:00 (a)";
    let is_told = |json: &Value, who: &str| {
        let warnings = json["warnings"].as_array().unwrap();
        let told = warnings.iter().filter_map(Value::as_str).filter(|it| it.contains(named));
        let told: Vec<&str> = told.collect();
        assert!(told.len() == 1 && told[0].contains(who), "{warnings:?}");
    };
    let compared = json(&folder, &["compare", "s.toml", "--out", "c"]);
    assert_eq!(compared["arms"]["baseline"]["overloaded_windows"], sale);
    assert!(compared["arms"]["more"].get("overloaded_windows").is_none(), "{compared}");
    is_told(&compared, "baseline: ");
    let swept = json(&folder, &["sweep", "s.toml", "--out", "w"]);
    assert_eq!(swept["points"][0]["overloaded_windows"], sale);
    assert!(swept["points"][1].get("overloaded_windows").is_none(), "{swept}");
    is_told(&swept, "1 of 2 points have windows in which a pool cannot keep up, point 0: ");
    let sought = json(&folder, &["seek", "s.toml", "--out", "s"]);
    let points = sought["points"].as_array().unwrap();
    assert_eq!(points[0]["overloaded_windows"], sale);
    assert!(points.last().unwrap().get("overloaded_windows").is_none(), "{sought}");
    let warnings = sought["warnings"].to_string();
    for point in points {
        let told = warnings.contains(&format!("at {}: {named}", point["value"]));
        assert_eq!(told, point.get("overloaded_windows").is_some(), "{point} {warnings}");
    }
}

#[test]
fn the_full_horizon_runs_when_asked() {
    let small = [
        ("duration = \"14 days\"", "duration = \"1 days\""),
        ("replications = 6", "replications = 2"),
    ];
    let windows = "choose = \"worst\"\ncount = 2\n";
    let folder = Folder::new(&text(windows, &small));
    let full = json(&folder, &["run", "s.toml", "--full-horizon", "--out", "full"]);
    assert!(full.get("windows").is_none() && full.get("horizon").is_none());
    let plain = Folder::new(&text(windows, &small).replace("[windows]\n", "").replace(windows, ""));
    let plain = json(&plain, &["run", "s.toml", "--out", "plain"]);
    assert_eq!(full, plain);
    let windows = json(&folder, &["run", "s.toml", "--out", "windows"]);
    assert_eq!(windows["windows"].as_array().unwrap().len(), 2);
    for name in ["windows.csv", "charts/windows.svg", "charts/windows.png", "report.html"] {
        assert!(folder.path("windows").join(name).is_file(), "{name}");
    }
    // What a report says to do to get it again does so.
    let again = folder.path("full").join("scenario.toml");
    let again = json(&folder, &["run", again.to_str().unwrap(), "--out", "again"]);
    assert_eq!(again, full);
}

/// Agents in two regions who sit at their desks by the clock of each.
const DESKS: &str = r#"
name = "desks"
start = "2026-03-03T00:00:00Z"
duration = "1 days"
replications = 6
[[region]]
name = "us"
time_zone = "America/New_York"
round_trips = { eu = "90 ms" }
[[region]]
name = "eu"
time_zone = "Europe/Berlin"
[[pool]]
name = "west"
region = "us"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 6 }
[[pool]]
name = "east"
region = "eu"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 6 }
[[use_case]]
name = "desk"
agent = "x"
regions = { us = 0.6, eu = 0.4 }
serve = { policy = "overflow", fill = 0.15 }
users = 1_500
sessions_per_user_per_day = 1
profile = "enterprise"
[[agent]]
name = "x"
context = { global_tokens = 600, message_tokens = 200 }
turns = { count = { distribution = "uniform", low = 1, high = 5 }, output_tokens = 60 }
children = { probability = 0.5, fan_out = [0.0, 1.0], agent = "y", summary_tokens = 40 }
tools = { calls = [1.0], class = [{ name = "t", latency = "2 s", result_tokens = 100 }] }
[[agent]]
name = "y"
context = { global_tokens = 300, message_tokens = 80 }
turns = { count = 2, output_tokens = 30 }
"#;

/// All hours of a day, each simulated by itself, are the day.
#[test]
fn hours_of_agents_in_regions_are_those_of_the_whole_day() {
    let hours = "[windows]\nchoose = \"random\"\ncount = 24\nwarm_up = \"10 min\"\n";
    let [day, hours] = [String::new(), hours.to_owned()]
        .map(|windows| summary(&load(&format!("{DESKS}{windows}")).scenario));
    let [day, hours] = [&day, &hours].map(|summary| {
        let desk = &summary.use_cases["desk"];
        let [x, y] = ["x", "y"].map(|name| &desk.agents[name]);
        let away = desk.regions["us"].served_fraction["east"];
        let began = desk.sessions.as_ref().unwrap().began_per_s;
        [began, desk.calls_per_s, x.calls_per_run, y.runs_per_s, x.run_s.mean, away]
    });
    let names = ["sessions", "calls", "calls a run", "helpers", "latency", "away"];
    for ((name, day), hours) in names.iter().zip(day).zip(hours) {
        let (day, hours) = (day.unwrap(), hours.unwrap());
        // Of intervals of 95 %, each about two standard errors to either side.
        let error = |it: Interval| (it.high.unwrap() - it.low.unwrap()) / 4.0;
        let both = error(day).hypot(error(hours));
        assert!((day.mean - hours.mean).abs() < 4.0 * both, "{name}: {day:?} {hours:?}");
        assert!(both < 0.1 * day.mean, "the test tells nothing of {name}: {day:?} {hours:?}");
    }
}
