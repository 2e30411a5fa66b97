//! The tables of a summary, once for every place that shows them.
//!
//! Terminal and HTML differ in dress only; which rows there are, what they are
//! called and what an absent figure reads like is decided here.

pub mod agents;
mod arrivals;

use super::figure::{Figure, Measure, grouped};
use super::regions;
use super::story;
use super::windows;
use crate::statistics::Interval;
use crate::study::{
    JobsSummary, Latency, PoolSummary, SessionsSummary, Summary, TierSummary, UseCaseSummary,
};
use std::borrow::Cow;
use std::ops::Range;

/// A table: one caption, named columns, named rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Heads of the columns, the column of row names left out.
    pub columns: Vec<String>,
    /// The rows; each has a cell for every column.
    pub rows: Vec<Row>,
}

/// A row of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its cells.
    pub cells: Vec<String>,
}

impl Row {
    /// The same row with only some of its columns.
    pub fn columns(&self, columns: Range<usize>) -> Row {
        Row { name: self.name.clone(), cells: self.cells[columns].to_vec() }
    }
}

/// What stands where nothing was measured.
pub const ABSENT: &str = "–";
/// What stands where an unstable load has no steady-state figure.
pub const WITHHELD: &str = "withheld";

/// All tables of a summary, in reading order.
pub fn tables(summary: &Summary) -> Vec<Table> {
    let mut tables: Vec<Table> = summary
        .use_cases
        .iter()
        .map(|(name, use_case)| latencies(name, use_case, is_stable(summary, use_case)))
        .collect();
    tables.extend(windows::tables(summary));
    for (name, use_case) in &summary.use_cases {
        let stable = is_stable(summary, use_case);
        if let Some((agent, runs)) = use_case.agents.first() {
            tables.push(agents::runs(name, use_case, stable));
            tables.push(agents::path(name, agent, runs, stable));
        }
    }
    tables.push(use_cases(summary));
    tables.extend(
        summary
            .use_cases
            .iter()
            .map(|(name, use_case)| regions::seen(name, use_case, is_stable(summary, use_case))),
    );
    tables.extend(summary.use_cases.iter().map(|(name, use_case)| regions::served(name, use_case)));
    tables.push(pools(summary));
    tables.push(arrivals::table(summary));
    // HBM alone has nothing to show that the pool has not.
    let tiered = summary.pools.iter().filter(|(_, pool)| pool.tiers.len() > 1);
    tables.extend(tiered.map(|(name, pool)| tiers(name, pool)));
    tables.push(agents::tool_pools(summary));
    tables.push(factory(summary));
    tables.retain(|table| !table.rows.is_empty() && !table.columns.is_empty());
    tables
}

/// Whether the pools that serve `use_case` are known to sustain their load.
pub fn is_stable(summary: &Summary, use_case: &UseCaseSummary) -> bool {
    pools_of(summary, use_case).all(|(_, pool)| pool.stable == Some(true))
}

/// The pools that serve `use_case`.
pub fn pools_of<'s>(
    summary: &'s Summary,
    use_case: &'s UseCaseSummary,
) -> impl Iterator<Item = (&'s str, &'s PoolSummary)> {
    use_case.pool.split(", ").filter_map(|name| Some((name, summary.pools.get(name)?)))
}

/// Whether its TTFT has parts beside queue and prefill.
fn has_parts(use_case: &UseCaseSummary) -> bool {
    use_case.fetch_s.is_some() || use_case.network_s.is_some()
}

fn latencies(name: &str, use_case: &UseCaseSummary, stable: bool) -> Table {
    let row = |name, latency: &Latency| Row {
        name: Cow::Borrowed(name),
        cells: [&latency.mean, &latency.p50, &latency.p90, &latency.p95, &latency.p99]
            .into_iter()
            .map(|interval| cell(interval.as_ref(), Measure::Seconds, stable))
            .collect(),
    };
    Table {
        caption: format!("Latency of {name}"),
        columns: ["mean", "p50", "p90", "p95", "p99"].map(String::from).to_vec(),
        rows: [
            Some(row("TTFT", &use_case.ttft_s)),
            use_case.visible_ttft_s.as_ref().map(|latency| row("visible TTFT", latency)),
            Some(row("TPOT", &use_case.tpot_s)),
            Some(row("ITL", &use_case.itl_s)),
            Some(row("end to end", &use_case.e2e_s)),
            Some(row("queue wait", &use_case.queue_s)),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn use_cases(summary: &Summary) -> Table {
    let all: Vec<&UseCaseSummary> = summary.use_cases.values().collect();
    let count = |name, value: fn(&UseCaseSummary) -> u64| Row {
        name: Cow::Borrowed(name),
        cells: all.iter().map(|u| grouped(value(u) as f64, 0)).collect(),
    };
    let row = |name, measure, value: fn(&UseCaseSummary) -> Option<&Interval>| {
        let cells = all.iter().map(|u| cell(value(u), measure, is_stable(summary, u))).collect();
        all.iter().any(|u| value(u).is_some()).then_some(Row { name: Cow::Borrowed(name), cells })
    };
    // A single call's figure is too small to read.
    let thousand = |name, measure, value: fn(&UseCaseSummary) -> Option<Interval>| {
        let cells = all.iter().map(|u| {
            let scaled = value(u).map(|i| times(1000.0, i));
            cell(scaled.as_ref(), measure, is_stable(summary, u))
        });
        let cells = cells.collect();
        all.iter().any(|u| value(u).is_some()).then_some(Row { name: Cow::Borrowed(name), cells })
    };
    let slo = all.iter().any(|u| u.slo_met.is_some()).then(|| Row {
        name: Cow::Borrowed("SLO"),
        cells: all.iter().map(|u| slo_cell(u.slo_met, is_stable(summary, u))).collect(),
    });
    let aborted = |sessions: &SessionsSummary| grouped(sessions.aborted as f64, 0);
    let aborted =
        all.iter().any(|u| u.sessions.as_ref().is_some_and(|s| s.aborted > 0)).then(|| Row {
            name: Cow::Borrowed("sessions ended early"),
            cells: all
                .iter()
                .map(|u| u.sessions.as_ref().map_or(ABSENT.to_string(), aborted))
                .collect(),
        });
    let tokens = Measure::Plain("tok");
    let jobs = |name, value: fn(&JobsSummary) -> u64| {
        let shown = |jobs: &JobsSummary| grouped(value(jobs) as f64, 0);
        let cells = all.iter().map(|u| u.jobs.as_ref().map_or(ABSENT.to_string(), shown));
        let row = Row { name: Cow::Borrowed(name), cells: cells.collect() };
        all.iter().any(|u| u.jobs.is_some()).then_some(row)
    };
    let rows = [
        Some(Row {
            name: Cow::Borrowed("pool"),
            cells: all.iter().map(|u| u.pool.clone()).collect(),
        }),
        Some(count("calls measured", |u| u.calls)),
        all.iter().any(|u| u.rejected > 0).then(|| count("calls rejected", |u| u.rejected)),
        all.iter().any(|u| u.given_up > 0).then(|| count("calls given up", |u| u.given_up)),
        all.iter().any(|u| u.called_off > 0).then(|| count("calls called off", |u| u.called_off)),
        row("calls finished", Measure::Plain("/s"), |u| u.calls_per_s.as_ref()),
        row("sessions begun", Measure::Plain("/s"), |u| u.sessions.as_ref()?.began_per_s.as_ref()),
        row("turns of a session", Measure::Plain(""), |u| u.sessions.as_ref()?.turns_mean.as_ref()),
        aborted,
        jobs("jobs released", |jobs| jobs.released),
        jobs("jobs done on time", |jobs| jobs.on_time),
        jobs("jobs late", |jobs| jobs.late),
        row("job, release to end", Measure::Seconds, |u| u.jobs.as_ref()?.makespan_s.mean.as_ref()),
        row("job, lateness", Measure::Seconds, |u| u.jobs.as_ref()?.lateness_s.mean.as_ref()),
        row("prompt per call", Measure::Plain("tok"), |u| u.prompt_tokens_mean.as_ref()),
        row("prompt from cache", Measure::Fraction, |u| u.cache_hit_fraction.as_ref()),
        row("TTFT: network, mean", Measure::Seconds, |u| u.network_s.as_ref()?.mean.as_ref()),
        row("TTFT: queue, mean", Measure::Seconds, |u| {
            has_parts(u).then_some(u.queue_s.mean.as_ref())?
        }),
        row("TTFT: fetch, mean", Measure::Seconds, |u| u.fetch_s.as_ref()?.mean.as_ref()),
        row("TTFT: prefill, mean", Measure::Seconds, |u| {
            has_parts(u).then_some(u.prefill_s.mean.as_ref())?
        }),
        row("output per call", Measure::Plain("tok"), |u| u.output_tokens_mean.as_ref()),
        row("calls that think", Measure::Fraction, |u| {
            u.thinking.as_ref()?.calls_fraction.as_ref()
        }),
        row("thinking of those, mean", tokens, |u| u.thinking.as_ref()?.tokens_mean.as_ref()),
        row("thinking of those, p99", tokens, |u| u.thinking.as_ref()?.tokens_p99.as_ref()),
        row("thinking of those, most", tokens, |u| u.thinking.as_ref()?.tokens_max.as_ref()),
        row("calls cut by the budget", Measure::Fraction, |u| {
            u.thinking.as_ref()?.cut_fraction.as_ref()
        }),
        row("thinking in the output", Measure::Fraction, |u| {
            u.thinking.as_ref()?.output_fraction.as_ref()
        }),
        slo,
        row("goodput, share", Measure::Fraction, |u| u.goodput_fraction.as_ref()),
        row("goodput", Measure::Plain("/s"), |u| u.goodput_calls_per_s.as_ref()),
        thousand("preemptions in 1,000 calls", Measure::Plain(""), |u| u.preemptions_per_call),
        thousand("cost of 1,000 calls", Measure::Dollars, |u| u.usd_per_call),
    ];
    Table {
        caption: "Use cases".into(),
        columns: summary.use_cases.keys().cloned().collect(),
        rows: rows.into_iter().flatten().collect(),
    }
}

/// What stands beside the load of a pool that is not known to sustain it.
fn verdict(pool: &PoolSummary) -> Option<&'static str> {
    match pool.stable {
        Some(true) => None,
        Some(false) => Some("UNSTABLE"),
        None => Some("NOT KNOWN"),
    }
}

fn pools(summary: &Summary) -> Table {
    let all: Vec<&PoolSummary> = summary.pools.values().collect();
    let count = |name, value: fn(&PoolSummary) -> u64| Row {
        name: Cow::Borrowed(name),
        cells: all.iter().map(|p| grouped(value(p) as f64, 0)).collect(),
    };
    let row = |name, measure, value: fn(&PoolSummary) -> Option<&Interval>| {
        let cells = all.iter().map(|p| cell(value(p), measure, p.stable == Some(true))).collect();
        all.iter().any(|p| value(p).is_some()).then_some(Row { name: Cow::Borrowed(name), cells })
    };
    let load = |p: &&PoolSummary| {
        let share = story::load(p).map(|share| Figure::exact(share, Measure::Fraction).plain());
        match (share, verdict(p)) {
            (Some(share), None) => share,
            (Some(share), Some(verdict)) => format!("{share}, {verdict}"),
            (None, None) => ABSENT.to_string(),
            (None, Some(verdict)) => verdict.to_owned(),
        }
    };
    let capacity = Row {
        name: Cow::Borrowed("capacity, estimated"),
        cells: all
            .iter()
            .map(|p| match p.capacity_calls_per_s {
                Some(rate) => Figure::exact(rate, Measure::Plain("calls/s")).plain(),
                None => ABSENT.to_string(),
            })
            .collect(),
    };
    let sustainable = all.iter().any(|p| p.sustainable_calls_per_s.is_some()).then(|| Row {
        name: Cow::Borrowed("sustainable load"),
        cells: all
            .iter()
            .map(|p| cell(p.sustainable_calls_per_s.as_ref(), Measure::Plain("calls/s"), true))
            .collect(),
    });
    let tok = Measure::Plain("tok/s");
    let usd = Measure::Dollars;
    let rows = [
        Some(count("GPUs", |p| u64::from(p.gpus))),
        Some(count("replicas", |p| u64::from(p.replicas))),
        Some(count("KV blocks per rank", |p| p.kv_blocks)),
        Some(Row { name: Cow::Borrowed("load"), cells: all.iter().map(load).collect() }),
        Some(capacity),
        sustainable,
        row("utilization", Measure::Fraction, |p| p.utilization.as_ref()),
        row("sequences running", Measure::Plain(""), |p| p.running_mean.as_ref()),
        row("calls waiting", Measure::Plain(""), |p| p.waiting_mean.as_ref()),
        row("KV cache in use", Measure::Fraction, |p| p.kv_use_mean.as_ref()),
        row("KV cache, peak", Measure::Fraction, |p| p.kv_use_peak.as_ref()),
        row("preemptions", Measure::Plain("/s"), |p| p.preemptions_per_s.as_ref()),
        row("output per GPU", tok, |p| p.output_tok_per_s_per_gpu.as_ref()),
        row("input per GPU", tok, |p| p.input_tok_per_s_per_gpu.as_ref()),
        row("output per user", tok, |p| p.tok_per_s_per_user.as_ref()),
        row("prompt from cache", Measure::Fraction, |p| p.cache_hit_fraction.as_ref()),
        row("input computed per GPU", tok, |p| p.computed_tok_per_s_per_gpu.as_ref()),
        row("of it again, after preemption", tok, |p| {
            p.recomputed_tok_per_s_per_gpu.as_ref().filter(|again| again.mean > 0.0)
        }),
        row("saved by the cache, per hour", usd, |p| p.cache_saved_usd_per_hour.as_ref()),
        row("idle GPUs, per hour", usd, |p| p.usd_per_hour.idle.as_ref()),
        row("$/Mtok of output", usd, |p| p.usd_per_mtok.output.as_ref()),
        row("$/Mtok of computed input", usd, |p| p.usd_per_mtok.input.as_ref()),
        row("$/Mtok of cached input", usd, |p| p.usd_per_mtok.cached_input.as_ref()),
        row("$/Mtok of all tokens", usd, |p| p.usd_per_mtok.total.as_ref()),
        row("tokens/s per MW, in + out", Measure::Plain(""), |p| p.tok_per_s_per_mw.as_ref()),
    ];
    Table {
        caption: "Pools".into(),
        columns: summary.pools.keys().cloned().collect(),
        rows: rows.into_iter().flatten().collect(),
    }
}

/// HBM and the tiers below it.
fn tiers(name: &str, pool: &PoolSummary) -> Table {
    let all: Vec<&TierSummary> = pool.tiers.values().collect();
    let row = |name, measure, factor, value: fn(&TierSummary) -> Option<Interval>| {
        let shown = |tier: &&TierSummary| {
            let scaled = value(tier).map(|interval| times(factor, interval));
            cell(scaled.as_ref(), measure, true)
        };
        let is_there = all.iter().any(|tier| value(tier).is_some());
        is_there.then(|| Row { name: Cow::Borrowed(name), cells: all.iter().map(shown).collect() })
    };
    let gb = Measure::Plain("GB");
    let rate = Measure::Plain("GB/s");
    let (share, usd) = (Measure::Fraction, Measure::Dollars);
    let capacity = |tier: &&TierSummary| Figure::exact(tier.capacity_bytes / 1e9, gb).plain();
    let rows = [
        Some(Row { name: Cow::Borrowed("capacity"), cells: all.iter().map(capacity).collect() }),
        row("prompt from it", share, 1.0, |tier| tier.hit_fraction),
        row("tokens from it", Measure::Plain("tok/s"), 1.0, |tier| tier.hit_tok_per_s),
        row("KV blocks from it", Measure::Plain("/s"), 1.0, |tier| tier.hit_blocks_per_s),
        row("read", rate, 1e-9, |tier| tier.read_bytes_per_s),
        row("written", rate, 1e-9, |tier| tier.written_bytes_per_s),
        row("links busy reading", share, 1.0, |tier| tier.read_utilization),
        row("links busy writing", share, 1.0, |tier| tier.write_utilization),
        row("saved per hour (estimate)", usd, 1.0, |tier| tier.saved_usd_per_hour),
        row("cost per hour", usd, 1.0, |tier| tier.usd_per_hour.map(Interval::constant)),
        row("saved less cost, per hour", usd, 1.0, |tier| tier.net_usd_per_hour),
    ];
    Table {
        caption: format!("Memory of {name}"),
        columns: pool.tiers.keys().cloned().collect(),
        rows: rows.into_iter().flatten().collect(),
    }
}

fn factory(summary: &Summary) -> Table {
    let total = &summary.total;
    let row = |name, measure, interval: Option<&Interval>| {
        interval
            .map(|i| Row { name: Cow::Borrowed(name), cells: vec![cell(Some(i), measure, true)] })
    };
    let rows = [
        row("cost per hour", Measure::Dollars, total.usd_per_hour.as_ref()),
        row("facility power, mean (estimate)", Measure::Megawatts, total.mean_mw.as_ref()),
        row("facility power, provisioned", Measure::Megawatts, total.peak_mw.as_ref()),
    ];
    Table {
        caption: "Factory".into(),
        columns: vec!["all pools".into()],
        rows: rows.into_iter().flatten().collect(),
    }
}

fn times(factor: f64, interval: Interval) -> Interval {
    let Interval { mean, low, high } = interval;
    Interval {
        mean: mean * factor,
        low: low.map(|low| low * factor),
        high: high.map(|high| high * factor),
    }
}

pub(super) fn cell(interval: Option<&Interval>, measure: Measure, stable: bool) -> String {
    match interval {
        Some(interval) => Figure::of(interval, measure).plus_minus(),
        None if stable => ABSENT.into(),
        None => WITHHELD.into(),
    }
}

fn slo_cell(met: Option<bool>, stable: bool) -> String {
    match met {
        Some(true) => "kept".into(),
        Some(false) => "MISSED".into(),
        None if stable => ABSENT.into(),
        None => WITHHELD.into(),
    }
}
