//! The tables of a use case whose users are told apart by region.

use super::figure::{Measure, grouped};
use super::table::{Row, Table, cell};
use crate::study::{RegionSummary, UseCaseSummary};
use std::borrow::Cow;

/// What users in each region see.
pub fn seen(name: &str, use_case: &UseCaseSummary, stable: bool) -> Table {
    let row = |(region, summary): (&String, &RegionSummary)| {
        let of = |interval, measure| cell(interval, measure, stable);
        let network = summary.network_s.as_ref().and_then(|network| network.mean.as_ref());
        let (ttft, e2e) = (&summary.ttft_s, &summary.e2e_s);
        let cells = vec![
            grouped(summary.calls as f64, 0),
            of(network, Measure::Seconds),
            of(ttft.mean.as_ref(), Measure::Seconds),
            of(ttft.p95.as_ref(), Measure::Seconds),
            of(e2e.mean.as_ref(), Measure::Seconds),
            of(e2e.p95.as_ref(), Measure::Seconds),
            of(summary.goodput_fraction.as_ref(), Measure::Fraction),
        ];
        Row { name: Cow::Owned(region.clone()), cells }
    };
    let columns =
        ["calls", "network", "TTFT mean", "TTFT p95", "end to end mean", "end to end p95", "good"];
    Table {
        caption: format!("Users of {name}"),
        columns: columns.map(String::from).to_vec(),
        rows: use_case.regions.iter().map(row).collect(),
    }
}

/// The pools that served them.
pub fn served(name: &str, use_case: &UseCaseSummary) -> Table {
    let row = |(region, summary): (&String, &RegionSummary)| {
        let shares = summary.served_fraction.values();
        let cells = shares.map(|share| cell(share.as_ref(), Measure::Fraction, true)).collect();
        Row { name: Cow::Owned(region.clone()), cells }
    };
    let first = use_case.regions.values().next();
    Table {
        caption: format!("{name} is served by"),
        columns: first.map_or(Vec::new(), |first| first.served_fraction.keys().cloned().collect()),
        rows: use_case.regions.iter().map(row).collect(),
    }
}
