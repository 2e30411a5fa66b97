//! The summary in sentences: what a newcomer should read first.
//!
//! Warnings lead; then one sentence for each use case and each pool, with the
//! figures a decision hangs on. Terminal and HTML share them.

use super::figure::{Figure, Measure, grouped};
use super::table::is_stable;
use crate::statistics::Interval;
use crate::study::{PoolSummary, Precision, Summary, UseCaseSummary, has_drain};

/// What figures rest on: how replications ended, the run's own notes, and which
/// quantiles are not exact.
pub fn notes(summary: &Summary) -> Vec<String> {
    let metrics = |u: &UseCaseSummary| {
        let all = [
            ("TTFT", Some(&u.ttft_s)),
            ("visible TTFT", u.visible_ttft_s.as_ref()),
            ("TPOT", Some(&u.tpot_s)),
            ("ITL", Some(&u.itl_s)),
            ("end to end", Some(&u.e2e_s)),
            ("queue wait", Some(&u.queue_s)),
        ];
        let rough = all
            .iter()
            .filter_map(|&(name, latency)| Some((name, latency?)))
            .filter(|(_, latency)| latency.mean.is_some() && latency.method == "histogram");
        rough.map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    };
    let of = |(name, use_case)| match metrics(use_case) {
        rough if rough.is_empty() => None,
        rough => Some(format!(
            "Of {name}, these have too many values to keep (a value a token, or more than a million \
             calls), so their quantiles come from a histogram and are within 0.4 %: {rough}."
        )),
    };
    let stopping = summary.precision.as_ref().map(|it| stopping(it, summary.replications));
    let rough = summary.use_cases.iter().filter_map(of);
    stopping.into_iter().chain(summary.notes.iter().cloned()).chain(rough).collect()
}

/// What was simulated: "12 replications of 1.00 h in steady state, after ...".
pub fn setting(summary: &Summary) -> String {
    let Summary { replications, measured_s, ref regime, warm_up_s, .. } = *summary;
    let Some(horizon) = &summary.horizon else {
        let setting = setting_of(replications, measured_s, regime, warm_up_s);
        return setting + &drain(summary);
    };
    let length = unbroken(Figure::exact(horizon.length_s, Measure::Seconds).plain());
    let windows = match horizon.windows {
        1 => format!("a window of {length}"),
        n => format!("{} windows of {length}", grouped(n as f64, 0)),
    };
    let of = unbroken(Figure::exact(horizon.horizon_s, Measure::Seconds).plain());
    let warm_up = match warm_up_s {
        0.0 => String::new(),
        s => format!(
            ", each after a warm-up of {}",
            unbroken(Figure::exact(s, Measure::Seconds).plain())
        ),
    };
    format!("{} of {windows} out of {of}{warm_up}", count(replications))
}

/// How long calls arrived and how long the last answer came after that, where that is
/// not soon.
fn drain(summary: &Summary) -> String {
    let Summary { arrivals_s, drain_s, .. } = *summary;
    if !has_drain(arrivals_s, drain_s) {
        return String::new();
    }
    let seconds =
        |s: Option<f64>| unbroken(Figure::exact(s.unwrap_or_default(), Measure::Seconds).plain());
    format!(", arrivals {}, drain {}", seconds(arrivals_s), seconds(drain_s))
}

/// [`setting`] from its parts.
pub fn setting_of(replications: u32, measured_s: f64, regime: &str, warm_up_s: f64) -> String {
    let count = count(replications);
    let span = unbroken(Figure::exact(measured_s, Measure::Seconds).plain());
    let regime = match regime {
        "steady" => " in steady state",
        "terminating" => ", measured whole",
        _ => "",
    };
    let warm_up = if warm_up_s > 0.0 {
        let span = unbroken(Figure::exact(warm_up_s, Measure::Seconds).plain());
        format!(", after a warm-up of {span}")
    } else {
        String::new()
    };
    format!("{count} of {span}{regime}{warm_up}")
}

fn count(replications: u32) -> String {
    match replications {
        1 => "1 replication".into(),
        n => format!("{} replications", grouped(f64::from(n), 0)),
    }
}

/// What intervals are taken over: "32 replications", "20 sections of one
/// replication"; `None` for a single value.
pub fn sample(replications: u32, sections: u32) -> Option<String> {
    match (replications, sections) {
        (1, 1) => None,
        (_, 1) => Some(format!("{replications} replications")),
        (1, _) => Some(format!("{sections} sections of one replication")),
        _ => Some(format!("{} sections of {replications} replications", replications * sections)),
    }
}

/// How replications were found to be enough, or not.
pub fn stopping(precision: &Precision, replications: u32) -> String {
    let target = Figure::exact(precision.target, Measure::Fraction).plain();
    let figures = match precision.figures.len() {
        1 => "one figure".to_owned(),
        count => format!("{count} figures"),
    };
    let outcome = match precision.is_met {
        true => format!("{replications} were enough"),
        false => format!("{replications} were not enough"),
    };
    format!(
        "Replications ran in waves until {figures} had a 95 % confidence of being within {target} \
         of the truth: {outcome}."
    )
}

/// A sentence or two on one use case.
pub fn use_case(summary: &Summary, use_case: &UseCaseSummary) -> String {
    if !is_stable(summary, use_case) && use_case.ttft_s.p95.is_none() {
        return format!(
            "more calls arrive than pool {} can serve, so there is no steady latency to report.",
            use_case.pool
        );
    }
    if use_case.calls == 0 {
        return "no call finished within the time measured.".into();
    }
    let mut parts = Vec::new();
    if let Some(rate) = &use_case.calls_per_s {
        parts.push(format!("at {}", unbroken(Figure::of(rate, Measure::Plain("calls/s")).plain())));
    }
    if let Some(p95) = &use_case.ttft_s.p95 {
        parts.push(format!("95 of 100 calls see their first token within {}", with_range(p95)));
    }
    if let Some(p95) = use_case.visible_ttft_s.as_ref().and_then(|latency| latency.p95.as_ref()) {
        let p95 = with_range(p95);
        parts.push(format!("and the first that is not thinking within {p95}"));
    }
    if let Some(gap) = &use_case.itl_s.mean {
        parts.push(format!("a further token follows every {}", seconds(gap)));
    }
    if let Some(e2e) = &use_case.e2e_s.p50 {
        parts.push(format!("half of the answers are complete after {}", seconds(e2e)));
    }
    if parts.is_empty() {
        return "nothing was measured.".into();
    }
    let mut text = format!("{}.", parts.join(", "));
    if let Some(good) = &use_case.goodput_fraction {
        let share = unbroken(Figure::of(good, Measure::Fraction).plain());
        text += &format!(" {share} of the calls keep every latency promise");
        text += match use_case.slo_met {
            Some(true) => "; the SLO is kept.",
            Some(false) => "; the SLO is MISSED.",
            None => ".",
        };
    }
    text
}

/// A sentence on one pool.
pub fn pool(pool: &PoolSummary) -> String {
    let gpus = match pool.gpus {
        1 => "1 GPU".into(),
        n => format!("{} GPUs", grouped(f64::from(n), 0)),
    };
    let mut parts = vec![gpus];
    if !pool.stable {
        parts.push("overloaded".into());
    }
    if let Some(share) = load(pool) {
        parts.push(format!(
            "loaded to about {} of the {} it could finish",
            unbroken(Figure::exact(share, Measure::Fraction).plain()),
            unbroken(calls_per_s(pool.capacity_calls_per_s.unwrap_or_default())),
        ));
    }
    if let Some(rate) = &pool.output_tok_per_s_per_gpu {
        let rate = Figure::of(rate, Measure::Plain("output tokens/s")).plain();
        parts.push(format!("{rate} per GPU"));
    }
    if let Some(usd) = &pool.usd_per_mtok.total {
        let usd = Figure::of(usd, Measure::Dollars);
        let range = usd.range().map(|range| format!(" ({range})")).unwrap_or_default();
        parts.push(format!("{}{range} per million tokens, input and output together", usd.plain()));
    }
    format!("{}.", parts.join(", "))
}

/// Open arrivals over capacity at the measured hit rate.
pub fn load(pool: &PoolSummary) -> Option<f64> {
    pool.load
}

fn calls_per_s(rate: f64) -> String {
    Figure::exact(rate, Measure::Plain("calls/s")).plain()
}

fn seconds(interval: &Interval) -> String {
    unbroken(Figure::of(interval, Measure::Seconds).plain())
}

fn with_range(interval: &Interval) -> String {
    let figure = Figure::of(interval, Measure::Seconds);
    match figure.range() {
        Some(range) => format!("{} ({range})", unbroken(figure.plain())),
        None => unbroken(figure.plain()),
    }
}

/// A figure that no line break separates from its unit.
pub fn unbroken(figure: String) -> String {
    figure.replace(' ', "\u{a0}")
}
