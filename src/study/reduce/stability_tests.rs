//! Each reason to doubt a steady state, by itself and just below its bound.

use super::{Evidence, Hits, Offered, Stability};
use crate::metrics::CutOff;
use crate::scenario::Regime;
use crate::statistics::Trend;

/// A run of an hour after half an hour, with an even load.
const EVEN: Evidence = Evidence {
    warm_up_s: 1_800.0,
    window_s: 3_600.0,
    arrived: 3_600,
    finished: 3_600,
    growth: 0,
    sessions: [0, 0],
    left_over: None,
    trend: Some(Trend { slope: 0.0, walk_per_s: 0.01, window_s: 3_600.0 }),
    is_of_windows: false,
    needs_s: None,
    offered: None,
    capacity: None,
    hits: None,
};

/// The reason to doubt runs of these; `None`: they are stable.
fn doubt(runs: &[Evidence]) -> Option<String> {
    let verdict = Stability::from(Regime::Steady, runs);
    assert_eq!(verdict.is_stable, verdict.doubt.is_none(), "{verdict:?}");
    verdict.doubt.map(|doubt| doubt.text())
}

#[test]
fn an_even_load_is_stable() {
    assert_eq!(doubt(&[EVEN; 3]), None);
    assert_eq!(Stability::from(Regime::Steady, &[EVEN; 3]).known(), Some(true));
}

#[test]
fn a_warm_up_that_sessions_need_is_asked_for() {
    let short = Evidence { needs_s: Some(7_200.0), ..EVEN };
    let text = doubt(&[EVEN, short]).unwrap();
    assert!(text.contains("warm_up = \"120 min\" and duration = \"4 h\""), "{text}");
    let text = doubt(&[Evidence { is_of_windows: true, ..short }]).unwrap();
    assert!(text.contains("windows.warm_up = \"120 min\""), "{text}");
    // Windows of an episode may begin too late, too.
    let verdict = Stability::from(Regime::Terminating, &[short]);
    assert_eq!(verdict.known(), None);
}

#[test]
fn missing_calls_are_held_to_what_is_offered() {
    let offered = |calls_per_s, variance_per_s| Evidence {
        offered: Some(Offered { calls_per_s, variance_per_s, variance_of_rate: 0.0 }),
        ..EVEN
    };
    // 3,600 calls in 3,600 s; with one replication the error is 1/60 for plain calls.
    assert_eq!(doubt(&[offered(1.05, 1.0)]), None);
    assert!(doubt(&[offered(1.07, 1.0)]).unwrap().contains("1.000 calls/s arrive where 1.070"));
    // Sessions of sixty calls spread more: 3.5 x 0.13 are no accident yet.
    assert_eq!(doubt(&[offered(1.4, 60.0)]), None);
    assert!(doubt(&[offered(1.5, 60.0)]).is_some());
    // A rate that is known to 0.03 calls/s is not missed by 0.1.
    let rough = Offered { calls_per_s: 1.1, variance_per_s: 1.0, variance_of_rate: 9e-4 };
    assert_eq!(doubt(&[Evidence { offered: Some(rough), ..EVEN }]), None);
    // More calls than expected are no sessions to come.
    assert_eq!(doubt(&[offered(0.5, 1.0)]), None);
}

#[test]
fn an_excess_that_the_run_cannot_show_is_not_known() {
    let trend = |slope, walk_per_s| Some(Trend { slope, walk_per_s, window_s: 3_600.0 });
    let busy =
        |offered, capacity, trend| Evidence { capacity: Some([offered, capacity]), trend, ..EVEN };
    // Errors: sqrt(1.2 x 0.01 / 3,600) = 0.0018 and, with a walk of 20, 0.08 calls/s.
    assert_eq!(doubt(&[busy(1.0, 1.1, trend(0.0, 20.0))]), None);
    assert_eq!(doubt(&[busy(1.1, 1.0, trend(0.0, 0.01))]), None);
    let text = doubt(&[busy(1.1, 1.0, trend(0.0, 20.0))]).unwrap();
    assert!(text.contains("1.100 calls/s are offered, about 1.000 can be finished"), "{text}");
    assert!(doubt(&[busy(1.1, 1.0, None)]).is_some());
    // A run that was idle at times speaks against it.
    assert_eq!(doubt(&[busy(1.1, 1.0, None), EVEN]), None);
}

#[test]
fn growth_that_is_no_accident_is_told() {
    let grown = |growth| Evidence { growth, ..EVEN };
    assert_eq!(doubt(&[grown(60), grown(70), grown(80)]), None);
    assert!(doubt(&[grown(90), grown(100), grown(110)]).unwrap().contains("2.8 %"));
    assert_eq!(doubt(&[grown(-300), grown(100), grown(500)]), None, "an accident");
    assert_eq!(doubt(&[grown(100); 2]), None, "too few to tell");
}

#[test]
fn sessions_that_do_not_end_are_told() {
    let sessions = |ended| Evidence { sessions: [1_000, ended], ..EVEN };
    assert_eq!(doubt(&[sessions(985), sessions(984), sessions(983)]), None);
    let text = doubt(&[sessions(975), sessions(974), sessions(973)]).unwrap();
    assert!(text.contains("2.6 % more sessions began"), "{text}");
    assert_eq!(doubt(&[sessions(900), sessions(1_000), sessions(1_010)]), None);
}

#[test]
fn halves_with_different_hit_rates_are_told() {
    let half = |first, second| Evidence { hits: Some(Hits { first, second }), ..EVEN };
    let runs = |rise: f64| [0.40, 0.41, 0.42].map(|first| half(first, first + rise));
    assert_eq!(doubt(&runs(0.019)), None);
    assert!(doubt(&runs(0.021)).unwrap().contains("41.0 % of prompt tokens"));
    assert!(doubt(&runs(-0.021)).is_some());
    assert_eq!(doubt(&[half(0.4, 0.44)]), None);
    assert!(doubt(&[half(0.4, 0.46)]).is_some());
    // As likely to fall as to rise.
    assert_eq!(doubt(&[half(0.4, 0.6), half(0.6, 0.4), half(0.5, 0.56)]), None);
}

#[test]
fn calls_left_over_are_never_stable() {
    let left = |why| Evidence { left_over: Some(why), ..EVEN };
    let steady = |why| Stability::from(Regime::Steady, &[EVEN, left(why)]).known();
    assert_eq!([steady(CutOff::Drain), steady(CutOff::Calls)], [Some(false), None]);
    let episode = Stability::from(Regime::Terminating, &[EVEN, left(CutOff::Calls)]);
    assert_eq!(episode.known(), Some(false));
}
