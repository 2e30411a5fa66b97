//! From a recording to a scenario: laws, curves and bursts that generate calls
//! like those recorded, each with how well it fits.
//!
//! A recording is read once, in an order that a bounded buffer mends, after a
//! look at its beginning; memory does not grow with it. What comes out is a use
//! case, which is then simulated: what its calls come to stands beside what the
//! recording says, from the same counters.

mod again;
mod burst;
mod calls;
mod clock;
mod counts;
mod course;
mod fragment;
mod gaps;
mod lengths;
mod rate;
mod residual;
mod servegen;
mod sessions;
mod table;

pub use burst::{Bursts, Chain};
pub use calls::{Question, import_calls};
pub use counts::{Counts, Dispersion};
pub use course::{import_clients, import_rates};
pub use fragment::{DEFAULT_POOL, LengthLaw, short};
pub use gaps::GapLaw;
pub use lengths::{LengthCounts, Lengths, Mixture, Quantiles};
pub use rate::{Hourly, Left, RateFit, Tenants};
pub use residual::DayNoise;
pub use servegen::{Clients, is_folder_of_clients, read_clients};
pub use table::{RateLayout, RateTable, is_rates, read_rates};

use serde::Serialize;

/// What a recording was found to be, and the use case that is like it.
#[derive(Clone, Debug, Serialize)]
pub struct Imported {
    /// The file.
    pub file: String,
    /// Its layout.
    pub format: &'static str,
    /// Calls that were read; of rates, those expected of them.
    pub calls: u64,
    /// From the first to the last, s; `None` where it does not say when calls came.
    pub length_s: Option<f64>,
    /// Calls a second.
    pub rate_per_s: Option<f64>,
    /// Law of the gaps between calls and chains of states.
    pub bursts: Option<Bursts>,
    /// Kolmogorov's distance of gaps to the laws that were tried.
    pub gaps: Vec<GapFit>,
    /// Dispersion of the counts in windows.
    pub dispersion: Vec<DispersionFit>,
    /// The course of day and week, and what varies around it; of a whole day and more.
    pub course: Option<RateFit>,
    /// What that comes to in simulation.
    pub course_again: Option<CourseAgain>,
    /// Prompt tokens; `None` where nothing is known of lengths.
    pub prompt_tokens: Option<LengthFit>,
    /// Output tokens.
    pub output_tokens: Option<LengthFit>,
    /// Sessions, where calls are turns of them.
    pub sessions: Option<SessionFit>,
    /// Correlation of the logarithms of the two, where single calls are known.
    pub correlation: Option<f64>,
    /// The use case simulated.
    pub again: Option<Again>,
    /// What must be known to read the figures.
    pub notes: Vec<String>,
    /// The use case, as part of a scenario.
    pub fragment: String,
    /// A scenario of it alone, which runs as it is.
    #[serde(skip)]
    pub scenario: String,
}

/// How far gaps are from a law.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GapFit {
    /// The law.
    #[serde(flatten)]
    pub law: GapLaw,
    /// Kolmogorov's distance.
    pub distance: f64,
    /// Gaps compared.
    pub n: u64,
}

/// Variance over mean of the counts in windows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DispersionFit {
    /// Width of a window, s.
    pub window_s: f64,
    /// Windows compared with each other.
    pub windows: u64,
    /// In the recording.
    pub trace: f64,
    /// That the fitted law and chains are expected to show.
    pub model: f64,
    /// That they showed in simulation.
    pub again: Option<f64>,
}

/// How a law fits lengths.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LengthFit {
    /// Lengths compared.
    pub n: f64,
    /// Mean.
    pub mean: f64,
    /// Quantiles by percent: recorded, and simulated.
    pub quantiles: Vec<QuantileFit>,
    /// Kolmogorov's distance of the table of quantiles.
    pub empirical_distance: f64,
    /// Its points.
    pub empirical_points: usize,
    /// Kolmogorov's distance of the mixture of lognormal laws.
    pub mixture_distance: f64,
    /// Its parts.
    pub mixture_parts: usize,
}

/// Sessions of a recording.
#[derive(Clone, Debug, Serialize)]
pub struct SessionFit {
    /// Sessions that were followed.
    pub sessions: f64,
    /// Whether others were left out for want of room.
    pub is_sample: bool,
    /// Share of calls that are later turns.
    pub later_fraction: f64,
    /// Turns of a session.
    pub turns: LengthFit,
    /// Tokens of first prompts behind the shared prefix.
    pub opening_tokens: LengthFit,
    /// Tokens that later prompts add to prompt and answer before.
    pub fresh_tokens: LengthFit,
    /// From one turn to the next, the answer included, s; `None` where it is not
    /// known.
    pub median_think_s: Option<f64>,
    /// Tokens that all prompts begin with, and the share of prompts that does.
    pub prefix_tokens: u32,
    /// See `prefix_tokens`.
    pub prefix_fraction: f64,
}

/// A quantile of lengths.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QuantileFit {
    /// Which, in percent.
    pub percent: f64,
    /// Recorded.
    pub trace: f64,
    /// In simulation.
    pub again: Option<f64>,
}

/// Hourly rates simulated, and fitted again.
#[derive(Clone, Debug, Serialize)]
pub struct CourseAgain {
    /// How often.
    pub replications: u32,
    /// Mean rate, calls a second.
    pub rate_per_s: f64,
    /// Mean absolute difference of the profile, mean over all, from that of the
    /// recording, over its peak.
    pub error: f64,
    /// Moments of what is left, mean over all.
    pub left: Option<Left>,
}

/// The use case simulated.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Again {
    /// How often.
    pub replications: u32,
    /// For how long, s.
    pub length_s: f64,
    /// Calls a second.
    pub rate_per_s: f64,
}
