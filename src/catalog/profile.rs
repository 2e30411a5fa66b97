//! Profiles of demand over day and week, and the TOML they are read from.

use super::origin::Confidence;
use crate::demand::curve::Shape;
use serde::{Deserialize, Serialize};

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    profile: Vec<RawProfile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    name: String,
    title: String,
    weekday: [f64; 24],
    weekend: Option<[f64; 24]>,
    days: Option<[f64; 7]>,
    source: String,
    confidence: Confidence,
}

/// How demand runs over a day and a week.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Monday to Friday.
    pub weekday: Shape,
    /// Saturday and Sunday.
    pub weekend: Shape,
    /// Demand of the days from Monday to Sunday, with a mean of 1.
    pub days: [f64; 7],
    /// Where its values were read.
    pub source: String,
    /// How far to trust them.
    pub confidence: Confidence,
}

impl ProfileFile {
    /// Panics on faulty data: the file is part of the program.
    pub(super) fn profiles(self) -> Vec<Profile> {
        let profile = |raw: RawProfile| {
            let shape = |hours| Shape::new(&hours).expect("profiles.toml has hours above zero");
            Profile {
                weekday: shape(raw.weekday),
                weekend: shape(raw.weekend.unwrap_or(raw.weekday)),
                days: week(raw.days.unwrap_or([1.0; 7])).expect("days above zero"),
                name: raw.name,
                title: raw.title,
                source: raw.source,
                confidence: raw.confidence,
            }
        };
        self.profile.into_iter().map(profile).collect()
    }
}

/// Days scaled to a mean of 1; `None` unless they are finite and not negative,
/// and one is above zero.
pub fn week(days: [f64; 7]) -> Option<[f64; 7]> {
    let sum: f64 = days.iter().sum();
    let is_valid = days.iter().all(|&day| day >= 0.0) && sum > 0.0 && sum.is_finite();
    is_valid.then(|| days.map(|day| day * 7.0 / sum))
}
