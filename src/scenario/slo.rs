//! What users were promised.

/// Latency promises, in seconds; a call that keeps all of them is *good*.
#[derive(Clone, Debug, Default)]
pub struct Slo {
    /// One promise each, e.g. "p95 of TTFT at most 0.8 s".
    pub targets: Vec<Target>,
}

/// One promise on one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its key, `ttft_p95`.
    pub key: String,
    /// The metric bounded from above.
    pub metric: Metric,
    /// The statistic that is promised.
    pub statistic: Statistic,
    /// The bound in seconds (for `interactivity_min`: its inverse, on TPOT).
    pub bound_s: f64,
}

/// Latency metrics of a call, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Time to first token: arrival to the end of the step that samples it.
    Ttft,
    /// Arrival to the first token after thinking; the TTFT of a call that does not think.
    VisibleTtft,
    /// Time per output token after the first: (last - first) / (outputs - 1).
    Tpot,
    /// Inter-token latency: the gap before each token after the first.
    Itl,
    /// Arrival to last token.
    E2e,
    /// Arrival to first scheduling.
    Queue,
}

/// The statistic of a metric that a promise bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The quantile at this fraction.
    Quantile(f64),
}
