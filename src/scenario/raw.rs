//! The TOML that a user writes, mirrored key by key.
//!
//! The doc comments are the descriptions of the JSON schema, and the schema is
//! what `shape` holds a file against: keys, types, units and ranges are stated
//! once, here. Unknown keys are found there too, with the nearest known one,
//! so serde ignores them.

use super::raw_distribution::RawDistribution;
use super::units::{Bytes, Duration, Fraction, HourPrice, Power, Rate, TokenPrice};
use crate::catalog::{RawHardware, RawModel, RawTier, Scope};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A tokenmill scenario.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawScenario {
    /// Version of this format: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// Name; also the folder of its outputs.
    pub name: String,
    /// Root of all random streams.
    #[serde(default = "one_u64")]
    pub seed: u64,
    /// Independent replications: how many, or how precise figures must be; 32,
    /// or 1 where nothing is random.
    pub replications: Option<RawReplications>,
    /// Calendar instant of time zero, RFC 3339.
    pub start: Option<String>,
    /// When arrivals end; may be absent when every use case ends by itself.
    pub duration: Option<Duration>,
    /// `steady` estimates a sustained state, `terminating` measures a finite
    /// episode; terminating when every use case ends by itself, else steady.
    pub regime: Option<RawRegime>,
    /// Start-up time to remove in the steady regime: `auto` or a duration.
    pub warm_up: Option<RawWarmUp>,
    /// Equal sections of the measured window, for intervals from few long
    /// replications of a steady regime.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub sections: u32,
    /// Pools of GPUs.
    #[serde(default)]
    pub pool: Vec<RawPool>,
    /// Streams of work.
    #[serde(default)]
    pub use_case: Vec<RawUseCase>,
    /// GPUs to add to the catalog, or changes to its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hardware: Vec<RawHardware>,
    /// Models to add to the catalog, or changes to its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<RawModel>,
    /// Memory tiers to add to the catalog, or changes to its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tier: Vec<RawTier>,
    /// Variants that `compare` holds against the scenario as it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arm: Vec<RawArm>,
    /// What `tokenmill sweep` varies: keys of the scenario by their path.
    pub sweep: Option<RawSweep>,
    /// What `tokenmill seek` looks for.
    pub seek: Option<RawSeek>,
}

/// How many replications run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawReplications {
    /// So many.
    Fixed(#[schemars(range(min = 1, max = 100_000))] u32),
    /// Until figures are precise.
    UntilPrecise(RawStopping),
}

/// When replications are enough.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawStopping {
    /// Largest error of a figure, as a share of its true value.
    /// It holds with 95 % confidence.
    pub precision: Fraction,
    /// Figures that are held to it, by path; mean TTFT, TPOT and end-to-end time
    /// of every use case and $/Mtok of every pool when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<RawPaths>,
    /// Replications after which it is tested first; then at twice that, and so on.
    #[serde(default = "eight")]
    #[schemars(range(min = 8, max = 100_000))]
    pub min: u32,
    /// Replications after which it is given up.
    #[serde(default = "max_replications")]
    #[schemars(range(min = 8, max = 100_000))]
    pub max: u32,
}

/// Paths of figures, as the keys of summary.json joined by dots.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawPaths {
    /// One figure.
    One(String),
    /// Several figures.
    Several(Vec<String>),
}

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

/// What results describe.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawRegime {
    /// A sustained state.
    Steady,
    /// A finite episode.
    Terminating,
}

/// How the start-up transient is removed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawWarmUp {
    /// Found by MSER-5.
    Auto(Auto),
    /// A fixed length.
    Fixed(Duration),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auto {
    /// Chosen by the program.
    Auto,
}

/// A group of identical replicas of one model on one kind of GPU.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawPool {
    /// Name, unique among pools.
    pub name: String,
    /// Model served, a name of the catalog (`tokenmill catalog models`).
    pub model: String,
    /// GPU it is served on, a name of the catalog (`tokenmill catalog hardware`).
    pub hardware: String,
    /// Number of replicas.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub replicas: u32,
    /// GPUs that split every layer.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_024))]
    pub tensor_parallel: u32,
    /// Attention ranks within a replica, each with its own queue and KV cache.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_024))]
    pub data_parallel: u32,
    /// GPUs that split the experts of a mixture-of-experts model.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_024))]
    pub expert_parallel: u32,
    /// Number format of the weights.
    #[serde(default = "bf16")]
    pub precision: String,
    /// Number format of the KV cache; follows `precision` when absent.
    pub kv_precision: Option<String>,
    /// Price of one GPU-hour, in place of the catalog's.
    pub price_per_gpu_hour: Option<HourPrice>,
    /// Provisioned IT power of one GPU with its host share, in place of the catalog's.
    pub power_per_gpu: Option<Power>,
    /// Facility power over IT power, in place of the catalog's.
    #[schemars(range(min = 1, max = 10))]
    pub pue: Option<f64>,
    /// How calls are spread over replicas.
    #[serde(default)]
    pub router: RawRouter,
    /// Limits and overheads of the serving engine.
    #[serde(default)]
    pub engine: RawEngine,
    /// Tiers below HBM that KV blocks are offloaded to, from near to far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offload: Vec<RawOffload>,
}

/// A tier that KV blocks are offloaded to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawOffload {
    /// The tier, a name of the catalog (`tokenmill catalog tiers`).
    pub tier: String,
    /// How much of it: of each replica, or of all that share it; the catalog's
    /// share of the GPUs when absent.
    pub capacity: Option<Bytes>,
    /// When it receives blocks.
    #[serde(default)]
    pub policy: RawOffloadPolicy,
    /// Who shares it, in place of the catalog's.
    pub scope: Option<Scope>,
}

/// When a tier receives KV blocks.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawOffloadPolicy {
    /// As they are computed.
    #[default]
    WriteThrough,
    /// When their sequence ends or is preempted.
    WriteBack,
    /// When the next nearer tier, or HBM, drops them.
    OnEvict,
}

/// How calls are spread over replicas.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawRouter {
    /// The policy.
    #[serde(default)]
    pub policy: RawPolicy,
    /// What a prompt token to be computed weighs against one in flight, for `kv-aware`.
    #[schemars(range(min = 0, max = 100))]
    pub overlap_weight: Option<f64>,
    /// Scale of the softmax that `kv-aware` draws by; 0 takes the least cost.
    #[schemars(range(min = 0, max = 1_000))]
    pub temperature: Option<f64>,
    /// Most calls of a replica over the mean, for `prefix-affinity`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub spill_over: Option<f64>,
    /// How long what happens on a replica takes to be known to the router.
    pub signal_delay: Option<Duration>,
}

/// A routing policy.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawPolicy {
    /// Each replica in turn.
    RoundRobin,
    /// The replica with the fewest calls.
    #[default]
    LeastLoaded,
    /// The less loaded of two drawn at random.
    PowerOfTwo,
    /// The least cost, by what caches hold and what replicas have to do.
    KvAware,
    /// The one that served the session before.
    SessionAffinity,
    /// The one that serves calls which start alike, or the next with room.
    PrefixAffinity,
}

/// Limits and overheads of the serving engine; names are vLLM's where it has one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[serde(default)]
pub struct RawEngine {
    /// Most sequences running at once on one rank.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_num_seqs: u32,
    /// Token budget of one step of one rank.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_num_batched_tokens: u32,
    /// Tokens in one KV block.
    #[schemars(range(min = 1, max = 65_536))]
    pub block_tokens: u32,
    /// Longest sequence accepted, prompt and output; the model's when absent.
    #[schemars(range(min = 1))]
    pub max_model_len: Option<u32>,
    /// Admit a call only when its whole known sequence fits.
    pub reserve_full_prompt: bool,
    /// Share of the KV blocks that admission leaves free.
    pub kv_watermark: Fraction,
    /// Keep the KV blocks of sequences that have ended, for prompts that start alike.
    pub prefix_caching: bool,
    /// Which of the kept blocks that nobody uses goes first when room is needed.
    pub eviction: RawEviction,
    /// A block can be hit from the step that computes it; false for engines that
    /// publish a block when it has been computed.
    pub dedup_in_flight: bool,
    /// Keep the blocks of answers too, not only those of prompts.
    pub cache_decoded: bool,
    /// Share of a GPU's memory that the engine may use.
    pub gpu_memory_utilization: Fraction,
    /// KV blocks of one rank, in place of the computed count.
    #[schemars(range(min = 1))]
    pub kv_blocks: Option<u32>,
    /// Memory for KV blocks on each GPU, in place of what is computed.
    pub kv_memory: Option<Bytes>,
    /// Factor on the catalog's step time.
    #[schemars(range(min = 0.01, max = 100))]
    pub step_scale: f64,
    /// Host time added to every step.
    pub step_overhead: Duration,
}

impl Default for RawEngine {
    fn default() -> Self {
        Self {
            max_num_seqs: 256,
            max_num_batched_tokens: 8_192,
            block_tokens: 16,
            max_model_len: None,
            reserve_full_prompt: true,
            kv_watermark: Fraction(0.0),
            prefix_caching: true,
            eviction: RawEviction::Name(RawEvictionName::Lru),
            dedup_in_flight: true,
            cache_decoded: true,
            gpu_memory_utilization: Fraction(0.9),
            kv_blocks: None,
            kv_memory: None,
            // Between 1.04 and 1.08 with 0.4 ms a step fits vLLM where nothing
            // was measured on the very deployment; docs/validation.md.
            step_scale: 1.06,
            step_overhead: Duration::read("0.4 ms").expect("a duration"),
        }
    }
}

/// An eviction policy by its name alone, or with parameters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawEviction {
    /// With default parameters.
    Name(RawEvictionName),
    /// With parameters.
    Table(RawEvictionTable),
}

/// Names of eviction policies.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawEvictionName {
    /// What was used longest ago.
    Lru,
    /// What the fewest sequences have used since it came.
    Lfu,
    /// What was used once, found out by a small queue before a main one.
    S3Fifo,
    /// What was not used for longer than a time to live, 5 minutes unless stated.
    Ttl,
    /// What saves the fewest seconds of prefill.
    CostAware,
}

/// Eviction policies with their parameters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "policy", rename_all = "kebab-case")]
#[schemars(deny_unknown_fields)]
pub enum RawEvictionTable {
    /// What was used longest ago.
    Lru,
    /// What the fewest sequences have used since it came.
    Lfu,
    /// What was used once, found out by a small queue before a main one.
    S3Fifo,
    /// What was not used for longer than a time to live.
    Ttl {
        /// How long a block stays that nobody uses; 5 minutes when absent.
        ttl: Option<Duration>,
    },
    /// What saves the fewest seconds of prefill.
    CostAware,
}

/// A stream of calls.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawUseCase {
    /// Name, unique among use cases.
    pub name: String,
    /// Pool that serves it; may be absent when there is one.
    pub pool: Option<String>,
    /// When calls arrive.
    pub arrivals: Option<RawArrivals>,
    /// A recording that gives arrivals and, unless stated here, token counts.
    pub trace: Option<RawTrace>,
    /// Prompt tokens of a call.
    pub prompt_tokens: Option<RawDistribution<f64>>,
    /// Output tokens of a call.
    pub output_tokens: Option<RawDistribution<f64>>,
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

/// Sessions of several turns.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawSession {
    /// Turns of a session.
    pub turns: RawDistribution<f64>,
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
    /// Its layout.
    pub format: RawFormat,
    /// The file, relative to the folder of the scenario file.
    pub path: String,
    /// Factor on recorded intervals; 2 halves the rate.
    #[serde(default = "one_f64")]
    #[schemars(range(min = 1e-6, max = 1e6))]
    pub time_scale: f64,
    /// How many calls to take from its beginning; all when absent.
    #[schemars(range(min = 1))]
    pub requests: Option<u64>,
    /// Prompt tokens that one prefix id stands for.
    #[serde(default = "block_tokens")]
    #[schemars(range(min = 1, max = 65_536))]
    pub block_tokens: u32,
}

/// Layout of a recording.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawFormat {
    /// CSV of TIMESTAMP, ContextTokens, GeneratedTokens.
    Azure,
    /// JSON lines of timestamp (ms), input_length, output_length, hash_ids.
    Mooncake,
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
                "^(ttft|tpot|itl|e2e|queue)(_(mean|p[0-9]{1,2}(\\.[0-9]+)?))?$": quantity(
                    "duration",
                    "Upper bound on a metric: of its mean, of a percentile, or of every call."
                ),
            },
            "additionalProperties": false,
        })
    }
}

/// Keys that vary, by path, each with a list of values or a range
/// `{ from, to, points, scale }`, and how points are chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RawSweep(pub toml::Table);

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
            "patternProperties": { "^.+$": {
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
            } },
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

fn eight() -> u32 {
    8
}

fn max_replications() -> u32 {
    512
}

fn one_u64() -> u64 {
    1
}

fn one_f64() -> f64 {
    1.0
}

fn bf16() -> String {
    "bf16".to_owned()
}

fn block_tokens() -> u32 {
    crate::workload::MOONCAKE_BLOCK_TOKENS
}
