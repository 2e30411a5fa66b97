//! Where the initial transient ends: MSER-5.
//!
//! White's marginal standard error rule on means of five (Spratt 1998): cut
//! where the rest of the series estimates its own mean with the least standard
//! error. Give it the average of all replications' series, sampled at equal
//! intervals, and use one cut for all arms of a comparison. Cost: one pass.

/// The transient does not end within the run, so no steady state was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run is too short to tell its warm-up from its steady state")]
pub struct RunTooShort;

const BATCH: usize = 5;
const BATCHES_MIN: usize = 10;

/// Index in `series` at which the transient has ended.
///
/// Cuts up to half of the series are tried; a best cut in the last tenth of
/// that range, or a series of fewer than 50 values, means that the run is too
/// short.
pub fn mser5(series: &[f64]) -> Result<usize, RunTooShort> {
    let batches: Vec<f64> =
        series.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    let n = batches.len();
    if n < BATCHES_MIN {
        return Err(RunTooShort);
    }
    let cuts_end = n / 2;
    let (mut best, mut best_error) = (0, f64::INFINITY);
    // From the end backwards: mean and squared deviations by Welford's update.
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for (cut, &value) in batches.iter().enumerate().rev() {
        count += 1.0;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
        let error = squares / (count * count);
        if cut <= cuts_end && error <= best_error {
            (best, best_error) = (cut, error);
        }
    }
    if best * 10 >= cuts_end * 9 { Err(RunTooShort) } else { Ok(best * BATCH) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    fn series(transient: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut stream = Streams::new(5, 0).stream(Component::Arrivals, 0, 0);
        (0..1000).map(|i| 10.0 + transient(f64::from(i)) + stream.unit() - 0.5).collect()
    }

    #[test]
    fn cuts_what_the_formula_says() {
        // Brute force of sum (y - mean)^2 / (n - d)^2 over batch means.
        let series = series(|t| -10.0 * (-t / 60.0).exp());
        let batches: Vec<f64> = series.chunks(5).map(|c| c.iter().sum::<f64>() / 5.0).collect();
        let error = |cut: usize| {
            let rest = &batches[cut..];
            let mean = rest.iter().sum::<f64>() / rest.len() as f64;
            rest.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (rest.len() as f64).powi(2)
        };
        let best = (0..=100).min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap();
        assert_eq!(mser5(&series), Ok(5 * best));
        assert!((150..400).contains(&(5 * best)), "{best}");
    }

    #[test]
    fn keeps_a_steady_series_and_refuses_a_growing_one() {
        assert!(mser5(&series(|_| 0.0)).unwrap() <= 50);
        assert_eq!(mser5(&[3.0; 500]), Ok(0));
        assert_eq!(mser5(&series(|t| t)), Err(RunTooShort));
        assert_eq!(mser5(&[1.0; 49]), Err(RunTooShort));
    }
}
