//! The figures of a forecast, and the layers that multiply to them.

use super::DAYS_PER_MONTH;
use super::brings::{Estimate, Of};
use super::days::{Day, days};
use super::expected::{Expected, Upto};
use crate::demand::Hours;
use crate::kernel::Digest;
use crate::statistics::Interval;
use serde::Serialize;

/// What is expected of one use case, or of several together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Calls over the horizon.
    pub calls: Interval,
    /// Their prompt tokens.
    pub input_tokens: Interval,
    /// Prompt tokens that the cache does not spare.
    pub computed_input_tokens: Interval,
    /// Output tokens, thinking included.
    pub output_tokens: Interval,
    /// Of these, thinking tokens; `None`: no call thinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_tokens: Option<Interval>,
    /// Tokens to be computed: prompt tokens that the cache does not spare, and output.
    pub computed_tokens: Interval,
    /// The same, a second.
    pub mean_tokens_per_s: f64,
    /// The same, in 24 hours.
    pub mean_day_tokens: f64,
    /// The same, in a twelfth of 365 days.
    pub mean_month_tokens: f64,
    /// The hour with most of them.
    pub peak_hour: PeakHour,
    /// From the mean demand to the figures, in order.
    pub layers: Vec<Layer>,
    /// The whole days of the horizon.
    pub days: Vec<Day>,
}

/// The busiest whole hour; the whole horizon where it holds none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeakHour {
    /// Tokens to be computed in it, a second.
    pub tokens_per_s: f64,
    /// When it begins, since time zero.
    pub start_s: f64,
    /// The same on the local clock, RFC 3339; `None`: all hours are alike, or the
    /// scenario has no start.
    pub start_local: Option<String>,
    /// The time zone of that clock.
    pub time_zone: Option<String>,
}

/// A factor, and what there is after it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// Its name.
    pub name: &'static str,
    /// Factor on the tokens of the horizon.
    pub horizon_factor: f64,
    /// Tokens of the horizon, this layer and those before it.
    pub horizon_tokens: f64,
    /// Factor on the rate of the peak hour.
    pub peak_hour_factor: f64,
    /// Tokens a second in the peak hour, this layer and those before it.
    pub peak_hour_tokens_per_s: f64,
}

/// Names of the layers.
const LAYERS: [&str; 6] = ["base", "reasoning", "agents", "cache", "variability", "growth"];

impl Figures {
    /// The figures of `parts` together, with a peak among `hours`.
    pub fn of(parts: &[&Expected<'_>], hours: &Hours) -> Figures {
        let sum = |of: Of, upto: Upto| {
            let each = parts.iter().map(|part| part.sum(of, upto));
            each.fold(Estimate::default(), Estimate::plus)
        };
        let all = |of| sum(of, Upto::Growth).interval();
        let seconds = parts.first().map_or(0.0, |part| part.end.seconds());
        let base: f64 = parts.iter().map(|part| part.base()).sum();
        let thought: f64 = parts.iter().map(|part| part.reasoned()).sum();
        let acted = sum(Of::All, Upto::Base).mean;
        let cached = sum(Of::Computed, Upto::Base).mean;
        let varied = sum(Of::Computed, Upto::Variability).mean;
        let grown = sum(Of::Computed, Upto::Growth).mean;
        let tokens = |upto: Upto| {
            let mut sums = vec![0.0; hours.count()];
            parts.iter().for_each(|part| part.add_hours(hours, upto, &mut sums));
            sums
        };
        let (_, varied_peak, _) = peak(hours, &tokens(Upto::Variability));
        let all_hours = tokens(Upto::Growth);
        let (at, grown_peak, differs) = peak(hours, &all_hours);
        let start = hours.at(at).0;
        let local = hours.local(start).filter(|_| differs);
        Figures {
            calls: all(Of::Calls),
            input_tokens: all(Of::Input),
            computed_input_tokens: all(Of::ComputedInput),
            output_tokens: all(Of::Output),
            thinking_tokens: parts.iter().any(|part| part.thinks()).then(|| all(Of::Thinking)),
            computed_tokens: all(Of::Computed),
            mean_tokens_per_s: grown / seconds,
            mean_day_tokens: grown / seconds * 86_400.0,
            mean_month_tokens: grown / seconds * 86_400.0 * DAYS_PER_MONTH,
            peak_hour: PeakHour {
                tokens_per_s: grown_peak,
                start_s: start.seconds(),
                start_local: local
                    .as_ref()
                    .map(|local| local.timestamp().display_with_offset(local.offset()).to_string()),
                time_zone: local
                    .as_ref()
                    .map(|local| local.time_zone().iana_name().unwrap_or("UTC").to_owned()),
            },
            layers: layers(
                [base, thought, acted, cached, varied, grown],
                [
                    base / seconds,
                    thought / seconds,
                    acted / seconds,
                    cached / seconds,
                    varied_peak,
                    grown_peak,
                ],
            ),
            days: days(hours, &all_hours),
        }
    }

    /// Folds the figures into `digest`.
    pub fn fold(&self, digest: &mut Digest) {
        let intervals =
            [&self.calls, &self.input_tokens, &self.output_tokens, &self.computed_tokens];
        intervals.iter().for_each(|interval| digest.word(interval.mean.to_bits()));
        digest.word(self.peak_hour.tokens_per_s.to_bits());
        digest.word(self.peak_hour.start_s.to_bits());
        for layer in &self.layers {
            digest.word(layer.horizon_tokens.to_bits());
            digest.word(layer.peak_hour_tokens_per_s.to_bits());
        }
    }
}

/// The busiest hour, the first of equals: its index, its tokens a second, and
/// whether it is busier than another one.
fn peak(hours: &Hours, sums: &[f64]) -> (usize, f64, bool) {
    let mut at = 0;
    for (index, sum) in sums.iter().enumerate() {
        // Integrals of equal hours differ by rounding.
        if *sum > sums[at] * (1.0 + 1e-9) {
            at = index;
        }
    }
    let differs = sums.iter().any(|sum| *sum < sums[at] * (1.0 - 1e-9));
    (at, sums[at] / hours.length_s(), differs)
}

fn layers(horizon: [f64; LAYERS.len()], peak_hour: [f64; LAYERS.len()]) -> Vec<Layer> {
    let factor = |values: &[f64; LAYERS.len()], at: usize| match at {
        0 => 1.0,
        _ if values[at - 1] > 0.0 => values[at] / values[at - 1],
        // Nothing stays nothing.
        _ => 1.0,
    };
    LAYERS
        .into_iter()
        .enumerate()
        .map(|(at, name)| Layer {
            name,
            horizon_factor: factor(&horizon, at),
            horizon_tokens: horizon[at],
            peak_hour_factor: factor(&peak_hour, at),
            peak_hour_tokens_per_s: peak_hour[at],
        })
        .collect()
}
