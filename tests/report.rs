//! Reports: equal bytes for equal input, no panic and no collision for any
//! input, output folders that are whole or absent.

#[path = "report/checks.rs"]
mod checks;
#[path = "report/fixture.rs"]
mod fixture;

use checks::{assert_balanced, assert_readable};
use proptest::prelude::*;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use tokenmill::report::{self, Facts, Mark};
use tokenmill::scenario::parse;
use tokenmill::study::{
    self, Band, Cdf, FrontierPoint, PoolSeries, Series, Summary, UseCaseSeries,
};

fn facts() -> Facts {
    Facts {
        arguments: vec!["tokenmill".into(), "run".into()],
        started_at: "2026-11-21T20:00:00Z".into(),
        wall_s: 3.2,
        cpu_s: 6.1,
        simulated_calls: 700_000,
        threads: 2,
    }
}

fn write(dir: &Path, summary: &Summary, series: &Series) -> PathBuf {
    let facts = facts();
    let outputs = report::run(summary, series, fixture::SCENARIO);
    report::write(dir, &outputs, &facts).expect("the folder can be written")
}

/// Every file below `dir` with its bytes, sorted by path.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let bytes = fs::read(&path).expect("a file");
                    found.push((path.strip_prefix(dir).expect("below").to_path_buf(), bytes));
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn equal_input_gives_equal_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let (summary, series) = (fixture::summary(), fixture::series());
    let first = write(&temp.path().join("a"), &summary, &series);
    let second = write(&temp.path().join("b/c"), &summary, &series);
    let names: Vec<PathBuf> = files(&first).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "charts/latency.png",
        "charts/latency.svg",
        "charts/load.png",
        "charts/load.svg",
        "charts/throughput.png",
        "charts/throughput.svg",
        "manifest.json",
        "report.html",
        "scenario.toml",
        "series.json",
        "summary.json",
    ];
    assert_eq!(names, expected.map(PathBuf::from));
    assert!(files(&first) == files(&second));
}

/// Each agent of each use case has a plot of its own; of those beyond six it is told
/// that they are in the tables. What is drawn are means, without intervals.
#[test]
fn the_paths_of_all_agents_are_drawn() {
    let use_case = |name: &str| {
        format!(
            "[[use_case]]\nname = \"{name}\"\nagent = \"an-agent-that-asks-others-for-help\"\n\
             arrivals = {{ process = \"closed-loop\", clients = 2, requests = 20 }}\n"
        )
    };
    let names = ["a", "a-use-case-with-quite-a-long-name-too", "c", "d"];
    let drawn = |count: usize| {
        let text = format!(
            "name = \"s\"\nreplications = 2\n[[pool]]\nname = \"p\"\nmodel = \"llama-3.1-8b\"\n\
             hardware = \"h100-sxm\"\n{}[[agent]]\nname = \"an-agent-that-asks-others-for-help\"\n\
             context = {{ message_tokens = 900 }}\nturns = {{ count = 3, output_tokens = 40 }}\n\
             children = {{ probability = 0.5, fan_out = [1], agent = \"helper\", summary_tokens = 9 \
             }}\n[[agent]]\nname = \"helper\"\ncontext = {{ message_tokens = 50 }}\nturns = {{ count = \
             2, output_tokens = 30 }}\n",
            names[..count].iter().map(|name| use_case(name)).collect::<String>()
        );
        let scenario = parse(&text, "s.toml", Path::new(""), &Default::default()).unwrap().scenario;
        let found = study::replicate(&scenario, false, |_| {});
        let charts = report::charts(&found.summary, &found.series);
        let path = charts.into_iter().find(|chart| chart.name == "path").expect("agents have run");
        assert_readable(&path.drawing);
        path.drawing.texts().map(|text| text.text.clone()).collect::<Vec<String>>()
    };
    let texts = drawn(2);
    let all = texts.join("\n");
    assert_eq!(texts.iter().filter(|text| *text == "helper").count(), 2, "{all}");
    for name in &names[..2] {
        assert_eq!(all.matches(&format!("in {name}, ")).count(), 2, "{all}");
    }
    assert!(all.contains("Means over 2 replications."), "{all}");
    assert!(!all.contains("confidence") && !all.contains("more agents"), "{all}");
    // Only what occurs has a name.
    assert!(all.contains("decode") && !all.contains("pauses") && !all.contains("tools"), "{all}");
    assert!(drawn(4).join("\n").contains("2 more agents are in the tables."));
}

#[test]
fn summary_and_series_survive_json() {
    let (summary, series) = (fixture::unstable_summary(), fixture::unstable_series());
    let text = serde_json::to_string(&summary).unwrap() + &serde_json::to_string(&series).unwrap();
    let mut values = serde_json::Deserializer::from_str(&text);
    let summary_again = Summary::deserialize(&mut values).unwrap();
    let series_again = Series::deserialize(&mut values).unwrap();
    let page = |summary, series| report::html(summary, series, fixture::SCENARIO);
    assert!(page(&summary, &series) == page(&summary_again, &series_again));
    assert_eq!(
        text,
        serde_json::to_string(&summary_again).unwrap()
            + &serde_json::to_string(&series_again).unwrap()
    );
}

#[test]
fn an_existing_folder_keeps_strangers_and_gets_the_new_run() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("out");
    fs::create_dir_all(dir.join("charts")).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    fs::write(dir.join("summary.json"), "old").unwrap();
    fs::write(dir.join("charts/load.png"), "old").unwrap();
    let (summary, series) = (fixture::unstable_summary(), Series::default());
    write(&dir, &summary, &series);
    let fresh = write(&temp.path().join("fresh"), &summary, &series);
    let mut kept = files(&dir);
    let stranger = kept.iter().position(|(name, _)| name == Path::new("notes.txt")).unwrap();
    assert_eq!(kept.remove(stranger).1, b"mine");
    assert!(kept == files(&fresh));
}

#[test]
fn a_file_in_the_way_is_an_error_that_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "mine").unwrap();
    let (summary, series, facts) = (fixture::summary(), fixture::series(), facts());
    let outputs = report::run(&summary, &series, "");
    for dir in [file.clone(), file.join("below")] {
        let problem = report::write(&dir, &outputs, &facts).unwrap_err();
        assert_eq!(problem.exit_code(), 1);
        assert!(problem.to_string().contains("--out"), "{problem}");
        assert!(report::ensure_writable(&dir).is_err());
    }
    assert_eq!(files(temp.path()), [(PathBuf::from("file"), b"mine".to_vec())]);
    report::ensure_writable(&temp.path().join("new/folder")).unwrap();
    assert_eq!(files(temp.path()).len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_for_pictures_too() {
    let drawing = &report::charts(&fixture::summary(), &fixture::series())[0].drawing;
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("chart.png");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    assert!(report::png(drawing, &path).is_err());
}

#[test]
fn default_folders_name_scenario_seed_and_digest() {
    let mut summary = fixture::summary();
    summary.scenario = "../a b".into();
    let series = fixture::series();
    let dir =
        report::default_dir(Path::new("outputs"), &report::run(&summary, &series, "").identity);
    assert_eq!(dir, Path::new("outputs/a-b/7-5f0c2a9b"));
}

#[test]
fn warnings_lead_and_unstable_figures_are_withheld() {
    let summary = fixture::unstable_summary();
    let text = report::terminal(&summary);
    assert!(text.starts_with("WARNING pool batch is unstable"), "{text}");
    assert!(text.contains("1.62 ± 0.02 calls/s"), "{text}");
    let latency = text.split("Latency of batch-summaries").nth(1).unwrap();
    let ttft = latency.lines().find(|line| line.starts_with("TTFT")).unwrap();
    assert_eq!(ttft.split_whitespace().filter(|&word| word == "withheld").count(), 5);
    let page = report::html(&summary, &fixture::unstable_series(), fixture::SCENARIO);
    let warning = page.find("pool batch is unstable").unwrap();
    assert!(warning < page.find("first token").unwrap());
}

#[test]
fn quantiles_from_a_histogram_are_said_to_be() {
    let mut summary = fixture::summary();
    assert!(!report::terminal(&summary).contains("histogram"));
    summary.use_cases["chat"].itl_s.method = "histogram".into();
    let text = report::terminal(&summary);
    assert!(text.contains("note  Of chat, these have too many values to keep"), "{text}");
    assert!(text.contains("within 0.4 %: ITL."), "{text}");
}

#[test]
fn terminal_text_keeps_within_100_columns() {
    let mut summary = fixture::summary();
    let (use_case, pool) = (summary.use_cases[0].clone(), summary.pools[0].clone());
    for i in 0..10 {
        summary.use_cases.insert(format!("a-rather-long-use-case-{i}"), use_case.clone());
        summary.pools.insert(format!("pool-{i}"), pool.clone());
    }
    summary.notes.push("word ".repeat(80));
    let text = report::terminal(&summary);
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!((80..=100).contains(&widest), "{widest}");
    assert!((0..10).all(|i| text.contains(&format!("a-rather-long-use-case-{i}"))));
}

#[test]
fn pages_are_well_formed_and_fetch_nothing() {
    let mut summary = fixture::unstable_summary();
    summary.scenario = "<script>alert(\"1\")</script> & co".into();
    let page = report::html(&summary, &fixture::crowded_series(12), fixture::SCENARIO);
    assert_balanced(&page);
    assert!(!page.contains("<script") && !page.contains("<b>not"));
    assert!(page.contains("default-src 'none'"));
    let fetched = ["src=\"", "http-equiv=\"refresh", "@import", "url(http"];
    assert!(fetched.iter().all(|what| !page.contains(what)));
}

#[test]
fn texts_of_plausible_and_crowded_charts_do_not_collide() {
    let summary = fixture::summary();
    for series in [
        fixture::series(),
        fixture::unstable_series(),
        fixture::crowded_series(12),
        fixture::crowded_series(30),
        Series::default(),
    ] {
        report::charts(&summary, &series).iter().for_each(|chart| assert_readable(&chart.drawing));
    }
}

#[test]
fn a_single_value_is_a_dot() {
    let mut series = fixture::series();
    let one = |value: f64| Band { mean: vec![value], low: vec![value], high: vec![value] };
    series.use_cases.truncate(1);
    series.use_cases[0] = UseCaseSeries {
        ttft_s: Cdf { fraction: vec![0.5], value: one(0.2) },
        ..UseCaseSeries::default()
    };
    series.pools.truncate(1);
    series.pools[0] = PoolSeries { t_s: vec![3.0], running: one(0.0), ..PoolSeries::default() };
    let dots = report::charts(&fixture::summary(), &series).into_iter().map(|chart| {
        assert_readable(&chart.drawing);
        chart.drawing.marks.iter().filter(|mark| matches!(mark, Mark::Dot { .. })).count()
    });
    assert_eq!(dots.collect::<Vec<_>>(), [1, 1, 0]);
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-6.0..4.0f64).prop_map(|exponent| 10f64.powf(exponent)),
        2 => Just(0.0),
        1 => Just(-1.0),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(1e-300)],
    ]
}

fn band() -> impl Strategy<Value = Band> {
    let values = || prop::collection::vec(value(), 0..12);
    (values(), values(), values()).prop_map(|(mean, low, high)| Band { mean, low, high })
}

fn cdf() -> impl Strategy<Value = Cdf> {
    let fractions = prop::collection::vec(0.0..=1.0f64, 0..12);
    (fractions, band()).prop_map(|(fraction, value)| Cdf { fraction, value })
}

fn points() -> impl Strategy<Value = Vec<FrontierPoint>> {
    let point = (value(), value(), value()).prop_map(|(concurrency, user, gpu)| FrontierPoint {
        concurrency,
        tok_per_s_per_user: user,
        output_tok_per_s_per_gpu: gpu,
    });
    prop::collection::vec(point, 0..12)
}

fn any_series() -> impl Strategy<Value = Series> {
    let visible = prop_oneof![Just(Cdf::default()), cdf()];
    let use_case = (cdf(), visible, cdf(), cdf(), cdf(), cdf()).prop_map(|cdfs| {
        let (ttft_s, visible_ttft_s, tpot_s, itl_s, e2e_s, queue_s) = cdfs;
        UseCaseSeries { ttft_s, visible_ttft_s, tpot_s, itl_s, e2e_s, queue_s }
    });
    let times = prop::collection::vec(value(), 0..12);
    let pool = (times, band(), band(), band(), points(), points()).prop_map(
        |(t_s, running, waiting, kv_use, frontier, operating)| PoolSeries {
            t_s,
            running,
            waiting,
            kv_use,
            frontier,
            operating,
        },
    );
    let name = "\\PC{0,30}";
    (prop::collection::hash_map(name, use_case, 0..4), prop::collection::hash_map(name, pool, 0..4))
        .prop_map(|(use_cases, pools)| Series {
            use_cases: use_cases.into_iter().collect(),
            pools: pools.into_iter().collect(),
            horizon: None,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_series_gives_readable_charts(series in any_series()) {
        for chart in report::charts(&fixture::summary(), &series) {
            assert_readable(&chart.drawing);
            report::svg(&chart.drawing);
        }
    }
}

/// Leaves pages for the eye in the build folder's `tmp`:
/// `cargo test --test report -- --ignored`.
#[test]
#[ignore = "for the eye"]
fn pages_for_the_eye() {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    let stable = write(&base.join("stable"), &fixture::summary(), &fixture::series());
    write(&base.join("unstable"), &fixture::unstable_summary(), &fixture::unstable_series());
    write(&base.join("crowded"), &fixture::summary(), &fixture::crowded_series(14));
    write(&base.join("empty"), &fixture::summary(), &Series::default());
    assert!(stable.join("report.html").is_file());
}
