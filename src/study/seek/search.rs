//! The search itself: bisection of three crossings on one set of points.
//!
//! Seen from the end of the range that keeps the bounds, there is a last point
//! that surely keeps them, a last one that keeps them by its estimate, and a
//! last one that does not surely miss them. Each lies in a bracket of two
//! neighbouring points, which is halved until it is narrow enough; a point
//! serves all three. Cost: some log2(range / tolerance) points, and as many
//! again where the interval is much wider than the tolerance.

use super::condition::Verdict;

/// What is known of a value of the key.
pub type Known = (f64, Verdict);

/// Which way the bounds are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Low values keep them.
    Largest,
    /// High values keep them.
    Smallest,
}

/// How fine values are.
#[derive(Clone, Copy, Debug)]
pub struct Resolution {
    /// Only whole values exist.
    pub is_whole: bool,
    /// Relative width of a bracket that is narrow enough.
    pub tolerance: f64,
    /// Size below which a value counts as this large.
    pub size_min: f64,
}

/// What is sought, judged by both ends of the range; `None` if they agree.
pub fn sought(from: Verdict, to: Verdict) -> Option<Sought> {
    match (from >= Verdict::Kept, to >= Verdict::Kept) {
        (true, false) => Some(Sought::Largest),
        (false, true) => Some(Sought::Smallest),
        _ => None,
    }
}

/// The last point, from the end that keeps the bounds, up to which all reach
/// `level`, and the point after it; `points` ascend.
pub fn bracket(points: &[Known], sought: Sought, level: Verdict) -> (Option<f64>, Option<f64>) {
    let on_the_way = |index: usize| match sought {
        Sought::Largest => points.get(index).copied(),
        Sought::Smallest => points.len().checked_sub(index + 1).map(|index| points[index]),
    };
    let reached = (0..points.len())
        .take_while(|&index| on_the_way(index).is_some_and(|(_, verdict)| verdict >= level))
        .count();
    let value = |index: usize| on_the_way(index).map(|(value, _)| value);
    (reached.checked_sub(1).and_then(value), value(reached))
}

/// The levels whose crossings are sought.
pub fn levels(has_intervals: bool) -> &'static [Verdict] {
    match has_intervals {
        true => &[Verdict::Kept, Verdict::SurelyKept, Verdict::Missed],
        false => &[Verdict::Kept],
    }
}

/// The values to look at next; none when all brackets are narrow enough.
pub fn next(
    points: &[Known],
    sought: Sought,
    levels: &[Verdict],
    resolution: Resolution,
) -> Vec<f64> {
    let middle = |&level: &Verdict| {
        let (near, far) = bracket(points, sought, level);
        let (near, far) = (near?, far?);
        resolution.between(near.min(far), near.max(far))
    };
    let mut values: Vec<f64> = levels.iter().filter_map(middle).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

impl Resolution {
    /// A value between two others, unless they are close enough: near their
    /// middle (the geometric one where they are far apart, because large values
    /// cost most), and of few digits.
    pub fn between(&self, low: f64, high: f64) -> Option<f64> {
        assert!(low < high, "{low} and {high} in order");
        let size = low.abs().max(high.abs()).max(self.size_min);
        if high - low <= self.tolerance * size || (self.is_whole && high - low <= 1.0) {
            return None;
        }
        let is_far = low > 0.0 && high > 4.0 * low;
        let middle = if is_far { libm::sqrt(low * high) } else { low + (high - low) / 2.0 };
        if self.is_whole {
            return Some(libm::floor(middle).clamp(low + 1.0, high - 1.0));
        }
        let is_inside =
            |value: &f64| (low + middle) / 2.0 <= *value && *value <= (middle + high) / 2.0;
        let rounded = |digits: usize| format!("{middle:.digits$e}").parse().expect("a number");
        (0..17).map(rounded).find(is_inside).or(Some(middle)).filter(|v| low < *v && *v < high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REAL: Resolution = Resolution { is_whole: false, tolerance: 0.01, size_min: 1e-3 };
    const WHOLE: Resolution = Resolution { is_whole: true, tolerance: 0.0, size_min: 1e-3 };

    /// Searches until no value is wanted.
    fn search(
        (from, to): (f64, f64),
        resolution: Resolution,
        verdict: impl Fn(f64) -> Verdict,
    ) -> (Vec<Known>, Option<Sought>) {
        let mut points = vec![(from, verdict(from)), (to, verdict(to))];
        let sought = sought(points[0].1, points[1].1);
        for round in 0.. {
            assert!(round < 200, "the search ends");
            let Some(sought) = sought else { break };
            let values = next(&points, sought, levels(true), resolution);
            if values.is_empty() {
                break;
            }
            points.extend(values.into_iter().map(|value| (value, verdict(value))));
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "no value twice");
        (points, sought)
    }

    /// A curve that crosses at `at` with a band from `low` to `high`.
    fn band(low: f64, at: f64, high: f64) -> impl Fn(f64) -> Verdict {
        move |value| match value {
            v if v <= low => Verdict::SurelyKept,
            v if v <= at => Verdict::Kept,
            v if v <= high => Verdict::Missed,
            _ => Verdict::SurelyMissed,
        }
    }

    #[test]
    fn values_looked_at_are_near_the_middle_and_short() {
        let between = |low, high| REAL.between(low, high).unwrap();
        assert_eq!(between(8.0, 16.0), 10.0);
        assert_eq!(between(1.0, 1000.0), 30.0);
        assert_eq!(between(26.0, 27.0), 26.5);
        assert_eq!(between(26.4, 27.0), 26.7);
        assert_eq!(between(0.0, 1.0), 0.5);
        assert_eq!(between(-3.0, 1.0), -1.0);
        assert_eq!(REAL.between(26.4, 26.6), None);
        assert_eq!(REAL.between(0.0, 1e-5), None);
        assert_eq!(WHOLE.between(3.0, 4.0), None);
        assert_eq!(WHOLE.between(3.0, 5.0), Some(4.0));
        assert_eq!(WHOLE.between(1.0, 64.0), Some(8.0));
        assert_eq!(WHOLE.between(1.0, 1_000_000.0), Some(1000.0));
    }

    #[test]
    fn whole_crossings_are_exact() {
        for at in 0..=40_u32 {
            let at = f64::from(at);
            let (points, sought) = search((1.0, 40.0), WHOLE, band(at, at, at));
            match sought {
                None => assert!(!(1.0..40.0).contains(&at)),
                Some(sought) => {
                    let crossing = bracket(&points, sought, Verdict::Kept);
                    assert_eq!(crossing, (Some(at), Some(at + 1.0)));
                    // Both ends, log2(39) halvings, and one for the geometric middle.
                    assert!(points.len() <= 9, "{} points", points.len());
                }
            }
        }
    }

    #[test]
    fn a_dip_is_not_crossed() {
        // Kept, missed, kept again, missed: the first crossing counts.
        let verdict = |v: f64| match v {
            v if v <= 10.0 || (20.0..=22.0).contains(&v) => Verdict::SurelyKept,
            _ => Verdict::SurelyMissed,
        };
        let (points, sought) = search((1.0, 40.0), WHOLE, verdict);
        assert_eq!(bracket(&points, sought.unwrap(), Verdict::Kept), (Some(10.0), Some(11.0)));
    }

    proptest! {
        /// Whatever the curve, each crossing ends in a bracket that holds it and is narrow.
        #[test]
        fn crossings_are_bracketed(
            from in -5.0..50.0_f64,
            width in 0.01..1000.0_f64,
            mut shares in prop::array::uniform3(0.0..1.0_f64),
            tolerance in 1e-6..0.2_f64,
            is_falling: bool,
        ) {
            shares.sort_by(f64::total_cmp);
            let to = from + width;
            let [low, at, high] = shares.map(|share| from + share * width);
            let resolution = Resolution { is_whole: false, tolerance, size_min: width / 1e3 };
            let kept = band(low, at, high);
            // Seen from the other end the same crossing is a smallest value.
            let verdict = |v: f64| if is_falling { kept(from + to - v) } else { kept(v) };
            let (points, sought) = search((from, to), resolution, verdict);
            prop_assume!(sought.is_some());
            let sought = sought.unwrap();
            prop_assert_eq!(sought == Sought::Smallest, is_falling);
            for (level, crossing) in
                [(Verdict::SurelyKept, low), (Verdict::Kept, at), (Verdict::Missed, high)]
            {
                let crossing = if is_falling { from + to - crossing } else { crossing };
                let (near, far) = bracket(&points, sought, level);
                let (Some(near), Some(far)) = (near, far) else { continue };
                let (a, b) = (near.min(far), near.max(far));
                prop_assert!(a <= crossing + 1e-9 && crossing <= b + 1e-9, "{a} {crossing} {b}");
                let size = a.abs().max(b.abs()).max(resolution.size_min);
                prop_assert!(b - a <= tolerance * size * (1.0 + 1e-9));
            }
        }
    }
}
