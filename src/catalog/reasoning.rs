//! How much of their output models think, and the TOML it is read from.

use super::origin::Confidence;
use crate::random::Distribution;
use crate::scenario::raw_distribution::RawDistribution;
use serde::{Deserialize, Serialize};

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasoningFile {
    reasoning: Vec<RawReasoning>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReasoning {
    name: String,
    title: String,
    share: RawDistribution<f64>,
    source: String,
    confidence: Confidence,
}

/// How much of its output a model thinks.
#[derive(Clone, Debug, Serialize)]
pub struct Reasoning {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Share of the output tokens of a call that are thinking, as written.
    #[serde(rename = "share")]
    pub written: RawDistribution<f64>,
    /// The same, to draw from.
    #[serde(skip)]
    pub share: Distribution,
    /// Where its values were read.
    pub source: String,
    /// How far to trust them.
    pub confidence: Confidence,
}

impl ReasoningFile {
    /// Panics on faulty data: the file is part of the program.
    pub(super) fn reasoning(self) -> Vec<Reasoning> {
        let reasoning = |raw: RawReasoning| Reasoning {
            share: raw.share.build().expect("reasoning.toml has laws"),
            name: raw.name,
            title: raw.title,
            written: raw.share,
            source: raw.source,
            confidence: raw.confidence,
        };
        self.reasoning.into_iter().map(reasoning).collect()
    }
}
