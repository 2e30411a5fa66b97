//! A plausible result without a simulation: two use cases, two pools, twelve
//! replications.

use tokenmill::statistics::Interval;
use tokenmill::study::{
    Band, Cdf, FrontierPoint, Latency, PoolSeries, PoolSummary, Series, Summary, TotalSummary,
    UsdPerHour, UsdPerMtok, UseCaseSeries, UseCaseSummary,
};

/// The scenario the figures pretend to come from.
pub const SCENARIO: &str = "name = \"holiday-peak\"\nseed = 7\n\n[[pool]]\nname = \"assistant\" \
                            # <b>not markup</b> & not an entity\nmodel = \"llama-3.1-70b\"\n";

fn interval(mean: f64, relative: f64) -> Option<Interval> {
    let half = mean * relative;
    Some(Interval { mean, low: Some(mean - half), high: Some(mean + half) })
}

/// A lognormal-like quantile: the logistic stands in for the normal.
fn quantile(median: f64, sigma: f64, fraction: f64) -> f64 {
    median * (sigma * (fraction / (1.0 - fraction)).ln() / 1.702).exp()
}

fn latency(median: f64, sigma: f64) -> Latency {
    let at = |fraction| interval(quantile(median, sigma, fraction), 0.02 + 0.08 * fraction);
    Latency {
        mean: interval(median * (sigma * sigma / 2.0).exp(), 0.04),
        p50: at(0.5),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        method: "exact".into(),
    }
}

fn nothing() -> Latency {
    Latency { mean: None, p50: None, p90: None, p95: None, p99: None, method: "exact".into() }
}

fn use_case(pool: &str, rate: f64, slowness: f64) -> UseCaseSummary {
    UseCaseSummary {
        agents: Default::default(),
        pool: pool.into(),
        calls: (rate * 3600.0 * 12.0) as u64,
        rejected: 0,
        given_up: 0,
        called_off: 0,
        calls_per_s: interval(rate, 0.012),
        prompt_tokens_mean: interval(1210.0 * slowness, 0.01),
        cache_hit_fraction: interval(0.0, 0.0),
        tiers: Default::default(),
        output_tokens_mean: interval(248.0 * slowness, 0.008),
        thinking: None,
        sessions: None,
        ttft_s: latency(0.118 * slowness, 0.5),
        visible_ttft_s: None,
        tpot_s: latency(0.021 * slowness, 0.2),
        itl_s: latency(0.0195 * slowness, 0.4),
        e2e_s: latency(5.2 * slowness, 0.7),
        queue_s: latency(0.0021 * slowness, 1.6),
        fetch_s: None,
        network_s: None,
        jobs: None,
        regions: Default::default(),
        prefill_s: tokenmill::study::Mean { mean: None },
        preemptions_per_call: interval(0.0034, 0.3),
        goodput_fraction: interval(0.973, 0.004),
        goodput_calls_per_s: interval(rate * 0.973, 0.012),
        slo_met: Some(true),
        usd_per_hour: interval(9.4, 0.02),
        usd_per_call: interval(0.00043 * slowness, 0.02),
        usage_usd_per_call: interval(0.00031 * slowness, 0.02),
        arrivals: None,
    }
}

fn pool(gpus: u32, output: f64) -> PoolSummary {
    PoolSummary {
        gpus,
        replicas: gpus / 4,
        kv_blocks: 48_211,
        stable: Some(true),
        doubt: None,
        sustainable_calls_per_s: None,
        offered_calls_per_s: Some(0.011 * output),
        capacity_calls_per_s: Some(0.016 * output),
        utilization: interval(0.713, 0.02),
        running_mean: interval(86.0, 0.05),
        waiting_mean: interval(0.31, 0.4),
        kv_use_mean: interval(0.41, 0.05),
        kv_use_peak: interval(0.88, 0.06),
        preemptions_per_s: interval(0.047, 0.3),
        output_tok_per_s_per_gpu: interval(output, 0.01),
        input_tok_per_s_per_gpu: interval(output * 4.9, 0.012),
        tok_per_s_per_user: interval(47.3, 0.015),
        cache_hit_fraction: interval(0.0, 0.0),
        computed_tok_per_s_per_gpu: interval(output * 4.9, 0.012),
        recomputed_tok_per_s_per_gpu: interval(output * 0.003, 0.3),
        cache_saved_usd_per_hour: interval(0.0, 0.0),
        tiers: Default::default(),
        usd_per_mtok: UsdPerMtok {
            input: interval(0.38, 0.02),
            cached_input: None,
            output: interval(1.86, 0.02),
            total: interval(0.314, 0.02),
        },
        usd_per_hour: UsdPerHour {
            input: interval(3.9, 0.02),
            cached_input: interval(0.0, 0.0),
            output: interval(6.1, 0.02),
            idle: interval(4.04, 0.03),
            total: interval(14.04, 0.0),
        },
        tok_per_s_per_mw: interval(1_512_000.0, 0.01),
        arrivals: None,
    }
}

/// A stable result.
pub fn summary() -> Summary {
    Summary {
        tool_pools: Default::default(),
        schema: 1,
        scenario: "holiday-peak".into(),
        version: "0.1.0".into(),
        seed: 7,
        replications: 12,
        sections: 1,
        precision: None,
        digest: "5f0c2a9be1d34478".into(),
        regime: "steady".into(),
        warm_up_s: 310.0,
        measured_s: 3600.0,
        arrivals_s: None,
        drain_s: None,
        warnings: vec![],
        notes: vec![
            "Step times of h200-sxm are fitted to measurements; median error 4 %.".into(),
            "No total cost of ownership is published for rtx-pro-6000; the lowest cloud price, \
             $1.49 a GPU-hour, stands in. <estimate>"
                .into(),
        ],
        use_cases: [
            ("chat".to_string(), use_case("assistant", 14.0, 1.0)),
            ("batch-summaries".to_string(), use_case("batch", 2.1, 3.4)),
        ]
        .into(),
        pools: [("assistant".to_string(), pool(16, 217.0)), ("batch".to_string(), pool(4, 1241.0))]
            .into(),
        total: TotalSummary {
            usd_per_hour: interval(47.2, 0.0),
            mean_mw: interval(0.0171, 0.01),
            peak_mw: interval(0.0236, 0.0),
        },
        horizon: None,
        windows: Vec::new(),
    }
}

/// The same factory with one pool overloaded.
pub fn unstable_summary() -> Summary {
    let mut summary = summary();
    summary.warnings = vec![
        "pool batch is unstable at this load: its latencies are withheld.".into(),
        "3 lines of the trace were skipped.".into(),
    ];
    let pool = summary.pools.get_mut("batch").expect("a pool of the fixture");
    pool.stable = Some(false);
    pool.sustainable_calls_per_s = interval(1.62, 0.01);
    pool.utilization = interval(1.0, 0.0);
    pool.running_mean = None;
    pool.waiting_mean = None;
    pool.usd_per_mtok.total = None;
    let use_case = summary.use_cases.get_mut("batch-summaries").expect("a use case");
    for latency in [
        &mut use_case.ttft_s,
        &mut use_case.tpot_s,
        &mut use_case.itl_s,
        &mut use_case.e2e_s,
        &mut use_case.queue_s,
    ] {
        *latency = nothing();
    }
    use_case.goodput_fraction = None;
    use_case.slo_met = Some(false);
    summary
}

/// Fractions as a study might sample them: denser towards the tail.
fn fractions() -> Vec<f64> {
    let body = (1..=98).map(|percent| f64::from(percent) / 100.0);
    body.chain([0.985, 0.99, 0.995, 0.998, 0.999]).collect()
}

fn band(mean: Vec<f64>, relative: impl Fn(usize) -> f64) -> Band {
    let edge =
        |sign: f64| mean.iter().enumerate().map(|(i, v)| v * (1.0 + sign * relative(i))).collect();
    Band { low: edge(-1.0), high: edge(1.0), mean }
}

fn cdf(median: f64, sigma: f64) -> Cdf {
    let fraction = fractions();
    let mean = fraction.iter().map(|&f| quantile(median, sigma, f)).collect();
    let value = band(mean, |i| 0.03 + 0.12 * fraction[i] * fraction[i]);
    Cdf { fraction, value }
}

/// Distributions of a use case, `slowness` times as slow as a chat.
pub fn use_case_series(slowness: f64) -> UseCaseSeries {
    UseCaseSeries {
        visible_ttft_s: Default::default(),
        ttft_s: cdf(0.118 * slowness, 0.5),
        tpot_s: cdf(0.021 * slowness, 0.2),
        itl_s: cdf(0.0195 * slowness, 0.4),
        e2e_s: cdf(5.2 * slowness, 0.7),
        queue_s: cdf(0.0021 * slowness, 1.6),
    }
}

/// A number in -1..=1 that looks random and is the same everywhere.
fn wobble(i: usize, salt: u64) -> f64 {
    let word = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ salt << 17);
    ((word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / 2f64.powi(52) - 1.0
}

/// Curves of a pool of `scale` times a chat pool's size; `growth` fills its queue.
pub fn pool_series(scale: f64, growth: f64) -> PoolSeries {
    let t_s: Vec<f64> = (0..=260).map(|i| f64::from(i) * 15.0).collect();
    let load = |i: usize| {
        let filling = 1.0 - (-(i as f64) / 12.0).exp();
        filling * (1.0 + 0.2 * (i as f64 / 31.0).sin() + 0.08 * wobble(i, 3))
    };
    let curve = |of: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..t_s.len()).map(of).collect() };
    let running = curve(&|i| 86.0 * scale * load(i));
    let waiting = curve(&|i| 0.6 * (load(i) - 0.7).max(0.0) + growth * i as f64);
    let kv_use = curve(&|i| (0.41 * load(i) + growth * i as f64 / 40.0).min(1.0));
    let concurrencies = (0..=8).map(|exponent| 2f64.powi(exponent));
    let frontier = concurrencies.map(|concurrency| {
        let user = 118.0 / (scale + concurrency / 40.0);
        FrontierPoint {
            concurrency,
            tok_per_s_per_user: user,
            output_tok_per_s_per_gpu: user * concurrency / 4.0,
        }
    });
    let operating = (0..12).map(|i| FrontierPoint {
        concurrency: 21.0,
        tok_per_s_per_user: 66.0 / scale + 1.5 * wobble(i, 5),
        output_tok_per_s_per_gpu: 330.0 / scale + 9.0 * wobble(i, 6),
    });
    PoolSeries {
        running: band(running, |_| 0.06),
        waiting: band(waiting, |_| 0.35),
        kv_use: band(kv_use, |_| 0.07),
        frontier: frontier.collect(),
        operating: operating.collect(),
        t_s,
    }
}

/// Curves of the stable result.
pub fn series() -> Series {
    Series {
        use_cases: [
            ("chat".to_string(), use_case_series(1.0)),
            ("batch-summaries".to_string(), use_case_series(3.4)),
        ]
        .into(),
        pools: [
            ("assistant".to_string(), pool_series(1.0, 0.0)),
            ("batch".to_string(), pool_series(2.2, 0.0)),
        ]
        .into(),
        horizon: None,
    }
}

/// Curves of the overloaded result: a growing queue, no steady latencies.
pub fn unstable_series() -> Series {
    let mut series = series();
    series.use_cases.insert("batch-summaries".into(), UseCaseSeries::default());
    series.pools.insert("batch".into(), pool_series(2.2, 0.4));
    series
}

/// Curves of many use cases and pools with long and strange names.
pub fn crowded_series(count: usize) -> Series {
    let name = |i: usize| match i % 3 {
        0 => format!("shopping-assistant-with-a-very-long-name-{i}"),
        1 => format!("<use & case> {i}"),
        _ => format!("Ü{i}"),
    };
    let size = |i: usize| 1.3f64.powi(i as i32);
    Series {
        use_cases: (0..count).map(|i| (name(i), use_case_series(size(i)))).collect(),
        pools: (0..count).map(|i| (name(i), pool_series(size(i), 0.0))).collect(),
        horizon: None,
    }
}
