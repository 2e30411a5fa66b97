//! Where a value comes from, and what is wrong with one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far to trust a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Read in a primary source: vendor, repository, measurement.
    High,
    /// Derived, or read in a secondary source.
    Medium,
    /// A single secondary source, or a placeholder of the publisher.
    Low,
}

/// Source and confidence of a group of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The group: "memory", "set_b", ...
    pub what: &'static str,
    /// Where its values were read.
    pub source: String,
    /// How far to trust them.
    pub confidence: Confidence,
}

impl Origin {
    /// An origin as written, or the scenario itself when the user named none.
    pub(super) fn new(
        what: &'static str,
        source: &Option<String>,
        confidence: Option<Confidence>,
    ) -> Self {
        Origin {
            what,
            source: source.clone().unwrap_or_else(|| "scenario".to_owned()),
            confidence: confidence.unwrap_or(Confidence::Medium),
        }
    }
}

/// One thing wrong with an entry or a configuration, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key within the entry ("memory.capacity_gib").
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub fix: String,
}

/// Collects every problem of an entry instead of stopping at the first.
#[derive(Default)]
pub(super) struct Checker {
    pub(super) problems: Vec<Problem>,
}

impl Checker {
    pub(super) fn report(&mut self, key: &str, problem: String, fix: &str) {
        self.problems.push(Problem { key: key.to_owned(), problem, fix: fix.to_owned() });
    }

    /// A finite number above zero.
    pub(super) fn positive(&mut self, key: &str, value: f64) -> f64 {
        if !(value.is_finite() && value > 0.0) {
            self.report(key, format!("{value} is not a positive number"), "give a number above 0");
        }
        value
    }

    /// A finite number of at least zero.
    pub(super) fn not_negative(&mut self, key: &str, value: f64) -> f64 {
        if !(value.is_finite() && value >= 0.0) {
            self.report(key, format!("{value} is negative or not a number"), "give 0 or more");
        }
        value
    }

    /// An integer in `low..=high`.
    pub(super) fn within(&mut self, key: &str, value: u32, low: u32, high: u32) -> u32 {
        if !(low..=high).contains(&value) {
            let fix = format!("give a number from {low} to {high}");
            self.report(key, format!("{value} is out of range"), &fix);
        }
        value
    }

    /// A group that must be there.
    pub(super) fn required<T>(&mut self, key: &str, group: Option<T>) -> Option<T> {
        if group.is_none() {
            let fix = "add it, or name a catalog entry to take it from with base = \"...\"";
            self.report(key, "is missing".to_owned(), fix);
        }
        group
    }
}
