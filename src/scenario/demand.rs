//! How demand varies, as checked.

use super::Arrivals;
use crate::demand::curve::{self, Curve, DayPlan, Shape};
use crate::demand::variability::{Gaps, Variability};
use crate::kernel::{Span, Time};
use crate::random::Distribution;
use jiff::tz::TimeZone;

/// How the rate of arrivals varies.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The rate that is forecast.
    pub curve: Curve,
    /// The time zone that its days and hours are those of.
    pub zone: TimeZone,
    /// How long arrivals are asked for.
    pub duration: Span,
    /// Causes of growth, by their index in the curve, that double in a time
    /// drawn once a replication, s.
    pub uncertain: Vec<(usize, Distribution)>,
    /// What varies around the curve.
    pub variability: Variability,
    /// Gaps between arrivals.
    pub gaps: Gaps,
    /// Customers that share the rate; `None`: one.
    pub tenants: Option<Tenants>,
}

/// Customers, each with its own arrivals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tenants {
    /// How many.
    pub count: u32,
    /// The demand of the k-th is as k to the power of minus this.
    pub zipf: f64,
    /// How long one is active, and how long it is silent, in the mean, s; `None`:
    /// always active.
    pub on_off_s: Option<(f64, f64)>,
}

impl Demand {
    /// Whether the rate that is forecast is always the same.
    pub fn is_stationary(&self) -> bool {
        let is_mean = |plan: &DayPlan| plan.factor == 1.0;
        self.curve.growth.is_empty()
            && self.curve.shapes.iter().all(|shape| *shape == Shape::FLAT)
            && self.curve.days.iter().all(is_mean)
    }

    /// Whether its rate is the same at all times and in all replications, so that only
    /// the gaps between arrivals are drawn.
    pub fn has_one_rate(&self) -> bool {
        self.is_stationary()
            && self.uncertain.is_empty()
            && self.variability == Variability::default()
            && self.tenants.is_none_or(|tenants| tenants.on_off_s.is_none())
    }

    /// Whether anything of it is drawn.
    pub fn is_random(&self) -> bool {
        self.gaps.is_random()
            || !self.uncertain.is_empty()
            || self.variability != Variability::default()
            || self.tenants.is_some_and(|tenants| tenants.on_off_s.is_some())
    }

    /// Expected arrivals a second, over the whole duration.
    pub fn mean_rate(&self) -> f64 {
        match self.duration {
            Span::ZERO => self.curve.rate,
            _ if self.is_stationary() => self.curve.rate,
            duration => self.curve.arrivals(Time::ZERO, Time::ZERO + duration) / duration.seconds(),
        }
    }
}

impl Arrivals {
    /// Arrivals a second in the mean that come whatever happens; none of closed
    /// loops.
    pub fn mean_rate(&self) -> f64 {
        match self {
            Arrivals::Poisson { rate } | Arrivals::Constant { rate } => *rate,
            Arrivals::Varying(demand) => demand.mean_rate(),
            Arrivals::ClosedLoop { .. } => 0.0,
            Arrivals::Trace { trace, time_scale } => {
                let length_s = trace.length.seconds() * time_scale;
                if length_s > 0.0 { (trace.calls as f64 - 1.0) / length_s } else { 0.0 }
            }
            Arrivals::Batch(batch) => batch.calls_per_s,
            Arrivals::Regions(_) => self.parts().map(Arrivals::mean_rate).sum(),
        }
    }

    /// The highest rate that is forecast before `end`, all regions together.
    pub fn peak_rate(&self, end: Time) -> f64 {
        let curves = self.parts().filter_map(|part| match part {
            Arrivals::Varying(demand) => Some(&demand.curve),
            _ => None,
        });
        let curves: Vec<&Curve> = curves.collect();
        let is_even = |part: &&Arrivals| !matches!(part, Arrivals::Varying(_));
        let even: f64 = self.parts().filter(is_even).map(Arrivals::mean_rate).sum();
        even + curve::peak(&curves, Time::ZERO, end)
    }
}
