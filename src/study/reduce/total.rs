//! Figures of the whole factory, and what all figures rest on.

use crate::economics::{AVERAGE_POWER_SHARE, facility_watts, tier_usd_per_second, usd_per_second};
use crate::scenario::{Offload, Pool, Scenario};
use crate::statistics::Interval;
use crate::study::TotalSummary;

/// Cost and power of all pools; absent where one pool's is unknown.
pub fn summary(scenario: &Scenario) -> TotalSummary {
    let pools = &scenario.pools;
    let sum = |value: fn(&Pool) -> Option<f64>| pools.iter().map(value).sum::<Option<f64>>();
    let peak_mw = sum(facility_watts).map(|watts| watts / 1e6);
    TotalSummary {
        usd_per_hour: sum(usd_per_second).map(|usd| Interval::constant(usd * 3600.0)),
        // An estimate, not a sample: it has no interval.
        mean_mw: peak_mw.map(|peak| Interval {
            mean: peak * AVERAGE_POWER_SHARE,
            low: None,
            high: None,
        }),
        peak_mw: peak_mw.map(Interval::constant),
    }
}

/// Estimates and conventions behind the figures.
pub fn notes(scenario: &Scenario, replications: usize) -> Vec<String> {
    let mut notes: Vec<String> = scenario.pools.iter().flat_map(pool_notes).collect();
    if !scenario.is_random() {
        notes
            .push("nothing in this scenario is random: one run gives the exact answer".to_string());
    } else if replications == 1 && scenario.sections == 1 {
        notes.push("one replication cannot tell the spread: figures have no interval".to_string());
    }
    if scenario.pools.iter().all(|pool| facility_watts(pool).is_some()) {
        notes.push(format!(
            "mean power is estimated as {AVERAGE_POWER_SHARE} of provisioned power (published: 0.5 \
             to 0.9), whatever the load"
        ));
    }
    if scenario.use_cases.iter().any(|use_case| use_case.price.is_some()) {
        notes.push("prices are kept for later versions: this one reports cost only".to_owned());
    }
    notes
}

fn pool_notes(pool: &Pool) -> Vec<String> {
    let hardware = &pool.hardware;
    let mut notes = Vec::new();
    match pool.gpu_hour.usd {
        Some(usd) => {
            let label = if pool.gpu_hour.is_estimate { ", an estimate" } else { "" };
            let origin = &pool.gpu_hour.origin;
            notes.push(format!("pool {}: ${usd} per GPU-hour ({origin}{label})", pool.name));
        }
        None => notes.push(format!(
            "pool {}: no price is known for {}; set price_per_gpu_hour to get dollars",
            pool.name, hardware.name
        )),
    }
    notes.extend(pool.offload.iter().map(|offload| tier_note(pool, offload)));
    notes.extend(pool.caveats().into_iter().map(|caveat| format!("pool {}: {caveat}", pool.name)));
    notes
}

/// What a tier adds to the cost of its pool.
fn tier_note(pool: &Pool, offload: &Offload) -> String {
    let (name, tier) = (&pool.name, &offload.tier);
    let gb = offload.bytes_for(pool) / 1e9;
    match (tier.price, tier_usd_per_second(pool, offload)) {
        (Some(price), Some(usd)) => format!(
            "pool {name}: {gb:.0} GB of {} at ${} per GB over {} years add ${:.2} an hour to the \
             price of its GPUs; savings of a tier are marginal prefill time, an estimate (an arm \
             without it tells the difference it makes)",
            tier.name,
            price.usd_per_gb,
            price.years,
            usd * 3600.0
        ),
        _ => format!(
            "pool {name}: {gb:.0} GB of {} add nothing to the cost: no price is known; savings of \
             a tier are marginal prefill time, an estimate",
            tier.name
        ),
    }
}
