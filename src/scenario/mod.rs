//! The checked scenario: what a run needs, complete and consistent.
//!
//! `raw` mirrors the TOML that a user writes, `units` reads quantities, `check`
//! turns raw into the types below and reports every mistake it can find with
//! file, line, key, value and a fix. After that the program asserts instead of
//! checking again. docs/scenario.md describes every key.

mod batch;
mod check;
mod demand;
mod overrides;
pub mod range;
pub mod raw;
pub mod raw_distribution;
mod region;
pub mod seek;
pub mod shape;
pub mod sweep;
pub mod tree;
pub mod units;
pub mod windows;

pub use batch::{Batch, Releases};
pub use check::{BASELINE, Loaded, Variants, load, open, open_file, parse};
pub use demand::{Demand, Tenants};
pub use overrides::Overrides;
pub use region::{Origin, Origins};
pub use shape::schema;
pub use windows::{Choice, Windows, shared_zone};

use crate::catalog::{GpuHour, Hardware, Model, Precision, Scope, Tier};
use crate::factory::{CacheRules, KvPlan, Parallelism, Routing, StepTime, Writing};
use crate::kernel::Span;
use crate::random::Distribution;
use crate::workload::Trace;
use crate::workload::agent::{Crew, Replay};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything one run needs.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name; also the folder of its outputs.
    pub name: String,
    /// Root of all random streams.
    pub seed: u64,
    /// Independent replications to run; at most so many where `stopping` says
    /// when they are enough.
    pub replications: u32,
    /// When fewer replications are enough; `None`: all of them run.
    pub stopping: Option<Stopping>,
    /// Calendar instant of time zero, RFC 3339, as written (demand curves use it).
    pub start: Option<String>,
    /// When arrivals end. `None`: when every source is exhausted.
    pub duration: Option<Span>,
    /// Whether a steady state is estimated or a finite episode measured.
    pub regime: Regime,
    /// How the initial transient is removed (steady regime only).
    pub warm_up: WarmUp,
    /// Equal sections of the measured window that intervals are taken over as
    /// well as over replications; 1: the window as a whole.
    pub sections: u32,
    /// The pools of GPUs.
    pub pools: Vec<Pool>,
    /// The pools of tool workers.
    pub tool_pools: Vec<ToolPool>,
    /// The streams of work.
    pub use_cases: Vec<UseCase>,
    /// The parts of the horizon that run; `None`: all of it.
    pub windows: Option<Windows>,
    /// What the user should know but need not mend.
    pub warnings: Vec<String>,
}

impl Scenario {
    /// The pools that serve `use_case`.
    pub fn pools_of(&self, use_case: &UseCase) -> impl Iterator<Item = &Pool> {
        use_case.pools().iter().map(|&pool| &self.pools[pool])
    }

    /// Whether anything is drawn at random; if not, one replication is exact.
    pub fn is_random(&self) -> bool {
        let draws = |pool: &Pool| pool.router.policy.draws() && pool.lanes() > 1;
        self.use_cases.iter().any(UseCase::is_random) || self.pools.iter().any(draws)
    }
}

/// When replications are enough: as soon as figures are precise.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopping {
    /// Largest error that figures may have, as a share of their true values.
    pub precision: f64,
    /// Paths of the figures that are held to it; empty: those of
    /// [`crate::study::headline_figures`].
    pub of: Vec<String>,
    /// Replications after which it is tested first.
    pub min: u32,
}

/// A variant of a scenario, to be compared with it.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// The keys it changes, as written.
    pub changes: Vec<String>,
    /// The scenario with those changes.
    pub scenario: Scenario,
}

/// Whether results describe a steady state or a finite episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// A sustained rate: the transient is removed, unstable loads are refused.
    Steady,
    /// A finite episode (a trace, a peak day, M requests): all of it counts.
    Terminating,
}

/// How the initial transient is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// MSER-5 on the mean in-system series of pilot replications.
    Auto,
    /// A length given by the user.
    Fixed(Span),
}

/// A group of identical replicas of one model on one kind of GPU.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Name, unique among pools.
    pub name: String,
    /// The model served.
    pub model: Arc<Model>,
    /// The region it stands in, if the scenario has regions.
    pub region: Option<String>,
    /// The GPU it is served on.
    pub hardware: Arc<Hardware>,
    /// Number formats of weights and KV cache.
    pub precision: Precision,
    /// Number of replicas, at least 1.
    pub replicas: u32,
    /// GPUs within a replica and what they split.
    pub parallelism: Parallelism,
    /// How calls are spread over replicas.
    pub router: Routing,
    /// The serving engine's limits and overheads.
    pub engine: Engine,
    /// KV blocks of one data-parallel rank, term by term.
    pub kv: KvPlan,
    /// Duration of one rank's step.
    pub step_time: StepTime,
    /// The tiers below HBM, from near to far.
    pub offload: Vec<Offload>,
    /// Price of one GPU-hour in dollars, with its origin.
    pub gpu_hour: GpuHour,
    /// Provisioned IT power of one GPU with its host share, in watts, if known.
    pub watts_per_gpu: Option<f64>,
    /// Power usage effectiveness: facility power over IT power.
    pub pue: f64,
}

impl Pool {
    /// GPUs in the whole pool.
    pub fn gpus(&self) -> u32 {
        self.replicas * self.parallelism.gpus()
    }

    /// What its router chooses among.
    pub fn lanes(&self) -> u32 {
        let ranks = if self.router.policy.chooses_ranks() { self.parallelism.data } else { 1 };
        self.replicas * ranks
    }

    /// Whether a call of these lengths can ever be served: it must not exceed
    /// the longest sequence accepted, and its KV tokens (the last sampled token
    /// has none) must fit all blocks of a rank.
    pub fn accepts(&self, prompt: u32, output: u32) -> bool {
        let tokens = u64::from(prompt) + u64::from(output);
        tokens <= u64::from(self.engine.max_model_len)
            && (tokens - 1).div_ceil(u64::from(self.kv.block_tokens)) <= u64::from(self.kv.blocks)
    }

    /// What a report must say about the accuracy of its step times.
    pub fn caveats(&self) -> Vec<String> {
        StepTime::caveats(&self.model, &self.hardware, self.precision, self.parallelism)
    }
}

/// A pool of workers that run tool calls.
#[derive(Clone, Debug)]
pub struct ToolPool {
    /// Name, unique among tool pools.
    pub name: String,
    /// Workers.
    pub workers: u32,
    /// Tool calls that a worker runs at once.
    pub slots: u32,
    /// Time to start a sandbox up before each call.
    pub start_up: Span,
    /// Dollars an hour of a worker, if known.
    pub usd_per_hour: Option<f64>,
    /// IT power of a worker in watts, if known.
    pub watts: Option<f64>,
}

impl ToolPool {
    /// Tool calls that all workers run at once.
    pub fn capacity(&self) -> u32 {
        self.workers * self.slots
    }
}

/// A tier that a pool offloads KV blocks to.
#[derive(Clone, Debug)]
pub struct Offload {
    /// The tier.
    pub tier: Arc<Tier>,
    /// Bytes of it: of one replica if it is a rank's or a replica's own, of all
    /// that share it otherwise.
    pub capacity_bytes: u64,
    /// When it receives blocks.
    pub policy: Writing,
    /// Who shares it.
    pub scope: Scope,
    /// Pools that do, this one included.
    pub sharers: u32,
}

impl Offload {
    /// Bytes that are there for `pool`; what pools share counts in equal parts.
    pub fn bytes_for(&self, pool: &Pool) -> f64 {
        let owners = match self.scope {
            Scope::Rank | Scope::Replica => pool.replicas,
            Scope::Pool | Scope::All => 1,
        };
        self.capacity_bytes as f64 * f64::from(owners) / f64::from(self.sharers)
    }
}

/// Limits and overheads of the serving engine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Most sequences running at once on one rank.
    pub max_num_seqs: u32,
    /// Token budget of one step of one rank.
    pub max_num_batched_tokens: u32,
    /// Longest sequence (prompt and output) accepted.
    pub max_model_len: u32,
    /// Admission needs room for the whole known sequence, not only its first chunk.
    pub reserve_full_prompt: bool,
    /// Share of the KV blocks that admission leaves free.
    pub kv_watermark: f64,
    /// What is kept of sequences that have ended; `None`: nothing.
    pub prefix_cache: Option<CacheRules>,
    /// Factor on the catalog's step time (software efficiency of the engine).
    pub step_scale: f64,
    /// Factor on what decodes add to a step.
    pub decode_scale: f64,
    /// Host time added to every step.
    pub step_overhead: Span,
}

/// One stream of calls.
#[derive(Clone, Debug)]
pub struct UseCase {
    /// Name, unique among use cases.
    pub name: String,
    /// Index of the pool that serves it, the first where there are several.
    pub pool: usize,
    /// Where its users are and which pools serve them; `None`: one pool without a
    /// network before it.
    pub origins: Option<Arc<Origins>>,
    /// When calls arrive.
    pub arrivals: Arrivals,
    /// What calls ask for.
    pub lengths: Lengths,
    /// What calls think before they answer; `None`: nothing.
    pub thinking: Option<Thinking>,
    /// What calls, or sessions, share at their start; empty: nothing.
    pub prefix: Vec<Segment>,
    /// Calls are turns of sessions; `None`: each stands by itself.
    pub session: Option<Sessions>,
    /// Share of each prompt that need not be computed, in place of what the cache
    /// holds; `None`: what it holds.
    pub cache_hit: Option<f64>,
    /// What its users were promised.
    pub slo: Slo,
    /// What its users pay, if stated.
    pub price: Option<TokenPrices>,
}

/// Prices in dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenPrices {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens found in the cache.
    pub cached_input: f64,
    /// Output tokens.
    pub output: f64,
}

impl UseCase {
    /// Indices of the pools that serve it; their order numbers its sites.
    pub fn pools(&self) -> &[usize] {
        match &self.origins {
            Some(origins) => &origins.pools,
            None => std::slice::from_ref(&self.pool),
        }
    }

    /// Regions of its users; 1 where there are none.
    pub fn regions(&self) -> usize {
        self.origins.as_ref().map_or(1, |origins| origins.regions.len())
    }

    /// Those of them that calls are sent to: one, or one a region. The others serve
    /// only agents that ask them and nobody else.
    pub fn choices(&self) -> &[usize] {
        let choices = self.origins.as_ref().map_or(1, |origins| origins.choices);
        &self.pools()[..choices]
    }

    /// Share of its calls that the pool at index `pool` is expected to serve.
    pub fn expected_at(&self, pool: usize) -> f64 {
        let shares: Vec<(Option<u8>, f64)> = match &self.lengths {
            Lengths::Agents(crew) => crew.members.iter().map(|it| (it.site, it.share)).collect(),
            Lengths::Replayed(replay) => replay.shares.clone(),
            Lengths::Drawn { .. } | Lengths::Recorded => vec![(None, 1.0)],
        };
        shares.iter().map(|&(site, share)| share * self.serves(site, pool)).sum()
    }

    /// Share of the calls asked of `site`, or of whichever site they are sent to, that
    /// the pool at index `pool` is expected to serve.
    pub fn serves(&self, site: Option<u8>, pool: usize) -> f64 {
        let at = self.pools().iter().position(|&other| other == pool);
        match (at, site, &self.origins) {
            (Some(at), Some(site), _) => f64::from(u8::from(at == usize::from(site))),
            (Some(at), None, Some(origins)) => origins.expected[at],
            (at, ..) => f64::from(u8::from(at.is_some())),
        }
    }

    /// Whether the pool at index `pool` may serve calls asked of `site`, or of
    /// whichever site they are sent to.
    pub fn may_serve(&self, site: Option<u8>, pool: usize) -> bool {
        match site {
            Some(site) => self.pools()[usize::from(site)] == pool,
            None => self.choices().contains(&pool),
        }
    }

    /// Where its users are, if they are told apart by region.
    pub fn by_region(&self) -> Option<&Origins> {
        self.origins.as_deref().filter(|origins| origins.has_regions())
    }

    /// Whether its calls spend time on the network.
    pub fn has_network(&self) -> bool {
        self.origins.as_ref().is_some_and(|origins| origins.has_network())
    }

    /// The agents whose sessions it has; `None`: it has calls, or sessions of calls.
    pub fn crew(&self) -> Option<&Arc<Crew>> {
        match &self.lengths {
            Lengths::Agents(crew) => Some(crew),
            Lengths::Replayed(replay) => Some(&replay.crew),
            Lengths::Drawn { .. } | Lengths::Recorded => None,
        }
    }

    /// Whether what arrives are sessions, not calls.
    pub fn has_sessions(&self) -> bool {
        self.session.is_some() || self.crew().is_some()
    }

    /// Whether any of its calls may think before it answers.
    pub fn may_think(&self) -> bool {
        let thinks =
            |crew: &Arc<Crew>| crew.members.iter().any(|member| member.agent.thinking.is_some());
        self.thinking.is_some() || self.crew().is_some_and(thinks)
    }

    fn is_random(&self) -> bool {
        let arrives_at_random = |arrivals: &Arrivals| match arrivals {
            Arrivals::Poisson { .. } => true,
            Arrivals::Varying(demand) => demand.is_random(),
            Arrivals::ClosedLoop { think, .. } => {
                think.as_ref().is_some_and(|think| !think.is_constant())
            }
            // The regions of recorded calls are drawn.
            Arrivals::Trace { .. } => self.regions() > 1,
            Arrivals::Batch(batch) => !batch.calls.is_constant(),
            Arrivals::Constant { .. } | Arrivals::Regions(_) => false,
        };
        let arrives_at_random = self.arrivals.parts().any(arrives_at_random);
        let has_random_sessions = self.session.as_ref().is_some_and(|session| {
            let think = session.think.as_ref().is_some_and(|think| !think.is_constant());
            think || !session.turns.is_constant()
        });
        let draws = |segment: &Segment| segment.groups > 1 || !segment.tokens.is_constant();
        arrives_at_random
            || has_random_sessions
            || self.thinking.as_ref().is_some_and(Thinking::is_random)
            || self.prefix.iter().any(draws)
            || match &self.lengths {
                Lengths::Drawn { prompt, output } => !prompt.is_constant() || !output.is_constant(),
                Lengths::Recorded | Lengths::Replayed(_) => false,
                Lengths::Agents(crew) => crew.is_random(),
            }
    }
}

/// When calls arrive.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Poisson process with this many calls a second.
    Poisson {
        /// Calls a second.
        rate: f64,
    },
    /// One call every `1 / rate` seconds, the first after one interval.
    Constant {
        /// Calls a second.
        rate: f64,
    },
    /// Arrivals whose rate varies with the calendar, or around it.
    Varying(Arc<Demand>),
    /// `clients` users who each wait for an answer, think, and ask again.
    ClosedLoop {
        /// Users.
        clients: u32,
        /// Calls in all before the users stop; `None`: until the duration ends.
        requests: Option<u64>,
        /// Seconds between an answer and the next call.
        think: Option<Distribution>,
    },
    /// Replays recorded arrivals (and their lengths).
    Trace {
        /// The recording, read once and shared by all replications.
        trace: Arc<Trace>,
        /// Recorded intervals are multiplied by this (2 = half the rate).
        time_scale: f64,
    },
    /// Jobs of many calls that must be done by a deadline.
    Batch(Arc<Batch>),
    /// Users of several regions, each with arrivals of their own: the name of each
    /// region, in the order of [`Origins::regions`], and what arrives there.
    Regions(Vec<(String, Arrivals)>),
}

impl Arrivals {
    /// Those of each region; themselves where they are not told apart.
    pub fn parts(&self) -> impl Iterator<Item = &Arrivals> {
        let (whole, regions) = match self {
            Arrivals::Regions(regions) => (None, &regions[..]),
            whole => (Some(whole), &[][..]),
        };
        whole.into_iter().chain(regions.iter().map(|(_, arrivals)| arrivals))
    }
}

/// What calls ask for.
#[derive(Clone, Debug)]
pub enum Lengths {
    /// Drawn per call.
    Drawn {
        /// Prompt tokens.
        prompt: Distribution,
        /// Output tokens.
        output: Distribution,
    },
    /// Taken from the trace that also gives the arrivals.
    Recorded,
    /// As the programs of agents have it: what arrives are their sessions.
    Agents(Arc<Crew>),
    /// As sessions of agents were recorded: what arrives are sessions.
    Replayed(Arc<Replay>),
}

/// Part of what calls, or sessions, share at their start.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Use cases that say the same name share its text.
    pub name: Option<String>,
    /// Index of the use case that names its text: the first that begins alike.
    pub owner: u16,
    /// Its tokens; drawn once for each group.
    pub tokens: Distribution,
    /// Different texts, at least 1; each call (or session) has one of them.
    pub groups: u32,
    /// The k-th group is as popular as k to the power of minus this.
    pub zipf: f64,
}

/// Sessions whose turns are calls.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Turns of a session.
    pub turns: Distribution,
    /// Prompt tokens of the first turn; as of the others when absent.
    pub opening: Option<Distribution>,
    /// Seconds between an answer and the next turn.
    pub think: Option<Distribution>,
}

/// What calls think before they answer.
#[derive(Clone, Debug)]
pub struct Thinking {
    /// Which calls think.
    pub when: Thinks,
    /// How much they think.
    pub amount: ThinkingAmount,
    /// Most thinking tokens of a call.
    pub budget: Option<u32>,
    /// Thinking joins the prompts of later turns.
    pub is_kept: bool,
}

/// Which calls think.
#[derive(Clone, Debug)]
pub enum Thinks {
    /// Each with this probability.
    Often {
        /// The probability.
        probability: f64,
    },
    /// Those that are harder than a threshold.
    Above {
        /// The threshold.
        threshold: f64,
        /// How hard calls are.
        difficulty: Distribution,
    },
}

/// How much a call thinks.
#[derive(Clone, Debug)]
pub enum ThinkingAmount {
    /// So many tokens, before those of the answer.
    Tokens(Distribution),
    /// A share of all output.
    Share(Distribution),
}

impl Thinking {
    /// Whether anything of it is drawn.
    pub fn is_random(&self) -> bool {
        let is_drawn = match &self.when {
            Thinks::Often { probability } => *probability > 0.0 && *probability < 1.0,
            Thinks::Above { difficulty, .. } => !difficulty.is_constant(),
        };
        let (ThinkingAmount::Tokens(amount) | ThinkingAmount::Share(amount)) = &self.amount;
        is_drawn || !amount.is_constant()
    }
}

/// Latency promises, in seconds; a call that keeps all of them is *good*.
#[derive(Clone, Debug, Default)]
pub struct Slo {
    /// One promise each, e.g. "p95 of TTFT at most 0.8 s".
    pub targets: Vec<Target>,
}

/// One promise on one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The metric bounded from above.
    pub metric: Metric,
    /// The statistic that is promised.
    pub statistic: Statistic,
    /// The bound in seconds (for `interactivity_min`: its inverse, on TPOT).
    pub bound_s: f64,
}

/// Latency metrics of a call, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Time to first token: arrival to the end of the step that samples it.
    Ttft,
    /// Arrival to the first token after thinking; the TTFT of a call that does not think.
    VisibleTtft,
    /// Time per output token after the first: (last - first) / (outputs - 1).
    Tpot,
    /// Inter-token latency: the gap before each token after the first.
    Itl,
    /// Arrival to last token.
    E2e,
    /// Arrival to first scheduling.
    Queue,
}

/// The statistic of a metric that a promise bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The quantile at this fraction.
    Quantile(f64),
}
