//! When enough replications have run: sequential stopping at a relative
//! precision.
//!
//! The rule of Law and Kelton (Simulation Modeling and Analysis, 9.4.1): stop
//! when the half-width of the interval is at most g/(1 + g) of the estimate, for
//! then, with the interval's confidence, the estimate is off by no more than g
//! of the *true* value. It is asked at the ends of waves only, which are fixed
//! beforehand and double in size, so that the answer does not depend on how many
//! threads work on it, and a lucky narrow interval has few chances. Coverage
//! remains slightly below nominal (docs/statistics.md gives what was measured).

use super::Interval;

/// Numbers of replications after which the rule is asked: `min`, twice that,
/// and so on up to `max`, which is always the last.
///
/// ```
/// use tokenmill::statistics::waves;
/// assert_eq!(waves(8, 100).collect::<Vec<_>>(), [8, 16, 32, 64, 100]);
/// ```
pub fn waves(min: u32, max: u32) -> impl Iterator<Item = u32> {
    assert!(min > 0, "a wave without replications");
    let doubled = std::iter::successors(Some(min), |wave| wave.checked_mul(2));
    doubled.take_while(move |wave| *wave < max).chain(std::iter::once(max))
}

/// Share of the true value that the estimate is off by at most, with the
/// confidence of the interval; `None` when the interval reaches zero, or has no
/// ends. It is at most g exactly when the rule allows to stop at g.
pub fn relative_error(interval: &Interval) -> Option<f64> {
    let half = interval.high? - interval.mean;
    let size = interval.mean.abs();
    match half {
        0.0 => Some(0.0),
        _ if half < size => Some(half / (size - half)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_double_and_end_at_the_cap() {
        let of = |min, max| waves(min, max).collect::<Vec<_>>();
        assert_eq!(of(8, 512), [8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(of(10, 11), [10, 11]);
        assert_eq!(of(8, 8), [8]);
        assert_eq!(of(8, 1), [1]);
        assert_eq!(of(u32::MAX / 2, u32::MAX), [u32::MAX / 2, u32::MAX - 1, u32::MAX]);
    }

    #[test]
    fn relative_error_by_hand() {
        let around =
            |mean: f64, half| Interval { mean, low: Some(mean - half), high: Some(mean + half) };
        // 10 -+ 2: the truth may be 8, of which 2 is a quarter.
        assert_eq!(relative_error(&around(10.0, 2.0)), Some(0.25));
        assert_eq!(relative_error(&around(-10.0, 2.0)), Some(0.25));
        assert_eq!(relative_error(&around(1.0, 1.0)), None);
        assert_eq!(relative_error(&around(0.0, 0.5)), None);
        assert_eq!(relative_error(&Interval::constant(0.0)), Some(0.0));
        assert_eq!(relative_error(&Interval { mean: 1.0, low: None, high: None }), None);
    }
}
