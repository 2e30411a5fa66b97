//! Latency promises: `ttft_p95 = "800 ms"`.
//!
//! A key names a metric and the statistic promised of it. A metric alone binds
//! every call (the quantile at 1). `interactivity_min` bounds what the median
//! call sees, as serving benchmarks define interactivity: 1 / TPOT.

use super::Check;
use crate::error::Mistake;
use crate::scenario::raw::RawSlo;
use crate::scenario::tree::{At, suggest};
use crate::scenario::units::{Duration, TokenRate, UnitError};
use crate::scenario::{Metric, Slo, Statistic, Target};

const METRICS: [(&str, Metric); 6] = [
    ("ttft", Metric::Ttft),
    ("visible_ttft", Metric::VisibleTtft),
    ("tpot", Metric::Tpot),
    ("itl", Metric::Itl),
    ("e2e", Metric::E2e),
    ("queue", Metric::Queue),
];
const EXAMPLES: [&str; 9] = [
    "ttft_p95",
    "visible_ttft_p95",
    "ttft_mean",
    "tpot_p95",
    "itl_p99",
    "e2e_p90",
    "queue_p95",
    "ttft",
    "interactivity_min",
];

impl Check<'_> {
    pub(super) fn slo(&mut self, at: &At<'_>, raw: &RawSlo) -> Slo {
        let mut targets = Vec::new();
        for (key, text) in &raw.0 {
            match target(&at.key(key), key, text) {
                Ok(target) => targets.push(target),
                Err(mistake) => self.mistakes.push(*mistake),
            }
        }
        Slo { targets }
    }
}

fn target(at: &At<'_>, key: &str, text: &str) -> Result<Target, Box<Mistake>> {
    let wrong = |error: UnitError| Box::new(at.mistake(error.problem, error.fix));
    let positive = |value: f64| {
        if value > 0.0 {
            return Ok(value);
        }
        Err(Box::new(at.mistake("must be more than zero", "write a promise that can be kept")))
    };
    if key == "interactivity_min" {
        let rate = positive(TokenRate::read(text).map_err(wrong)?.value)?;
        let statistic = Statistic::Quantile(0.95);
        let key = key.to_owned();
        return Ok(Target { key, metric: Metric::Tpot, statistic, bound_s: 1.0 / rate });
    }
    let (metric, statistic) = promise(key).ok_or_else(|| {
        let fix = format!(
            "{}; a key is <metric>_p<percentile>, <metric>_mean or <metric> with a \
            metric of ttft, visible_ttft, tpot, itl, e2e, queue",
            suggest(key, EXAMPLES)
        );
        Box::new(at.mistake("unknown key", fix))
    })?;
    let bound_s = positive(Duration::read(text).map_err(wrong)?.value)?;
    Ok(Target { key: key.to_owned(), metric, statistic, bound_s })
}

fn promise(key: &str) -> Option<(Metric, Statistic)> {
    let (metric, statistic) = METRICS.iter().find_map(|&(name, metric)| {
        let statistic = match key.strip_prefix(name)? {
            "" => "p100",
            statistic => statistic.strip_prefix('_')?,
        };
        Some((metric, statistic))
    })?;
    if statistic == "mean" {
        return Some((metric, Statistic::Mean));
    }
    let percent: f64 = statistic.strip_prefix('p')?.parse().ok()?;
    let sensible = percent > 0.0 && percent <= 100.0;
    // Rounded, so that p99.9 is the number 0.999.
    let fraction = (percent * 1e8 / 100.0).round() / 1e8;
    sensible.then_some((metric, Statistic::Quantile(fraction)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_a_metric_and_a_statistic() {
        assert_eq!(promise("ttft_p95"), Some((Metric::Ttft, Statistic::Quantile(0.95))));
        assert_eq!(promise("itl_p99.9"), Some((Metric::Itl, Statistic::Quantile(0.999))));
        assert_eq!(promise("e2e_mean"), Some((Metric::E2e, Statistic::Mean)));
        let visible = Some((Metric::VisibleTtft, Statistic::Quantile(0.5)));
        assert_eq!(promise("visible_ttft_p50"), visible);
        assert_eq!(promise("queue"), Some((Metric::Queue, Statistic::Quantile(1.0))));
        for key in ["ttft_95", "ttft_p0", "ttft_p101", "ttft_pnan", "latency_p95", "ttft_"] {
            assert_eq!(promise(key), None, "{key}");
        }
    }
}
