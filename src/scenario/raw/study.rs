//! What studies ask of a scenario, as written: arms, `[sweep]`, `[seek]`.

use crate::scenario::units::Fraction;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A variant of the scenario.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawArm {
    /// Name, unique among arms; `baseline` is the scenario as it stands.
    pub name: String,
    /// The keys it changes, by dotted path in quotes, with their values.
    pub set: RawSet,
}

/// Changes to a scenario by dotted path, as `--set` takes them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RawSet(pub IndexMap<String, toml::Value>);

impl JsonSchema for RawSet {
    fn schema_name() -> Cow<'static, str> {
        "RawSet".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let any = ["string", "integer", "number", "boolean", "array", "object"];
        json_schema!({
            "description": "Changed keys, e.g. { \"pool.assistant.replicas\" = 4 }.",
            "type": "object",
            "patternProperties": { "^.+$": { "type": any } },
        })
    }
}

/// Keys that vary, by path, each with a list of values or a range
/// `{ from, to, points, scale }`, and how points are chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RawSweep(pub toml::Table);

/// Keys that vary, by path, each with a list of values or a range.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RawOver(pub toml::Table);

/// Schema of the values of a key that varies.
fn axis_schema() -> Schema {
    json_schema!({
        "description": "Values of the key at this path: a list, or a range.",
        "anyOf": [
            { "type": "array", "minItems": 1 },
            {
                "type": "object",
                "properties": {
                    "from": { "type": ["number", "string"], "description": "First value." },
                    "to": { "type": ["number", "string"], "description": "Last value." },
                    "points": { "type": "integer", "minimum": 2, "description": "Values of a grid." },
                    "scale": { "enum": ["linear", "log"], "description": "Spacing of values; `linear` when absent." },
                },
                "required": ["from", "to"],
                "additionalProperties": false,
            },
        ],
    })
}

impl JsonSchema for RawOver {
    fn schema_name() -> Cow<'static, str> {
        "RawOver".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A key and its values, e.g. { \"use_case.chat.cache_hit\" = [0, 0.5, 0.9] }.",
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "patternProperties": { "^.+$": axis_schema() },
        })
    }
}

impl JsonSchema for RawSweep {
    fn schema_name() -> Cow<'static, str> {
        "RawSweep".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What `tokenmill sweep` varies, e.g. \"pool.assistant.replicas\" = [1, 2, 4].",
            "type": "object",
            "properties": {
                "design": {
                    "description": "How points are chosen; every combination of all values when absent.",
                    "type": "string",
                    "enum": ["grid", "latin-hypercube", "sobol"],
                },
                "points": {
                    "description": "Points of a `latin-hypercube` or `sobol` design.",
                    "type": "integer",
                    "minimum": 1,
                },
            },
            "patternProperties": { "^.+$": axis_schema() },
        })
    }
}

/// The value of one key at which bounds on figures are just kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawSeek {
    /// The key that varies, by its path.
    pub key: String,
    /// The lowest value: a number, or a quantity.
    pub from: RawScalar,
    /// The highest value, in the unit of `from`.
    pub to: RawScalar,
    /// How closely the value is found, relative to it; 1 % when absent, exact
    /// for whole numbers.
    pub tolerance: Option<Fraction>,
    /// The bounds that must all be kept.
    pub keep: Vec<RawBound>,
    /// A second key: the value is sought anew at each of its values.
    pub over: Option<RawOver>,
}

/// A bound on a figure.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawBound {
    /// The figure: keys of summary.json joined by dots, e.g. `use_cases.chat.ttft_s.p95`.
    pub metric: String,
    /// Its upper bound.
    pub at_most: Option<RawScalar>,
    /// Its lower bound.
    pub at_least: Option<RawScalar>,
}

/// A number, or a quantity of a kind that the form does not tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawScalar(pub toml::Value);

impl JsonSchema for RawScalar {
    fn schema_name() -> Cow<'static, str> {
        "RawScalar".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}
