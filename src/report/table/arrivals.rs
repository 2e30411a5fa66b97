//! The figures of an episode while calls were arriving, where the last answer comes
//! long after.

use super::{Row, Table, cell};
use crate::report::figure::Measure;
use crate::statistics::Interval;
use crate::study::{PoolArrivals, PoolSummary, Summary, has_drain};
use std::borrow::Cow;

/// A column a pool; empty where the drain is short.
pub fn table(summary: &Summary) -> Table {
    let is_told = has_drain(summary.arrivals_s, summary.drain_s);
    let all: Vec<&PoolSummary> = summary.pools.values().filter(|_| is_told).collect();
    let row = |name, measure, value: fn(&PoolArrivals) -> Option<&Interval>| {
        let value = |pool: &&PoolSummary| pool.arrivals.as_ref().and_then(value).copied();
        let cells =
            all.iter().map(|pool| cell(value(pool).as_ref(), measure, pool.stable == Some(true)));
        let row = Row { name: Cow::Borrowed(name), cells: cells.collect() };
        all.iter().any(|pool| value(pool).is_some()).then_some(row)
    };
    let (tok, usd) = (Measure::Plain("tok/s"), Measure::Dollars);
    let rows = [
        row("utilization", Measure::Fraction, |p| p.utilization.as_ref()),
        row("calls finished", Measure::Plain("/s"), |p| p.finished_calls_per_s.as_ref()),
        row("output per GPU", tok, |p| p.output_tok_per_s_per_gpu.as_ref()),
        row("input per GPU", tok, |p| p.input_tok_per_s_per_gpu.as_ref()),
        row("output per user", tok, |p| p.tok_per_s_per_user.as_ref()),
        row("$/Mtok of output", usd, |p| p.usd_per_mtok.output.as_ref()),
        row("$/Mtok of computed input", usd, |p| p.usd_per_mtok.input.as_ref()),
        row("$/Mtok of cached input", usd, |p| p.usd_per_mtok.cached_input.as_ref()),
        row("$/Mtok of all tokens", usd, |p| p.usd_per_mtok.total.as_ref()),
        row("tokens/s per MW, in + out", Measure::Plain(""), |p| p.tok_per_s_per_mw.as_ref()),
    ];
    Table {
        caption: "While calls arrive".into(),
        columns: if is_told { summary.pools.keys().cloned().collect() } else { Vec::new() },
        rows: rows.into_iter().flatten().collect(),
    }
}
