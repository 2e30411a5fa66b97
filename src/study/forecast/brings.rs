//! What an arrival brings: means with their standard errors.

use crate::statistics::{Interval, student_quantile};
use crate::study::Brought;

/// An estimated number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

/// Draws behind means are so many that their number does not matter.
const FREEDOM: u32 = 10_000;

impl Estimate {
    /// With its 95 % interval.
    pub fn interval(self) -> Interval {
        let half = student_quantile(FREEDOM, 0.95) * self.error;
        Interval { mean: self.mean, low: Some(self.mean - half), high: Some(self.mean + half) }
    }

    /// As many times as much.
    pub fn times(self, factor: f64) -> Estimate {
        Estimate { mean: self.mean * factor, error: self.error * factor }
    }

    /// With another one, drawn independently.
    pub fn plus(self, other: Estimate) -> Estimate {
        let square = self.error * self.error + other.error * other.error;
        Estimate { mean: self.mean + other.mean, error: square.sqrt() }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Calls.
    Calls,
    /// Prompt tokens.
    Input,
    /// Prompt tokens that have to be computed.
    ComputedInput,
    /// Output tokens.
    Output,
    /// Of these, thinking tokens.
    Thinking,
    /// All tokens, as if there were no cache.
    All,
    /// All tokens that have to be computed: prompt and output.
    Computed,
}

impl Of {
    const EACH: [Of; 7] =
        [Of::Calls, Of::Input, Of::ComputedInput, Of::Output, Of::Thinking, Of::All, Of::Computed];

    /// That of `brought`.
    pub fn of(self, brought: &Brought) -> f64 {
        let Brought { calls, prompt, cached, output, thinking } = *brought;
        match self {
            Of::Calls => calls,
            Of::Input => prompt,
            Of::ComputedInput => prompt - cached,
            Of::Output => output,
            Of::Thinking => thinking,
            Of::All => prompt + output,
            Of::Computed => prompt - cached + output,
        }
    }
}

/// Means over arrivals.
#[derive(Clone, Debug, Default)]
pub struct Brings {
    count: f64,
    first: [f64; 7],
    /// Sums of differences to the first, and of their squares: where nothing
    /// varies the error is exactly 0.
    sums: [f64; 7],
    squares: [f64; 7],
}

impl Brings {
    /// Counts an arrival.
    pub fn add(&mut self, brought: &Brought) {
        if self.count == 0.0 {
            self.first = Of::EACH.map(|of| of.of(brought));
        }
        self.count += 1.0;
        for of in Of::EACH {
            let difference = of.of(brought) - self.first[of as usize];
            self.sums[of as usize] += difference;
            self.squares[of as usize] += difference * difference;
        }
    }

    /// Arrivals counted.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// The mean of an arrival.
    pub fn mean(&self, of: Of) -> Estimate {
        if self.count == 0.0 {
            return Estimate::default();
        }
        let difference = self.sums[of as usize] / self.count;
        let mean = self.first[of as usize] + difference;
        let variance = self.squares[of as usize] / self.count - difference * difference;
        Estimate { mean, error: (variance.max(0.0) / self.count).sqrt() }
    }
}
