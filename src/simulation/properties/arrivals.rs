//! Random arrivals: open, in a closed loop, in jobs, recorded.

use super::calls::tokens;
use crate::demand::curve::{Curve, DayPlan, Growth, Shape, days};
use crate::demand::variability::{Crowding, Gaps, Law, Variability};
use crate::kernel::{Span, Time};
use crate::random::Distribution;
use crate::scenario::{Arrivals, Batch, Demand, Releases, Tenants};
use crate::workload::{Trace, TraceCall};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::sync::Arc;

pub fn arrivals() -> impl Strategy<Value = Arrivals> {
    let think = || Distribution::exponential(0.05).unwrap();
    prop_oneof![
        (0.5..200.0).prop_map(|rate| Arrivals::Poisson { rate }),
        (0.5..200.0).prop_map(|rate| Arrivals::Constant { rate }),
        (1..40u32, any::<bool>()).prop_map(move |(clients, thinks)| Arrivals::ClosedLoop {
            clients,
            requests: Some(150),
            think: thinks.then(think),
        }),
        varying().prop_map(|demand| Arrivals::Varying(Arc::new(demand))),
        batch().prop_map(|batch| Arrivals::Batch(Arc::new(batch))),
    ]
}

/// Rates that grow, with bursts, crowds and customers who fall silent.
fn varying() -> impl Strategy<Value = Demand> {
    let growth = prop_oneof![
        Just(Vec::new()),
        prop_oneof![3.0..9.0, -9.0..-1.0f64].prop_map(|seconds| vec![Growth::Doubling { seconds }]),
    ];
    let law = prop_oneof![
        Just(Law::Exponential),
        (0.3..3.0).prop_map(|cv| Law::Gamma { cv }),
        (0.5..2.0).prop_map(|shape| Law::Weibull { shape }),
    ];
    let crowds = proptest::option::of((0.2..1.0f64, 0.5..3.0f64, 0.05..0.3f64));
    let tenants = proptest::option::weighted(
        0.3,
        (1..4u32, proptest::option::of((0.1..1.0f64, 0.1..1.0f64))),
    );
    (0.5..100.0f64, growth, law, crowds, tenants).prop_map(
        |(rate, growth, law, crowds, tenants)| {
            let end = Time::ZERO + Span::from_seconds(6.0);
            let plan = |day| DayPlan { day, factor: 1.0, shape: 0 };
            let days = days(&TimeZone::UTC, Timestamp::UNIX_EPOCH, end).into_iter().map(plan);
            let curve =
                Curve { rate, growth, days: days.collect(), shapes: Arc::new([Shape::FLAT]) };
            let crowding = |(every_s, peak, decay_s)| {
                let peak = Distribution::exponential(peak).unwrap();
                Crowding { every_s, peak, decay_s }
            };
            Demand {
                curve,
                zone: TimeZone::UTC,
                duration: Span::from_seconds(2.0),
                uncertain: Vec::new(),
                variability: Variability { crowds: crowds.map(crowding), ..Variability::default() },
                gaps: Gaps::new(law).unwrap(),
                tenants: tenants.map(|(count, on_off_s)| Tenants { count, zipf: 1.0, on_off_s }),
            }
        },
    )
}

/// Jobs that overlap and yield, are pressed, or never yield.
fn batch() -> impl Strategy<Value = Batch> {
    let span = |low: f64, high: f64| (low..high).prop_map(Span::from_seconds);
    let concurrency = proptest::option::of(1..30u32);
    let rush = proptest::option::of(span(0.0, 1.0));
    (span(0.2, 2.0), tokens(40.0), span(0.1, 3.0), 0.05..1.5f64, concurrency, rush).prop_map(
        |(every, calls, deadline, fill, concurrency, rush)| Batch {
            releases: Releases::Every(every),
            calls,
            deadline,
            fill,
            concurrency,
            rush,
            jobs: 1,
            calls_mean: 1.0,
            calls_per_s: 1.0,
        },
    )
}

/// A recording whose prompts share blocks of `block_tokens` tokens.
pub fn trace() -> impl Strategy<Value = Trace> {
    let ids = proptest::collection::vec(0..3u64, 0..12);
    let call = (0..200_000_000u64, 1..400u32, 1..120u32, ids);
    (proptest::collection::vec(call, 1..120), 1..64u32).prop_map(|(calls, block_tokens)| {
        let mut at = Span::ZERO;
        let call = |(gap, prompt, output, ids): &(u64, u32, u32, Vec<u64>)| {
            at = at + Span::from_ticks(*gap);
            (TraceCall { at, prompt: *prompt, output: *output }, ids.clone())
        };
        let calls: Vec<_> = calls.iter().map(call).collect();
        Trace::of(block_tokens, calls.iter().map(|(call, ids)| (*call, ids.as_slice())))
    })
}
