//! Random use cases: what their calls ask for, share and think.

use super::arrivals::{arrivals, trace};
use crate::random::Distribution;
use crate::scenario::{
    Arrivals, Lengths, Segment, Sessions, Slo, Thinking, ThinkingAmount, Thinks, UseCase,
};
use proptest::prelude::*;
use std::sync::Arc;

pub fn tokens(max: f64) -> impl Strategy<Value = Distribution> {
    prop_oneof![
        (1.0..max).prop_map(|tokens| Distribution::constant(tokens.round()).unwrap()),
        (1.0..max).prop_map(move |high| Distribution::uniform(1.0, high + 1.0).unwrap()),
        (0.1..1.5f64).prop_map(move |sigma| Distribution::lognormal(max / 4.0, sigma).unwrap()),
    ]
}

/// Groups few enough to meet again, and segments that end within blocks.
fn prefix() -> impl Strategy<Value = Vec<Segment>> {
    let segment = (tokens(80.0), 1..5u32, prop_oneof![Just(0.0), 0.0..2.0], any::<bool>());
    let segment = segment.prop_map(|(tokens, groups, zipf, has_name)| Segment {
        name: has_name.then(|| "shared".to_owned()),
        owner: 0,
        tokens,
        groups,
        zipf,
    });
    proptest::collection::vec(segment, 0..4)
}

fn sessions() -> impl Strategy<Value = Option<Sessions>> {
    let think = || Distribution::exponential(0.05).unwrap();
    let opening = || Distribution::uniform(1.0, 90.0).unwrap();
    let drawn = (1..5u32, any::<bool>(), any::<bool>());
    let sessions = drawn.prop_map(move |(most, thinks, opens)| Sessions {
        opening: opens.then(opening),
        turns: Distribution::uniform(0.5, f64::from(most) + 0.5).unwrap(),
        think: thinks.then(think),
    });
    proptest::option::of(sessions)
}

/// Calls that think now and then, some up to a token before their end.
fn thinking() -> impl Strategy<Value = Thinking> {
    let amount = prop_oneof![
        tokens(80.0).prop_map(ThinkingAmount::Tokens),
        (0.0..1.2).prop_map(|share| ThinkingAmount::Share(Distribution::constant(share).unwrap())),
        Just(ThinkingAmount::Share(Distribution::uniform(0.0, 1.0).unwrap())),
    ];
    let often = (0.0..=1.0).prop_map(|probability| Thinks::Often { probability });
    let above = (0.0..1.0).prop_map(|threshold| Thinks::Above {
        threshold,
        difficulty: Distribution::uniform(0.0, 1.0).unwrap(),
    });
    let budget = proptest::option::of(0..120u32);
    (prop_oneof![often, above], amount, budget, any::<bool>())
        .prop_map(|(when, amount, budget, is_kept)| Thinking { when, amount, budget, is_kept })
}

/// A use case by itself: its name, its pool and whose prefix it shares come later.
pub fn use_case() -> impl Strategy<Value = UseCase> {
    let drawn = (arrivals(), tokens(400.0), tokens(120.0), sessions());
    let drawn = drawn.prop_map(|(arrivals, prompt, output, session)| {
        (arrivals, Lengths::Drawn { prompt, output }, session)
    });
    let recorded = trace().prop_map(|trace| {
        let arrivals = Arrivals::Trace { trace: Arc::new(trace), time_scale: 1.0 };
        (arrivals, Lengths::Recorded, None)
    });
    let asked = prop_oneof![4 => drawn, 1 => recorded];
    let cache_hit = proptest::option::weighted(0.2, 0.0..=1.0);
    let thinking = proptest::option::of(thinking());
    (asked, thinking, prefix(), cache_hit).prop_map(|(asked, thinking, prefix, cache_hit)| {
        let (arrivals, lengths, session) = asked;
        UseCase {
            name: String::new(),
            pool: 0,
            origins: None,
            arrivals,
            lengths,
            thinking,
            prefix,
            session,
            cache_hit,
            slo: Slo::default(),
            price: None,
        }
    })
}
