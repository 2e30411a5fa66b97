//! How long a call takes in a pool that is as busy as its demand makes it.

use crate::scenario::{Arrivals, Scenario};
use crate::study::Mix;
use crate::study::capacity::steady_step_s;
use crate::workload::agent::Pace;

/// The pace of the pool at index `pool`, in closed form: each step takes what it
/// takes at the least concurrency that serves what is offered, or at the best one
/// where more is offered. Calls that queue take longer.
pub fn pace_of(scenario: &Scenario, pool: usize, mix: &Mix) -> Pace {
    let spec = &scenario.pools[pool];
    let step_s = steady_step_s(spec, mix, clients(scenario, pool));
    let prompt = spec.step_time.prompt_time();
    let computed = (mix.prompt - mix.cached).max(1.0);
    let prefill_s = prompt.seconds(mix.cached as u32, (mix.cached + computed) as u32) / computed;
    Pace { first_s: step_s, prefill_s, decode_s: step_s }
}

/// Clients of closed loops whose calls this pool serves.
fn clients(scenario: &Scenario, pool: usize) -> f64 {
    let use_cases = scenario.use_cases.iter();
    let of = |use_case: &crate::scenario::UseCase| {
        let clients = |arrivals: &Arrivals| match arrivals {
            Arrivals::ClosedLoop { clients, .. } => f64::from(*clients),
            _ => 0.0,
        };
        use_case.expected_at(pool) * use_case.arrivals.parts().map(clients).sum::<f64>()
    };
    use_cases.map(of).sum()
}
