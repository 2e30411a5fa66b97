//! Axes: where a value lies and which values are named.
//!
//! An axis is chosen from the data it must show, so it copes with whatever
//! comes: nothing, one value, zeros on a logarithmic scale, ten decades.

use super::drawing::text_width;
use super::style::LABEL;
use crate::report::figure::grouped;
use jiff::civil::{Date, Weekday};

/// A value axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Ends of the axis, in logarithms on a logarithmic scale.
    from: f64,
    to: f64,
    is_log: bool,
    /// Named values.
    pub ticks: Vec<Tick>,
    /// Values below the axis exist and are drawn at its lower end.
    pub is_cut: bool,
}

/// A named value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// Its name.
    pub label: String,
}

/// Most decades shown on a logarithmic axis; smaller values lie at its end.
const DECADES_MAX: f64 = 6.0;

/// Longest time an axis is made for: what the simulator's clock holds, 58 years.
const SECONDS_MAX: f64 = 58.5 * 365.25 * 86_400.0;
/// Times shorter than a tick of that clock count as zero.
const SECONDS_MIN: f64 = 1e-10;

/// Ends of a scale of ratios: -99 % and a hundred times as much.
const RATIO_MIN: f64 = 0.01;
const RATIO_MAX: f64 = 101.0;

impl Axis {
    /// Where `value` lies, 0 at the lower end and 1 at the upper; what is
    /// beyond an end lies on it.
    pub fn at(&self, value: f64) -> f64 {
        let value = match self.is_log {
            true if value <= 0.0 => return 0.0,
            true => libm::log10(value),
            false => value,
        };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// An axis without values or names.
    pub fn unnamed() -> Axis {
        Axis { from: 0.0, to: 1.0, is_log: false, ticks: Vec::new(), is_cut: false }
    }

    /// From zero to the largest value, with room above it; at most `count` steps.
    pub fn linear(values: Vec<f64>, count: usize) -> Axis {
        let top = values.into_iter().filter(|v| v.is_finite()).fold(0.0, f64::max).min(1e300);
        let top = if top > 0.0 { top * 1.05 } else { 1.0 };
        let (mantissa, exponent) = nice_step(top / count as f64);
        let step = power(mantissa, exponent);
        let ticks = (0..).map(|i| (i, i as f64 * step)).take_while(|&(_, value)| value <= top);
        let ticks = ticks.map(|(i, value)| Tick { value, label: number(i * mantissa, exponent) });
        Axis { from: 0.0, to: top, is_log: false, ticks: ticks.collect(), is_cut: false }
    }

    /// From the smallest to the largest value; at most `count` steps.
    pub fn span(values: &[f64], count: usize) -> Axis {
        let finite = || values.iter().copied().filter(|v| v.abs() <= 1e300);
        let from = finite().fold(f64::INFINITY, f64::min);
        let to = finite().fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = match (from.is_finite(), to > from) {
            (false, _) => (0.0, 1.0),
            (true, false) if from == 0.0 => (-0.5, 0.5),
            (true, false) => (from - 0.5 * from.abs(), from + 0.5 * from.abs()),
            (true, true) => (from, to),
        };
        let (mantissa, exponent) = nice_step((to - from) / count as f64);
        let step = power(mantissa, exponent);
        // A little room, so that nothing lies on the frame.
        let room = 0.03 * (to - from);
        let (low, high) = (from - room, to + room);
        let first = libm::ceil(low / step) as i64;
        let ticks = (first..).map(|i| (i, i as f64 * step)).take_while(|&(_, value)| value <= high);
        let name = |i: i64| {
            let sign = if i < 0 { "-" } else { "" };
            format!("{sign}{}", number(i.unsigned_abs() * mantissa, exponent))
        };
        let ticks = ticks.map(|(i, value)| Tick { value, label: name(i) });
        Axis { from: low, to: high, is_log: false, ticks: ticks.collect(), is_cut: false }
    }

    /// Plain numbers above zero on a logarithmic scale `width` pixels wide;
    /// `None` when there is none.
    pub fn log(values: &[f64], width: f64) -> Option<Axis> {
        let logs = || values.iter().filter(|v| **v > 0.0 && v.is_finite()).map(|v| libm::log10(*v));
        let (low, high) =
            logs().map(|log| (log, log)).reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))?;
        let room = f64::max((0.5 - (high - low)) / 2.0, 0.03 * (high - low));
        let (from, to) = (low - room, high + room);
        let mut axis = Axis { from, to, is_log: true, ticks: Vec::new(), is_cut: false };
        axis.ticks = log_ticks(&axis, width, |tenths, exponent| match tenths % 10 {
            0 => number(tenths / 10, exponent),
            _ => number(tenths, exponent - 1),
        });
        Some(axis)
    }

    /// Named places, one apart.
    pub fn places<'a>(names: impl Iterator<Item = &'a str>) -> Axis {
        let tick = |(i, name): (usize, &str)| Tick { value: i as f64, label: name.to_owned() };
        let ticks: Vec<Tick> = names.enumerate().map(tick).collect();
        let to = ticks.len() as f64 - 0.5;
        Axis { from: -0.5, to: to.max(0.5), is_log: false, ticks, is_cut: false }
    }

    /// The same axis with only as many names as fit `width` pixels side by side.
    pub fn thinned(mut self, width: f64) -> Axis {
        let widest = self.ticks.iter().map(|tick| text_width(&tick.label, LABEL, false));
        let room = widest.fold(0.0, f64::max) + 10.0;
        let most = ((width / room) as usize).max(1);
        let every = self.ticks.len().div_ceil(most).max(1);
        let mut index = 0;
        self.ticks.retain(|_| {
            index += 1;
            (index - 1) % every == 0
        });
        self
    }

    /// A share from 0 to 100 %.
    pub fn share() -> Axis {
        let ticks = [0, 25, 50, 75, 100].map(|percent| Tick {
            value: f64::from(percent) / 100.0,
            label: if percent == 0 { "0".into() } else { format!("{percent} %") },
        });
        Axis { from: 0.0, to: 1.0, is_log: false, ticks: ticks.into(), is_cut: false }
    }

    /// Durations in seconds on a logarithmic scale `width` pixels wide; `None`
    /// when no value is above zero.
    pub fn log_seconds(values: impl Iterator<Item = f64>, width: f64) -> Option<Axis> {
        let mut ends: Option<(f64, f64)> = None;
        let mut has_zero = false;
        for value in values.filter(|v| v.abs() <= SECONDS_MAX) {
            has_zero |= value < SECONDS_MIN;
            if value >= SECONDS_MIN {
                let log = libm::log10(value);
                ends = Some(ends.map_or((log, log), |(a, b)| (a.min(log), b.max(log))));
            }
        }
        let (low, high) = ends?;
        let from = low.max(high - DECADES_MAX);
        // At least half a decade, and a little room at both ends.
        let room = f64::max((0.5 - (high - from)) / 2.0, 0.03 * (high - from));
        let (from, to) = (from - room, high + room);
        let is_cut = has_zero || low < from;
        let mut axis = Axis { from, to, is_log: true, ticks: Vec::new(), is_cut };
        axis.ticks = log_ticks(&axis, width, duration);
        Some(axis)
    }

    /// Relative differences on a scale of ratios `width` pixels wide: what is
    /// placed are ratios (1 is no change), what is named are differences
    /// ("-20 %"). No change is always on it, and so are the `middles`; of the
    /// `ends` only those that do not squeeze these.
    pub fn relative(middles: &[f64], ends: &[f64], width: f64) -> Axis {
        let log = |difference: f64| libm::log10((1.0 + difference).clamp(RATIO_MIN, RATIO_MAX));
        let finite = |values: &[f64]| {
            values.iter().copied().filter(|v| v.is_finite()).fold(
                (0.0, 0.0),
                |(low, high), difference| {
                    (f64::min(low, log(difference)), f64::max(high, log(difference)))
                },
            )
        };
        let (first, last) = finite(middles);
        let (lowest, highest) = finite(ends);
        let most = f64::max(last - first, 0.1);
        let low = f64::min(first, lowest.max(first - most));
        let high = f64::max(last, highest.min(last + most));
        let is_cut = lowest < low
            || highest > high
            || low <= libm::log10(RATIO_MIN)
            || high >= libm::log10(RATIO_MAX);
        // At least half a percent wide, and a little room at both ends.
        let room = f64::max(0.05 * (high - low), 0.001);
        let (from, to) = (low - room, high + room);
        let mut axis = Axis { from, to, is_log: true, ticks: Vec::new(), is_cut };
        axis.ticks = relative_ticks(&axis, width);
        axis
    }

    /// Simulated time, and the unit of its labels.
    pub fn time(values: &[f64]) -> (Axis, &'static str) {
        let finite = || values.iter().copied().filter(|v| v.abs() <= SECONDS_MAX);
        let from = finite().fold(f64::INFINITY, f64::min);
        let to = finite().fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = match (from.is_finite(), to > from) {
            (false, _) => (0.0, 1.0),
            (true, false) => (from, from + f64::max(1.0, from.abs() * 1e-6)),
            (true, true) => (from, to),
        };
        let (step, factor, unit) = time_step((to - from) / 8.0);
        let first = (from / step).ceil();
        let ticks = (0..20).map(|i| (first + f64::from(i)) * step).take_while(|&t| t <= to);
        let decimals = decimals_of(step / factor);
        let ticks = ticks.map(|t| Tick { value: t, label: grouped(t / factor, decimals) });
        (Axis { from, to, is_log: false, ticks: ticks.collect(), is_cut: false }, unit)
    }

    /// Days by when they begin, in order, on a scale `width` pixels wide. Named are as
    /// many as there is room for: all, Mondays, first days of months, of quarters, of halves, of
    /// years.
    pub fn dates(days: &[(f64, Date)], width: f64) -> Axis {
        type IsNamed = fn(Date) -> bool;
        let sets: [(IsNamed, &str); 6] = [
            (|_| true, "%b %-d"),
            (|date| date.weekday() == Weekday::Monday, "%b %-d"),
            (|date| date.day() == 1, "%b %Y"),
            (|date| date.day() == 1 && date.month() % 3 == 1, "%b %Y"),
            (|date| date.day() == 1 && date.month() % 6 == 1, "%b %Y"),
            (|date| date.day() == 1 && date.month() == 1, "%Y"),
        ];
        let seconds: Vec<f64> = days.iter().map(|(start_s, _)| *start_s).collect();
        let (mut axis, _) = Axis::time(&seconds);
        let named = |(is_named, format): (IsNamed, &str)| -> Vec<Tick> {
            let days = days.iter().filter(|(_, date)| is_named(*date));
            days.map(|&(value, date)| Tick { value, label: date.strftime(format).to_string() })
                .collect()
        };
        let fits = |ticks: &Vec<Tick>| are_apart(&axis, ticks, width);
        axis.ticks = sets.into_iter().map(named).find(fits).unwrap_or_default();
        axis
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `rough`.
fn nice_step(rough: f64) -> (u64, i32) {
    let exponent = libm::floor(libm::log10(rough)) as i32;
    let steps = [(1, exponent), (2, exponent), (5, exponent)];
    steps.into_iter().find(|&(m, e)| power(m, e) >= rough).unwrap_or((1, exponent + 1))
}

/// `mantissa` times ten to the `exponent`, correctly rounded.
fn power(mantissa: u64, exponent: i32) -> f64 {
    format!("{mantissa}e{exponent}").parse().expect("a number")
}

/// Name of `mantissa` times ten to the `exponent`: "1,500", "0.02", "2M", "3e-6".
fn number(mantissa: u64, exponent: i32) -> String {
    let value = power(mantissa, exponent);
    if mantissa == 0 {
        return "0".into();
    }
    if value >= 1e12 {
        return format!("{value:e}");
    }
    for (size, suffix, shift) in [(1e9, "G", 9), (1e6, "M", 6), (1e4, "k", 3)] {
        if value >= size && exponent >= shift - 1 {
            let decimals = usize::from(exponent < shift);
            return format!("{}{suffix}", grouped(power(mantissa, exponent - shift), decimals));
        }
    }
    match exponent {
        ..-4 => format!("{mantissa}e{exponent}"),
        _ => grouped(value, usize::try_from(-exponent).unwrap_or(0)),
    }
}

/// The densest sensible set of ticks whose labels do not touch.
fn log_ticks(axis: &Axis, width: f64, name: fn(u64, i32) -> String) -> Vec<Tick> {
    // Tenths of a decade's first value, and which decades.
    const SETS: [(&[u64], i32); 8] = [
        (&[10, 15, 20, 30, 40, 50, 70], 1),
        (&[10, 20, 30, 50], 1),
        (&[10, 20, 50], 1),
        (&[10, 30], 1),
        (&[10], 1),
        (&[10], 2),
        (&[10], 3),
        (&[10], 4),
    ];
    let decades = libm::floor(axis.from) as i32..=libm::ceil(axis.to) as i32;
    let set = |(mantissas, every): (&[u64], i32)| -> Vec<Tick> {
        let decades = decades.clone().filter(|e| e.rem_euclid(every) == 0);
        let values = decades.flat_map(|e| mantissas.iter().map(move |&m| (m, e)));
        let ticks = values.map(|(m, e)| Tick { value: power(m, e - 1), label: name(m, e) });
        ticks.filter(|t| (axis.from..=axis.to).contains(&libm::log10(t.value))).collect()
    };
    let fits = |ticks: &Vec<Tick>| are_apart(axis, ticks, width);
    SETS.into_iter().map(set).find(fits).unwrap_or_default()
}

/// The densest set of round differences whose labels do not touch; steps that
/// suit a narrow axis come first.
fn relative_ticks(axis: &Axis, width: f64) -> Vec<Tick> {
    const TICKS_MAX: i64 = 60;
    // Hundredths of a percent.
    const STEPS: [i64; 9] = [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];
    const WIDE: [&[i64]; 4] = [
        &[-8_000, -6_500, -5_000, -3_500, -2_000, 0, 2_500, 5_000, 10_000, 20_000, 40_000],
        &[-9_000, -7_500, -5_000, 0, 10_000, 30_000, 90_000, 190_000, 490_000, 990_000],
        &[-9_900, -9_000, 0, 90_000, 990_000],
        &[-9_900, 0, 990_000],
    ];
    let ratio = |hundredths: i64| 1.0 + hundredths as f64 / 1e4;
    let ends = [axis.from, axis.to].map(|log| (libm::pow(10.0, log) - 1.0) * 1e4);
    let steps = STEPS.into_iter().filter_map(|step| {
        let (first, last) = ((ends[0] / step as f64).ceil(), (ends[1] / step as f64).floor());
        let count = last - first;
        (count <= TICKS_MAX as f64)
            .then(|| (first as i64..=last as i64).map(|i| i * step).collect::<Vec<i64>>())
    });
    let named = |values: Vec<i64>| -> Vec<Tick> {
        let on_it = |value: &i64| (axis.from..=axis.to).contains(&libm::log10(ratio(*value)));
        let values = values.into_iter().filter(on_it);
        values.map(|value| Tick { value: ratio(value), label: percent(value) }).collect()
    };
    let all = steps.chain(WIDE.map(<[i64]>::to_vec)).map(named);
    all.into_iter().find(|ticks| are_apart(axis, ticks, width)).unwrap_or_default()
}

/// Name of a difference in hundredths of a percent: "+2.5 %", "-20 %".
fn percent(hundredths: i64) -> String {
    let decimals = match hundredths {
        0 => return "0".into(),
        h if h % 100 == 0 => 0,
        h if h % 10 == 0 => 1,
        _ => 2,
    };
    let sign = if hundredths > 0 { "+" } else { "" };
    format!("{sign}{} %", grouped(hundredths as f64 / 100.0, decimals))
}

/// Whether the labels of `ticks` keep clear of each other.
fn are_apart(axis: &Axis, ticks: &[Tick], width: f64) -> bool {
    ticks.windows(2).all(|pair| {
        let apart = (axis.at(pair[1].value) - axis.at(pair[0].value)) * width;
        let half = |tick: &Tick| text_width(&tick.label, LABEL, false) / 2.0;
        apart >= half(&pair[0]) + half(&pair[1]) + 12.0
    })
}

/// Name of `tenths / 10` times ten to the `exponent` seconds: "1.5 ms", "1,000 s".
fn duration(tenths: u64, exponent: i32) -> String {
    let (shift, unit) = match exponent {
        ..-6 => (9, "ns"),
        -6..-3 => (6, "µs"),
        -3..0 => (3, "ms"),
        _ => (0, "s"),
    };
    let is_whole = exponent + shift > 0 || tenths.is_multiple_of(10);
    let value = grouped(power(tenths, exponent + shift - 1), usize::from(!is_whole));
    format!("{value} {unit}")
}

/// A step of time that people count in, at least `rough` seconds: step and
/// unit in seconds, name of the unit.
fn time_step(rough: f64) -> (f64, f64, &'static str) {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3600.0;
    const DAY: f64 = 86_400.0;
    const UNITS: [(f64, &str, &[f64]); 4] = [
        (1.0, "s", &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0]),
        (MINUTE, "min", &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0]),
        (HOUR, "h", &[1.0, 2.0, 3.0, 6.0, 12.0]),
        (DAY, "d", &[1.0, 2.0, 7.0, 14.0, 28.0]),
    ];
    if rough < 0.5 {
        let (mantissa, exponent) = nice_step(rough);
        let (factor, unit) = match exponent {
            ..-6 => (1e-9, "ns"),
            -6..-3 => (1e-6, "µs"),
            -3..-1 => (1e-3, "ms"),
            _ => (1.0, "s"),
        };
        return (power(mantissa, exponent), factor, unit);
    }
    for (factor, unit, steps) in UNITS {
        if let Some(step) = steps.iter().find(|&&step| step * factor >= rough) {
            return (step * factor, factor, unit);
        }
    }
    let (mantissa, exponent) = nice_step(rough / DAY);
    (power(mantissa, exponent) * DAY, DAY, "d")
}

/// Decimals that tell multiples of `step` apart.
fn decimals_of(step: f64) -> usize {
    if step >= 1.0 { 0 } else { libm::ceil(-libm::log10(step) - 1e-9).min(9.0) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn log_ticks_thin_out_with_the_span() {
        let axis = |low, high| Axis::log_seconds([low, high].into_iter(), 350.0).unwrap();
        assert_eq!(labels(&axis(0.011, 0.09)), ["20 ms", "30 ms", "50 ms"]);
        assert_eq!(labels(&axis(0.0012, 0.004)), ["1.5 ms", "2 ms", "3 ms", "4 ms"]);
        assert_eq!(labels(&axis(0.2, 3.0)), ["200 ms", "500 ms", "1 s", "2 s"]);
        assert_eq!(labels(&axis(1e-2, 1e4)), ["10 ms", "1 s", "100 s", "10,000 s"]);
    }

    #[test]
    fn log_axis_cuts_what_is_far_below_and_survives_one_value() {
        let axis = Axis::log_seconds([0.0, 1e-12, 1.0].into_iter(), 350.0).unwrap();
        assert!(axis.is_cut);
        assert_eq!((axis.at(0.0), axis.at(1e-9)), (0.0, 0.0));
        let one = Axis::log_seconds([0.03].into_iter(), 350.0).unwrap();
        assert!((one.at(0.03) - 0.5).abs() < 1e-12 && !one.is_cut);
        assert!(!one.ticks.is_empty());
        assert!(Axis::log_seconds([0.0, f64::NAN].into_iter(), 350.0).is_none());
    }

    #[test]
    fn differences_lie_on_a_scale_of_ratios() {
        let axis = |middles: &[f64], ends: &[f64]| Axis::relative(middles, ends, 490.0);
        let halved = axis(&[-0.5, 1.0], &[]);
        assert!((halved.at(1.0) - 0.5).abs() < 1e-12, "half and double lie equally far");
        assert_eq!(labels(&halved), ["-50 %", "-35 %", "-20 %", "0", "+25 %", "+50 %", "+100 %"]);
        assert_eq!(labels(&axis(&[0.011, -0.004], &[])), ["-0.5 %", "0", "+0.5 %", "+1 %"]);
        assert_eq!(labels(&axis(&[30.0], &[])), ["0", "+100 %", "+300 %", "+900 %", "+1,900 %"]);
        assert_eq!(labels(&axis(&[], &[])), ["-0.2 %", "-0.1 %", "0", "+0.1 %", "+0.2 %"]);
        let wide = axis(&[0.1], &[-0.99, 0.2]);
        assert!(wide.is_cut && wide.at(0.5) == 0.0, "one long bar does not squeeze the others");
        assert!(axis(&[-1.0, f64::NAN], &[]).is_cut);
    }

    #[test]
    fn linear_ticks_are_round() {
        let axis = |top: f64| Axis::linear(vec![top], 5);
        assert_eq!(labels(&axis(1.0)), ["0", "0.5", "1.0"]);
        assert_eq!(labels(&axis(47.0)), ["0", "10", "20", "30", "40"]);
        assert_eq!(labels(&axis(9_000.0)), ["0", "2,000", "4,000", "6,000", "8,000"]);
        assert_eq!(labels(&axis(70_000.0)), ["0", "20k", "40k", "60k"]);
        assert_eq!(labels(&axis(0.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&axis(4e-6)), ["0", "1e-6", "2e-6", "3e-6", "4e-6"]);
    }

    #[test]
    fn dates_are_named_as_densely_as_there_is_room() {
        let dates = |count: i16| {
            let first: Date = "2026-08-31".parse().unwrap();
            let days = first.series(jiff::Span::new().days(1)).take(count as usize);
            let days: Vec<_> =
                days.enumerate().map(|(at, date)| (86_400.0 * at as f64, date)).collect();
            Axis::dates(&days, 620.0)
        };
        assert_eq!(labels(&dates(3)), ["Aug 31", "Sep 1", "Sep 2"]);
        assert_eq!(labels(&dates(16)), ["Aug 31", "Sep 7", "Sep 14"]);
        let months = ["Sep 2026", "Oct 2026", "Nov 2026", "Dec 2026", "Jan 2027"];
        assert_eq!(labels(&dates(150)), months);
        assert_eq!(labels(&dates(365 * 3))[..2], ["Jan 2027", "Jul 2027"]);
    }

    #[test]
    fn time_is_counted_as_people_do() {
        let (axis, unit) = Axis::time(&[0.0, 7200.0]);
        assert_eq!(
            (labels(&axis), unit),
            (vec!["0", "15", "30", "45", "60", "75", "90", "105", "120"], "min")
        );
        let (axis, unit) = Axis::time(&[0.0, 7.0 * 86_400.0]);
        assert_eq!((axis.ticks.len(), unit), (8, "d"));
        let (axis, unit) = Axis::time(&[0.0, 0.004]);
        assert_eq!((labels(&axis)[1], unit), ("500", "µs"));
        let (axis, _) = Axis::time(&[5.0]);
        assert!(!axis.ticks.is_empty());
    }
}
