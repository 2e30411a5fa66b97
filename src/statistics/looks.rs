//! How long a series remembers, and so how many independent looks a window holds.
//!
//! The number of calls in a pool now tells of that a while later. The time that it
//! takes to forget, the integrated autocorrelation time tau = the integral of the
//! autocorrelation from 0 on, grows as 1/(1 - load)^2: in M/M/1 it is (1 + load) /
//! (1 - load)^2 service times, 780 at 95 %. A window of length T says as much of a
//! mean as T / (2 tau) independent values, and an interval from windows that hold
//! few of them is wrong, however many calls there were.
//!
//! The autocorrelation is estimated at lags of 1, 2, 4, ... 256 samples around the
//! mean of all replications, taken as linear between them, and integrated up to where
//! it vanishes or to four times the integral so far (Sokal 1997).

use serde::{Deserialize, Serialize};

const LAGS: usize = 9;
/// Lag, as a multiple of the integral so far, at which it ends.
const ENDS: f64 = 4.0;
/// Fewest samples of a window of which anything is told.
const SAMPLES_MIN: usize = 17;

/// What one window says of memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Seconds between samples.
    spacing_s: f64,
    /// Mean of the samples.
    mean: f64,
    /// Mean of their squares.
    square: f64,
    /// Mean products of samples at each lag; `None` of lags beyond half the window.
    products: [Option<f64>; LAGS],
}

impl Memory {
    /// Of samples taken every `spacing_s` seconds; `None` of too few.
    pub fn of(samples: &[f64], spacing_s: f64) -> Option<Memory> {
        if samples.len() < SAMPLES_MIN {
            return None;
        }
        let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| {
            values.sum::<f64>() / count as f64
        };
        let product = |power: usize| {
            let lag = 1 << power;
            let count = samples.len().checked_sub(lag).filter(|&count| count >= lag)?;
            let pairs = samples.iter().zip(&samples[lag..]);
            Some(mean(&mut pairs.map(|(a, b)| a * b), count))
        };
        Some(Memory {
            spacing_s,
            mean: mean(&mut samples.iter().copied(), samples.len()),
            square: mean(&mut samples.iter().map(|sample| sample * sample), samples.len()),
            products: std::array::from_fn(product),
        })
    }
}

/// The time in which what these windows are of forgets, s: zero if it does not vary.
/// `None` without windows.
pub fn windows_memory(windows: &[Memory]) -> Option<f64> {
    let spacing_s = windows.iter().map(|window| window.spacing_s).reduce(f64::max)?;
    // A run of unknown length may have been sampled half as often as another.
    let windows: Vec<&Memory> = windows.iter().filter(|it| it.spacing_s == spacing_s).collect();
    let n = windows.len() as f64;
    let mean = windows.iter().map(|window| window.mean).sum::<f64>() / n;
    let variance = windows.iter().map(|window| window.square).sum::<f64>() / n - mean * mean;
    // Rounding leaves something of what does not vary.
    if variance <= 1e-12 * mean * mean {
        return Some(0.0);
    }
    let (mut sum, mut last_lag, mut last) = (0.0, 0.0, 1.0);
    for power in 0..LAGS {
        let products: Option<Vec<f64>> = windows.iter().map(|it| it.products[power]).collect();
        let Some(products) = products else { break };
        let lag = f64::from(1u32 << power);
        let correlation = (products.iter().sum::<f64>() / n - mean * mean) / variance;
        if correlation <= 0.0 {
            let zero = (lag - last_lag) * last / (last - correlation);
            sum += zero * last / 2.0;
            break;
        }
        sum += (lag - last_lag) * (last + correlation) / 2.0;
        (last_lag, last) = (lag, correlation);
        if lag >= ENDS * sum {
            break;
        }
    }
    Some(sum * spacing_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    /// A first-order autoregression that forgets in `samples` samples.
    fn series(seed: u64, samples: f64, count: usize) -> Vec<f64> {
        let mut stream = Streams::new(seed, 0).stream(Component::Arrivals, 0, 0);
        let kept = libm::exp(-1.0 / samples);
        let mut value = 0.0;
        let mut next = || {
            value = kept * value + stream.unit() - 0.5;
            value
        };
        (0..20 * count).for_each(|_| _ = next());
        (0..count).map(|_| 100.0 + next()).collect()
    }

    #[test]
    fn finds_how_long_a_series_remembers() {
        for samples in [3.0, 10.0, 40.0] {
            let windows: Vec<Memory> =
                (0..64).map(|seed| Memory::of(&series(seed, samples, 600), 2.0).unwrap()).collect();
            let found = windows_memory(&windows).unwrap();
            // What lies beyond four memories is exp(-4) of it; lines between lags lie
            // above an exponential.
            assert!((0.85..1.25).contains(&(found / (2.0 * samples))), "{samples}: {found}");
        }
    }

    #[test]
    fn what_does_not_vary_remembers_nothing() {
        let same = Memory::of(&[3.0; 40], 1.0).unwrap();
        assert_eq!(windows_memory(&[same, same]), Some(0.0));
        assert_eq!(Memory::of(&[1.0; 16], 1.0), None);
        assert_eq!(windows_memory(&[]), None);
    }

    #[test]
    fn by_hand() {
        // Two levels, each held for half of the window: products at a lag of 1 are 1
        // but for one of 19 pairs.
        let samples: Vec<f64> = (0..20).map(|i| f64::from(u8::from(i >= 10))).collect();
        let memory = Memory::of(&samples, 1.0).unwrap();
        assert_eq!((memory.mean, memory.square), (0.5, 0.5));
        assert_eq!(memory.products[0], Some(9.0 / 19.0 + 0.0));
        assert_eq!(memory.products[3], Some(2.0 / 12.0));
        assert_eq!(memory.products[4], None);
        // Correlations (9/19 - 1/4) / (1/4) = 0.8947, 8/18: 0.7778, 6/16: 0.5, 2/12: -0.3333.
        let found = windows_memory(&[memory]).unwrap();
        let by_hand = (1.0 + 0.894_737) / 2.0
            + (0.894_737 + 0.777_778) / 2.0
            + 2.0 * (0.777_778 + 0.5) / 2.0
            + 4.0 * 0.5 / (0.5 + 0.333_333) * 0.5 / 2.0;
        assert!((found - by_hand).abs() < 1e-5, "{found} {by_hand}");
    }
}
