//! Random places: where users are, and who serves them.

use crate::demand::Clock;
use crate::factory::Serve;
use crate::kernel::{Span, TICKS_PER_SECOND, Time};
use crate::scenario::{Arrivals, Origin, Origins};
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

/// A policy, the shares of users, and how far pools are, in ticks of a hundredth of
/// a second.
pub fn places() -> impl Strategy<Value = (Serve, Vec<f64>, u64)> {
    let serve = prop_oneof![
        Just(Serve::Home),
        (0..24u64).prop_map(|hour| Serve::ByClock { hour: hour * 3_600 * TICKS_PER_SECOND }),
        (0.05..1.0).prop_map(|fill| Serve::Overflow { fill }),
    ];
    (serve, proptest::collection::vec(0.1..1.0f64, 1..4), 0..50u64)
}

/// Users of several regions, who may be served in any of the pools, the first of
/// which is at `pool`.
pub fn origins(pool: usize, pools: usize, (serve, shares, far): (Serve, Vec<f64>, u64)) -> Origins {
    let sites: Vec<usize> = (0..pools).map(|at| (pool + at) % pools).collect();
    let sum: f64 = shares.iter().sum();
    let origin = |(at, share): (usize, &f64)| {
        let trip = |site: usize| Span::from_ticks(far * (site + at) as u64 * TICKS_PER_SECOND / 99);
        let mut near: Vec<usize> = (0..sites.len()).collect();
        near.sort_by_key(|&site| trip(site));
        let round_trips = (0..sites.len()).map(trip).collect();
        Origin { region: format!("region-{at}"), share: share / sum, round_trips, near }
    };
    let zones = ["America/New_York", "Europe/Berlin", "Asia/Singapore"].into_iter().cycle();
    let clock = |zone: &str| {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        Clock::new(&zone, Timestamp::UNIX_EPOCH, Time::ZERO + Span::from_seconds(9.0))
    };
    Origins {
        regions: shares.iter().enumerate().map(origin).collect(),
        serve,
        clocks: zones.take(pools).map(clock).collect(),
        expected: vec![1.0 / pools as f64; pools],
        choices: pools,
        pools: sites,
    }
}

/// Users of one place whose calls go to the pool at `pool`, so many ticks away, while
/// agents may ask any pool.
pub fn one_place(pool: usize, pools: usize, ticks: u64) -> Origins {
    let mut origins = Origins::of_one_pool(pool, Span::from_ticks(ticks));
    for other in (1..pools).map(|at| (pool + at) % pools) {
        origins.pools.push(other);
        origins.expected.push(0.0);
        origins.regions[0].round_trips.push(Span::from_ticks(ticks / 3));
    }
    origins
}

/// Arrivals at each region's share of `rate`.
pub fn by_region(rate: f64, origins: &Origins, arrivals: impl Fn(f64) -> Arrivals) -> Arrivals {
    let own = |origin: &Origin| (origin.region.clone(), arrivals(rate * origin.share));
    Arrivals::Regions(origins.regions.iter().map(own).collect())
}
