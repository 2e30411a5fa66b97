//! `[[use_case]]` as written: who calls, when, with what, and what was promised.

use super::{
    RawBatch, RawGrowth, RawOrigin, RawPools, RawProfile, RawReplay, RawServe, RawVariability,
};
use crate::scenario::raw_distribution::RawDistribution;
use crate::scenario::units::{Duration, Fraction, Rate, TokenPrice};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A stream of calls.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawUseCase {
    /// Name, unique among use cases.
    pub name: String,
    /// Pool that serves it; may be absent when there is one. Several, one a region,
    /// where `regions` are given; all pools with a region when absent.
    pub pool: Option<RawPools>,
    /// Regions of its users, and their shares, which add up to 1.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub regions: IndexMap<String, RawOrigin>,
    /// Which region's pool serves a call; `home` when absent.
    pub serve: Option<RawServe>,
    /// Network round trip of its calls, beside those of their regions.
    pub round_trip: Option<Duration>,
    /// Agent of the catalog or of the scenario whose sessions arrive.
    pub agent: Option<String>,
    /// Pools that serve its sub-agents, by agent, or by kind of those recorded; as `pool` where there is none.
    #[serde(default, skip_serializing_if = "RawPlaces::is_empty")]
    pub pools: RawPlaces,
    /// Tool pools that run its tool calls, by class of tool; calls of others run at
    /// once.
    #[serde(default, skip_serializing_if = "RawPlaces::is_empty")]
    pub tools: RawPlaces,
    /// When calls arrive.
    pub arrivals: Option<RawArrivals>,
    /// A recording that gives arrivals and, unless stated here, token counts.
    pub trace: Option<RawTrace>,
    /// Jobs of many calls with a deadline, in place of arrivals.
    pub batch: Option<RawBatch>,
    /// Recorded sessions of agents, which say what calls ask for and when.
    pub replay: Option<RawReplay>,
    /// Users, in place of a rate of arrivals.
    #[schemars(range(min = 1, max = 1e11))]
    pub users: Option<f64>,
    /// Calls, or sessions, that a user makes a day in the mean.
    #[schemars(range(min = 1e-9, max = 1e6))]
    pub sessions_per_user_per_day: Option<f64>,
    /// Time zone of its users, e.g. "America/New_York"; "UTC" when absent.
    pub time_zone: Option<String>,
    /// How demand grows from the start on.
    pub growth: Option<RawGrowth>,
    /// Twelve values for the months of the year, met in their middle; their scale
    /// does not matter.
    pub season: Option<Vec<f64>>,
    /// The course of day and week.
    pub profile: Option<RawProfile>,
    /// Days that are unlike others: the name of a calendar, of the catalog or of the scenario.
    pub calendar: Option<String>,
    /// What cannot be foreseen.
    pub variability: Option<RawVariability>,
    /// Prompt tokens of a call.
    pub prompt_tokens: Option<RawDistribution<f64>>,
    /// Output tokens of a call.
    pub output_tokens: Option<RawDistribution<f64>>,
    /// What calls think before they answer.
    pub thinking: Option<RawThinking>,
    /// What prompts share at their start, before `prompt_tokens`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix: Vec<RawSegment>,
    /// Calls are turns of sessions, each prompt the last prompt, its answer and
    /// `prompt_tokens` more.
    pub session: Option<RawSession>,
    /// Share of each prompt that counts as found in the cache, in place of what
    /// the cache holds; a what-if.
    pub cache_hit: Option<Fraction>,
    /// What its users were promised.
    #[serde(default, skip_serializing_if = "RawSlo::is_empty")]
    pub slo: RawSlo,
    /// What its users pay.
    pub price: Option<RawPrice>,
}

/// A part of a shared prefix.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawSegment {
    /// Use cases whose prefixes begin with the same names share these parts.
    pub name: Option<String>,
    /// Its tokens; a distribution is drawn once for each group.
    pub tokens: RawDistribution<f64>,
    /// Different texts, such as tenants; each call or session has one of them.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub groups: u32,
    /// Popularity of the k-th group falls as k to the power of this; 0: all alike.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10))]
    pub zipf: f64,
}

/// Output tokens that come before the answer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawThinking {
    /// How likely a call is to think; every call does when absent.
    pub probability: Option<Fraction>,
    /// In place of `probability`: a call thinks when its difficulty is above this.
    pub threshold: Option<f64>,
    /// How hard calls are, beside `threshold`; uniform from 0 to 1 when absent.
    pub difficulty: Option<RawDistribution<f64>>,
    /// Thinking tokens of a call that thinks, before its `output_tokens`.
    pub tokens: Option<RawDistribution<f64>>,
    /// In place of `tokens`: share of `output_tokens` that is thinking, or the
    /// name of one of the catalog.
    pub share: Option<RawShare>,
    /// Most thinking tokens of a call; then it answers.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub budget: Option<u32>,
    /// Thinking joins the prompts of later turns of a session.
    #[serde(default)]
    pub kept: bool,
}

/// A share of output tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawShare {
    /// One of the catalog's.
    Named(String),
    /// Its own, from 0 to 1.
    Own(RawDistribution<f64>),
}

/// Sessions of several turns.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawSession {
    /// Turns of a session.
    pub turns: RawDistribution<f64>,
    /// Prompt tokens of the first turn, in place of `prompt_tokens`.
    pub opening_tokens: Option<RawDistribution<f64>>,
    /// Time between an answer and the next turn; none when absent.
    pub think: Option<RawDistribution<Duration>>,
}

/// When calls arrive.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "process", rename_all = "kebab-case")]
#[schemars(deny_unknown_fields)]
pub enum RawArrivals {
    /// Independent users: exponential gaps.
    Poisson {
        /// Calls per time.
        rate: Rate,
    },
    /// Equal gaps.
    Constant {
        /// Calls per time.
        rate: Rate,
    },
    /// Clients who each wait for an answer, think, and ask again.
    ClosedLoop {
        /// Clients.
        #[schemars(range(min = 1, max = 10_000_000))]
        clients: u32,
        /// Calls in all before they stop; without it they go on for the duration.
        #[schemars(range(min = 1, max = 100_000_000_000_u64))]
        requests: Option<u64>,
        /// Time between an answer and the next call; none when absent.
        think: Option<RawDistribution<Duration>>,
    },
}

/// A recording of calls.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawTrace {
    /// Its layout; told by its first record when absent.
    pub format: Option<RawFormat>,
    /// The file, relative to the folder of the scenario file; gzip and Zstandard
    /// are unpacked.
    pub path: String,
    /// Factor on recorded intervals; 2 halves the rate.
    #[serde(default = "one_f64")]
    #[schemars(range(min = 1e-6, max = 1e6))]
    pub time_scale: f64,
    /// How many calls to take from its beginning; all when absent.
    #[schemars(range(min = 1))]
    pub requests: Option<u64>,
    /// Prompt tokens that one prefix id stands for; as the format or the file says
    /// when absent.
    #[schemars(range(min = 1, max = 65_536))]
    pub block_tokens: Option<u32>,
    /// What later turns of a session carry; found out when absent.
    pub turns: Option<RawTurns>,
    /// Time from the start of one session to the next, where sessions count from
    /// their own start; all start at once when absent.
    pub session_gap: Option<Duration>,
    /// Names of the columns of plain CSV.
    pub columns: Option<RawColumns>,
    /// Unit of numeric time stamps of plain CSV; told by the name of their column
    /// when absent.
    pub time_unit: Option<RawTimeUnit>,
    /// How its time stamps are taken where their clock ticks coarsely.
    #[serde(default)]
    pub stamps: RawStamps,
}

/// How recorded time stamps are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawStamps {
    /// Calls are spread over the ticks of the recorder's clock, where that shows.
    #[default]
    Spread,
    /// Calls come at the instants that are recorded.
    Exact,
}

/// Names of the columns of a CSV file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawColumns {
    /// When calls came: dates with times, or numbers.
    pub time: String,
    /// Prompt tokens.
    pub prompt_tokens: String,
    /// Output tokens.
    pub output_tokens: String,
}

/// Unit of numeric time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum RawTimeUnit {
    Ns,
    Us,
    Ms,
    S,
    Min,
    H,
}

/// Layout of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawFormat {
    /// CSV of TIMESTAMP, ContextTokens, GeneratedTokens.
    Azure,
    /// JSON lines of timestamp (ms), input_length, output_length, hash_ids.
    Mooncake,
    /// JSON sessions of coding agents with requests of t (s), in, out, hash_ids.
    Weka,
    /// JSON lines of timestamp (s), input_length, output_length, hash_ids.
    Bailian,
    /// CSV of Timestamp (s), Request tokens, Response tokens.
    #[serde(rename = "burstgpt")]
    BurstGpt,
    /// CSV whose `columns` are named.
    Csv,
}

/// What later turns of a recorded session carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawTurns {
    /// The whole prompt.
    Full,
    /// What was added to the prompt of the turn before.
    Delta,
}

/// Names of pools, by what they serve.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RawPlaces(pub IndexMap<String, String>);

impl RawPlaces {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl JsonSchema for RawPlaces {
    fn schema_name() -> Cow<'static, str> {
        "RawPlaces".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Names of pools, by what they serve.",
            "type": "object",
            "patternProperties": { "^.+$": { "type": "string" } },
            "additionalProperties": false,
        })
    }
}

/// Latency promises by key: `<metric>_<statistic>`, `<metric>` alone for
/// every call, or `interactivity_min`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RawSlo(pub IndexMap<String, String>);

impl RawSlo {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl JsonSchema for RawSlo {
    fn schema_name() -> Cow<'static, str> {
        "RawSlo".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let quantity = |kind: &str, description: &str| json_schema!({ "type": "string", "x-quantity": kind, "description": description });
        json_schema!({
            "description": "What users were promised, e.g. { ttft_p95 = \"800 ms\" }.",
            "type": "object",
            "properties": {
                "interactivity_min": quantity(
                    "token rate",
                    "Output tokens per second that the median call gets at least (1 / TPOT)."
                ),
            },
            "patternProperties": {
                "^(ttft|visible_ttft|tpot|itl|e2e|queue)(_(mean|p[0-9]{1,2}(\\.[0-9]+)?))?$": quantity(
                    "duration",
                    "Upper bound on a metric: of its mean, of a percentile, or of every call."
                ),
            },
            "additionalProperties": false,
        })
    }
}

/// Prices of tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawPrice {
    /// Prompt tokens.
    pub input: TokenPrice,
    /// Prompt tokens found in the cache; as `input` when absent.
    pub cached_input: Option<TokenPrice>,
    /// Output tokens.
    pub output: TokenPrice,
}

fn one() -> u32 {
    1
}

pub(super) fn one_f64() -> f64 {
    1.0
}
