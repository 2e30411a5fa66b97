//! One seek at each value of a second key: replicas needed by hit rate, load
//! held by price.
//!
//! The seeks know nothing of each other, so they run side by side; all see the
//! same calls. Cost: that of one seek, times the values.

use super::{Plan, SeekResult, seek};
use crate::error::Result;
use crate::kernel::Digest;
use crate::scenario::seek::Seek;
use crate::scenario::sweep::Axis;
use crate::scenario::{Loaded, Scenario, Variants};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A seek over a second key, ready to run.
#[derive(Debug)]
pub struct OverPlan<'v> {
    over: Axis,
    plans: Vec<Plan<'v>>,
}

/// What came out of a seek over a second key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SeekOver {
    /// Version of this layout: 1.
    pub schema: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Version of tokenmill.
    pub version: String,
    /// Root seed.
    pub seed: u64,
    /// Fold of the digests of all seeks, 16 hexadecimal digits.
    pub digest: String,
    /// The second key.
    pub over: String,
    /// The unit that all its values are quantities in; `null` for plain numbers
    /// and words.
    pub over_unit: Option<String>,
    /// How its values are spaced: `linear` or `log`.
    pub over_scale: String,
    /// A seek for each of its values, in their order.
    pub seeks: Vec<SeekAt>,
}

/// The seek at one value of the second key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SeekAt {
    /// The value as written in a scenario.
    pub value: serde_json::Value,
    /// What was found there.
    pub seek: SeekResult,
}

impl<'v> OverPlan<'v> {
    /// Checks `seek`, which has a second key, at each of its values.
    pub fn new(loaded: &Loaded, variants: &'v Variants, seek: &Seek) -> Result<OverPlan<'v>> {
        let over = seek.over.as_ref().expect("this seek has a second key");
        let plan = |index: u32| {
            let beside = (over.path.clone(), over.nth(index));
            // By itself first: what is wrong with it is not the sought key's fault.
            let scenario = variants.scenario(&[(&over.path, over.nth(index))])?;
            let replications = loaded.scenario.replications;
            let scenario = Scenario { replications, ..scenario };
            Plan::beside(scenario, variants, seek.clone(), Some(beside))
        };
        let plans = (0..over.len()).map(plan).collect::<Result<_>>()?;
        Ok(OverPlan { over: over.clone(), plans })
    }

    /// As [`Plan::runs_max`], of all seeks together.
    pub fn runs_max(&self) -> u32 {
        self.plans.iter().fold(0, |runs, plan| runs.saturating_add(plan.runs_max()))
    }
}

/// Seeks at each value of the second key on the current rayon pool, as [`seek`]
/// does at one.
pub fn seek_over(plan: &OverPlan<'_>, audit: bool, done: impl Fn(u64) + Sync) -> Result<SeekOver> {
    let found = plan.plans.par_iter().map(|each| Ok(seek(each, audit, &done)?.result));
    let results = found.collect::<Result<Vec<SeekResult>>>()?;
    let mut digest = Digest::default();
    for result in &results {
        let word = u64::from_str_radix(&result.digest, 16).expect("a digest is hexadecimal");
        digest.word(word);
    }
    let first = results.first().expect("an axis has values");
    Ok(SeekOver {
        schema: 1,
        scenario: first.scenario.clone(),
        version: first.version.clone(),
        seed: first.seed,
        digest: digest.to_string(),
        over: plan.over.path.clone(),
        over_unit: plan.over.unit(),
        over_scale: if plan.over.is_log() { "log" } else { "linear" }.to_owned(),
        seeks: (0..).zip(results).map(|(index, seek)| at(&plan.over, index, seek)).collect(),
    })
}

fn at(over: &Axis, index: u32, seek: SeekResult) -> SeekAt {
    let value = serde_json::to_value(over.nth(index).to_toml()).expect("TOML is JSON");
    SeekAt { value, seek }
}
