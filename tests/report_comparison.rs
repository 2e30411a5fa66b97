//! Reports of comparisons: readable for one arm or many, one use case or
//! several, whatever the figures are.

#[path = "report/checks.rs"]
mod checks;

use checks::{assert_balanced, assert_readable};
use indexmap::IndexMap;
use proptest::prelude::*;
use std::path::Path;
use tokenmill::report::{self, Artifact, Drawing, Facts, Mark};
use tokenmill::statistics::Interval;
use tokenmill::study::{ArmSummary, Comparison, Difference};

const USE_CASE: [&str; 7] = [
    "ttft_s.p50",
    "ttft_s.p95",
    "ttft_s.p99",
    "tpot_s.p95",
    "e2e_s.p95",
    "goodput_fraction",
    "usd_per_call",
];
const POOL: [&str; 3] = ["output_tok_per_s_per_gpu", "usd_per_mtok.total", "kv_use_mean"];

/// A figure whose baseline is 1, changed by `change` give or take `half`.
fn figure(change: f64, half: f64) -> Difference {
    let around = |mean: f64| Interval { mean, low: Some(mean - half), high: Some(mean + half) };
    Difference {
        value: around(1.0 + change),
        difference: Some(around(change)),
        relative: Some(change),
        variance_reduction: Some(12.0),
    }
}

fn paths(use_cases: usize) -> Vec<String> {
    let of = |owner: String, keys: &[&str]| -> Vec<String> {
        keys.iter().map(|key| format!("{owner}.{key}")).collect()
    };
    let mut paths: Vec<String> = (0..use_cases)
        .flat_map(|i| of(format!("use_cases.a-use-case-with-a-long.name-{i}"), &USE_CASE))
        .collect();
    paths.extend(of("pools.assistant".to_owned(), &POOL));
    paths
}

/// A comparison of `arms` arms; `change` tells what arm and figure make of 1.
fn comparison(
    arms: usize,
    use_cases: usize,
    change: impl Fn(usize, usize) -> (f64, f64),
) -> Comparison {
    let paths = paths(use_cases);
    let arm = |arm: usize| {
        let figures = paths.iter().enumerate().map(|(at, path)| {
            let (by, half) = if arm == 0 { (0.0, 0.01) } else { change(arm, at) };
            (path.clone(), figure(by, half))
        });
        ArmSummary {
            precision: None,
            changes: vec![format!("pool.assistant.replicas = {arm}")],
            digest: "0".repeat(16),
            unstable_pools: Vec::new(),
            unknown_pools: IndexMap::new(),
            overloaded_windows: Vec::new(),
            withheld: Vec::new(),
            figures: figures.collect(),
        }
    };
    let name = |arm: usize| match arm {
        0 => "baseline".to_owned(),
        arm => format!("an-arm-with-quite-a-long-name-{arm}"),
    };
    Comparison {
        schema: 1,
        scenario: "<what> & if".into(),
        version: "0.1.0".into(),
        seed: 7,
        replications: 12,
        sections: 1,
        digest: "5f0c2a9b11112222".into(),
        regime: "steady".into(),
        warm_up_s: 30.0,
        measured_s: 600.0,
        confidence: 1.0 - 0.05 / arms as f64,
        warnings: Vec::new(),
        arms: (0..=arms).map(|at| (name(at), arm(at))).collect::<IndexMap<_, _>>(),
    }
}

fn plausible(arms: usize, use_cases: usize) -> Comparison {
    comparison(arms, use_cases, |arm, at| {
        let change = ((arm * 7 + at * 3) % 11) as f64 / 10.0 - 0.4;
        (change, 0.02 * (at + 1) as f64)
    })
}

fn forest(comparison: &Comparison) -> Drawing {
    let outputs = report::comparison(comparison, "seed = 7\n");
    let chart = outputs.artifacts.into_iter().find_map(|artifact| match artifact {
        Artifact::Chart(chart) => Some(chart.drawing),
        Artifact::Text(..) | Artifact::Made(..) => None,
    });
    chart.expect("a comparison has a chart")
}

fn dots(drawing: &Drawing) -> usize {
    drawing.marks.iter().filter(|mark| matches!(mark, Mark::Dot { .. })).count()
}

#[test]
fn forests_of_any_size_are_readable_and_show_every_arm() {
    for (arms, use_cases) in [(1, 1), (4, 1), (6, 5), (1, 5)] {
        let drawing = forest(&plausible(arms, use_cases));
        assert_readable(&drawing);
        assert_eq!(dots(&drawing), arms * (4 * use_cases + 2), "{arms} arms");
    }
    // Colours come again with a hollow dot; beyond twelve arms are counted.
    assert_eq!(dots(&forest(&plausible(8, 1))), 6 * (8 + 2));
    let crowded = forest(&plausible(20, 30));
    assert_readable(&crowded);
    assert!(crowded.texts().any(|text| text.text.contains("and 8 more, not drawn")));
    assert!(crowded.texts().any(|text| text.text.contains("62 more rows are not drawn")));
}

#[test]
fn figures_that_are_withheld_are_named_in_place_of_a_number() {
    let mut overloaded = plausible(1, 1);
    let arm = overloaded.arms.values_mut().last().unwrap();
    arm.unstable_pools.push("assistant".into());
    arm.withheld = arm.figures.keys().filter(|path| path.contains("_s.")).cloned().collect();
    arm.figures.retain(|path, _| !path.contains("_s."));
    let text = report::comparison_terminal(&overloaded);
    let ttft = text.lines().find(|line| line.starts_with("TTFT p95")).unwrap();
    assert!(ttft.contains("1.00 s") && ttft.contains("withheld"), "{ttft}");
    assert!(text.contains("It overloads pool assistant"), "{text}");
    let drawing = forest(&overloaded);
    assert_readable(&drawing);
    assert!(drawing.texts().any(|text| text.text == "assistant unstable"));
}

#[test]
fn verdicts_know_which_way_is_good() {
    let slower = comparison(1, 1, |_, _| (0.2, 0.05));
    let text = report::comparison_terminal(&slower);
    let judged = |name: &str, verdict: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        assert!(lines.any(|line| line.contains(verdict)), "{name} {verdict}: {text}");
    };
    judged("TTFT p95", "worse");
    judged("goodput share", "better");
    judged("output per GPU", "better");
    judged("$/Mtok", "worse");
    judged("KV cache in use", "differs");
    let unclear = report::comparison_terminal(&comparison(1, 1, |_, _| (0.02, 0.05)));
    assert!(unclear.contains("No clear change in 10 of 10 headline figures."), "{unclear}");
}

#[test]
fn pages_are_well_formed_and_text_keeps_within_100_columns() {
    let mut comparison = plausible(3, 5);
    comparison.warnings.push("arm <b>x</b>: pool assistant is unstable at this load".into());
    let page = report::comparison_html(&comparison, "name = \"<x>\"\n");
    assert_balanced(&page);
    assert!(!page.contains("<b>") && !page.contains("<x>") && !page.contains("<script"));
    assert!(page.contains("tokenmill compare scenario.toml --seed 7 --replications 12"));
    assert!(page.find("is unstable at this load") < page.find("<svg"));
    let text = report::comparison_terminal(&comparison);
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!((60..=100).contains(&widest), "{widest}");
}

#[test]
fn one_replication_has_no_intervals_to_show() {
    let mut single = plausible(2, 1);
    single.replications = 1;
    for figure in single.arms.values_mut().flat_map(|arm| arm.figures.values_mut()) {
        for interval in std::iter::once(&mut figure.value).chain(&mut figure.difference) {
            (interval.low, interval.high) = (None, None);
        }
        figure.variance_reduction = None;
    }
    let text = report::comparison_terminal(&single);
    assert!(!text.contains('±') && !text.contains("better"), "{text}");
    assert_readable(&forest(&single));
}

fn change() -> impl Strategy<Value = (f64, f64)> {
    let size = prop_oneof![
        4 => -0.9..3.0f64,
        1 => -1e-4..1e-4f64,
        1 => prop_oneof![Just(0.0), Just(-1.0), Just(1e6), Just(-3.0), Just(f64::MAX)],
    ];
    (size, prop_oneof![Just(0.0), 0.0..0.5f64, Just(1e9)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_differences_give_readable_reports(
        changes in prop::collection::vec(change(), 60),
        arms in 1_usize..5,
        use_cases in 0_usize..3,
    ) {
        let comparison = comparison(arms, use_cases, |arm, at| changes[(arm * 13 + at) % 60]);
        assert_readable(&forest(&comparison));
        report::comparison_terminal(&comparison);
    }
}

/// Leaves pages for the eye in the build folder's `tmp`:
/// `cargo test --test report_comparison -- --ignored`.
#[test]
#[ignore = "for the eye"]
fn pages_for_the_eye() {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("comparison");
    for (arms, use_cases) in [(1, 1), (8, 5), (14, 2)] {
        let outputs = report::comparison(&plausible(arms, use_cases), "seed = 7\n");
        let dir = base.join(format!("{arms}-arms-{use_cases}-use-cases"));
        report::write(&dir, &outputs, &Facts::default()).expect("the folder can be written");
    }
}
