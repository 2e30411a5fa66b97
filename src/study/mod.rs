//! Studies: what is asked of the model, over one or many runs.
//!
//! Each study is one call, and each has an example that runs:
//!
//! | study | what it answers |
//! |---|---|
//! | [`replicate`] | what one scenario comes to: a [`Summary`], and the [`Series`] that charts are drawn from |
//! | [`compare`](compare()) | what each arm changes |
//! | [`sweep::sweep`] | what many points come to |
//! | [`seek::seek`] | at which value of a key bounds are just kept |
//! | [`forecast::forecast`] | which tokens are expected, without simulating |
//!
//! All of them run on the current rayon pool (`ThreadPool::install` chooses
//! another), give the same result on any number of threads, and tell a function
//! of the caller's about each finished replication.

mod cache_replay;
mod capacity;
mod compare;
mod episode;
mod figures;
pub mod forecast;
mod generated;
pub mod import;
mod measured;
mod mix;
mod precision;
mod reduce;
mod replicate;
mod runs;
pub mod seek;
mod series;
mod steady;
mod step_table;
mod summary;
pub mod sweep;
mod transient;
pub mod validation;
pub mod windows;

pub use cache_replay::{
    CacheAnswer, CacheQuestion, CacheReplay, CurvePoint, Distances, Freshness, Hits, MissCurve,
    Prompt, Prompts, StoreReplay, Variant, replay_cache,
};
pub use capacity::{Load, load_of};
pub use compare::{ArmSummary, Compared, Comparison, Difference, compare, runs as compare_runs};
pub use episode::{PoolArrivals, UseCaseArrivals, has_drain};
pub use figures::{Unit, figure_paths, headline_figures};
pub use generated::{Generated, GeneratedCall};
pub use mix::{Brought, Mix};
pub use precision::Precision;
pub use replicate::{Replicated, replicate, runs};
pub use series::{Band, Cdf, FrontierPoint, PoolSeries, Series, UseCaseSeries};
pub use steady::Settling;
pub use step_table::{Annotated, Deployment, StepTable, Work};
pub use summary::{
    AgentSummary, JobsSummary, Latency, Mean, PoolSummary, RegionSummary, SessionsSummary, Summary,
    SuppliedSummary, ThinkingSummary, TierSummary, ToolPoolSummary, TotalSummary, TurnSummary,
    UsdPerHour, UsdPerMtok, UseCaseSummary,
};
