//! Simulates the use case that an import made, and counts its calls as those of
//! the recording were.

use super::counts::{Counts, Dispersion};
use super::lengths::LengthCounts;
use super::{Again, Imported};
use crate::scenario::{Overrides, Scenario, parse};
use crate::study::Generated;
use std::path::Path;

/// Calls that are simulated at most, and replications.
const CALLS_MAX: f64 = 400_000.0;
const REPLICATIONS_MAX: f64 = 40.0;
/// Least time that is simulated, s, where dispersion is that within hours.
const HOURS_S: f64 = 2.0 * 3_600.0 + 1.0;

/// Fills in what the use case of `imported` comes to; `text` is a scenario of it at
/// one mean rate.
pub fn simulate(imported: &mut Imported, within_hours: bool, text: &str, rate: f64) {
    let Some(length_s) = imported.length_s else { return };
    let fits = (CALLS_MAX / rate).min(length_s);
    let length_s = if within_hours { fits.max(HOURS_S) } else { length_s };
    let replications = (CALLS_MAX / (rate * length_s)).clamp(1.0, REPLICATIONS_MAX) as u32;
    let scenario = scenario(text, length_s);
    let mut sums: Vec<Dispersion> = Vec::new();
    let (mut prompts, mut outputs) = (LengthCounts::default(), LengthCounts::default());
    let mut calls = 0;
    for replication in 0..replications {
        let counts = count(&scenario, replication.into(), length_s, &mut prompts, &mut outputs);
        calls += counts.1;
        let counts = counts.0;
        let found = if within_hours { counts.within_hours() } else { counts.whole() };
        for found in found {
            match sums.iter_mut().find(|sum| sum.window_s == found.window_s) {
                Some(sum) => sum.add(&found),
                None => sums.push(found),
            }
        }
    }
    // Sessions that were but sampled begin less often than those simulated.
    let is_sample = imported.sessions.as_ref().is_some_and(|sessions| sessions.is_sample);
    for fit in imported.dispersion.iter_mut().filter(|_| !is_sample) {
        let sum = sums.iter().find(|sum| sum.window_s == fit.window_s);
        fit.again = sum.map(Dispersion::index);
    }
    for (fit, lengths) in
        [(&mut imported.prompt_tokens, prompts), (&mut imported.output_tokens, outputs)]
    {
        let Some(fit) = fit else { continue };
        let lengths = lengths.table();
        for quantile in &mut fit.quantiles {
            quantile.again =
                (!lengths.is_empty()).then(|| lengths.quantile(quantile.percent / 100.0));
        }
    }
    let rate_per_s = calls as f64 / (f64::from(replications) * length_s);
    imported.again = Some(Again { replications, length_s, rate_per_s });
}

/// The scenario that an import wrote, of another length.
pub fn scenario(text: &str, length_s: f64) -> Scenario {
    let set = format!("duration=\"{length_s} s\"");
    let overrides = Overrides { set: vec![set], ..Overrides::default() };
    match parse(text, "the imported scenario", Path::new(""), &overrides) {
        Ok(loaded) => loaded.scenario,
        Err(error) => panic!("an import writes valid scenarios: {error}\n{text}"),
    }
}

/// The calls of a replication: instants of first turns, counted from its start to its
/// end, and how many calls there were.
fn count(
    scenario: &Scenario,
    replication: u64,
    length_s: f64,
    prompts: &mut LengthCounts,
    outputs: &mut LengthCounts,
) -> (Counts, u64) {
    let mut generated = Generated::new(scenario, replication, 512);
    let mut counts = Counts::new(0);
    let mut ids = Vec::new();
    let mut calls = 0;
    while let Some(call) = generated.next(&mut ids) {
        calls += 1;
        if call.turn == 0 {
            counts.call(call.at.ticks());
        }
        prompts.add(call.prompt, 1);
        outputs.add(call.output, 1);
    }
    counts.finish((length_s * crate::kernel::TICKS_PER_SECOND as f64) as u64);
    (counts, calls)
}
