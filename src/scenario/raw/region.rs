//! `[[region]]` as written, and how use cases name regions.

use super::RawProfile;
use crate::scenario::units::{Duration, Fraction};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of the world with users, pools, or both.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawRegion {
    /// Name, unique among regions.
    pub name: String,
    /// Time zone of its users and of its pools, e.g. "America/New_York"; "UTC" when
    /// absent.
    pub time_zone: Option<String>,
    /// Network round trip between its users and a pool in the same region; none
    /// when absent.
    pub round_trip: Option<Duration>,
    /// Network round trips from it to other regions, which calls that are served
    /// there take on top. The other way is alike unless it is given too.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub round_trips: IndexMap<String, Duration>,
}

/// The pool, or the pools, that serve a use case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawPools {
    /// One pool.
    One(String),
    /// One pool a region.
    Several(Vec<String>),
}

impl RawPools {
    /// All of them.
    pub fn names(&self) -> &[String] {
        match self {
            RawPools::One(name) => std::slice::from_ref(name),
            RawPools::Several(names) => names,
        }
    }
}

/// The users of a use case in one region.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawOrigin {
    /// Their share.
    Share(Fraction),
    /// Their share, and what is unlike elsewhere.
    Table(RawOriginTable),
}

/// The users of a use case in one region, with what is unlike elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawOriginTable {
    /// Their share of all users.
    pub share: Fraction,
    /// Their course of day and week, in place of that of the use case.
    pub profile: Option<RawProfile>,
    /// Their calendar, in place of that of the use case.
    pub calendar: Option<String>,
}

impl RawOrigin {
    /// Their share, their profile and their calendar.
    pub fn parts(&self) -> (f64, Option<&RawProfile>, Option<&str>) {
        match self {
            RawOrigin::Share(share) => (share.0, None, None),
            RawOrigin::Table(RawOriginTable { share, profile, calendar }) => {
                (share.0, profile.as_ref(), calendar.as_deref())
            }
        }
    }
}

/// Which region's pool serves a call: the name of a policy, or a table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawServe {
    /// With default parameters.
    Name(RawServeName),
    /// With parameters.
    Table(RawServeTable),
}

/// Names of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawServeName {
    /// The pool of the users' own region, or the nearest.
    Home,
    /// The pool on whose wall clock it is nearest to noon.
    FollowTheSun,
    /// The pool on whose wall clock it is nearest to midnight.
    FollowTheMoon,
    /// The pool of the users' own region while it has room, then the nearest that has.
    Overflow,
}

/// Policies with their parameters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "policy", rename_all = "kebab-case")]
#[schemars(deny_unknown_fields)]
pub enum RawServeTable {
    /// The pool of the users' own region, or the nearest.
    Home,
    /// The pool on whose wall clock it is nearest to noon.
    FollowTheSun,
    /// The pool on whose wall clock it is nearest to midnight.
    FollowTheMoon,
    /// The pool of the users' own region while it has room, then the nearest that has.
    Overflow {
        /// A pool has room while it holds fewer calls than this share of the
        /// sequences that it may run; 1 when absent.
        fill: Option<f64>,
    },
}
