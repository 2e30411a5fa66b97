//! Imports a recording of calls.

use super::burst::{self, Bursts, Chain, Setting};
use super::clock::Clock;
use super::counts::Dispersion;
use super::fragment::{Fragment, LengthLaw, Varying};
use super::gaps::{GapCounts, RenewalCounts};
use super::lengths::{LengthCounts, Lengths};
use super::rate::{Hourly, RateFit};
use super::sessions::{Beginnings, Sample, Sessions};
use super::{DispersionFit, GapFit, Imported, LengthFit, QuantileFit, SessionFit, again, course};
use crate::error::Mistake;
use crate::kernel::TICKS_PER_SECOND;
use crate::workload::{
    BadLine, Format, ReadOptions, Record, Sink, TICK_LOOKED_AT, Tally, read_calls, tick_of,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::io::BufRead;

/// From this length on, dispersion is that within hours, s: before, the course
/// of the day is part of it.
const LONG_S: f64 = 6.0 * 3_600.0;
/// An instant that counts from 1970 and not from a start: after 2001.
const SINCE_1970_NS: i128 = 1_000_000_000_000_000_000;
/// Share of later turns from which on calls are turns of sessions.
const LATER: f64 = 0.1;
/// Time that may lack at its ends for an hour to be whole, s: one percent.
const MISSED_S: f64 = 36.0;
/// Percents of quantiles that are compared.
pub const PERCENTS: [f64; 5] = [10.0, 50.0, 90.0, 95.0, 99.0];

/// What is asked of an import.
#[derive(Clone, Debug)]
pub struct Question {
    /// Name of the use case.
    pub name: String,
    /// The file, as messages call it.
    pub file: String,
    /// Its layout.
    pub format: Format,
    /// How to read it.
    pub options: ReadOptions,
    /// Laws for lengths.
    pub lengths: LengthLaw,
    /// Take calls for single ones where they are turns of sessions.
    pub ignores_sessions: bool,
    /// Local time at which the recording's own time is 0, where it has no dates.
    pub start: Option<DateTime>,
    /// Name of the zone of the local clock, and the zone.
    pub time_zone: Option<(String, TimeZone)>,
}

/// Counts calls as they are read.
struct Observer {
    clock: Clock,
    sessions: Sessions,
    /// Share of prompts that begin with the prefix of all.
    prefix_fraction: f64,
    /// Calls that do not say when they came.
    timeless: u64,
    calls: u64,
    prompts: LengthCounts,
    outputs: LengthCounts,
    logs: LogSums,
}

/// Sums of logarithms of prompt and output.
#[derive(Clone, Copy, Debug, Default)]
struct LogSums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl LogSums {
    fn add(&mut self, prompt: u32, output: u32) {
        let (x, y) = (libm::log(f64::from(prompt)), libm::log(f64::from(output)));
        self.n += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// Their correlation; 0 where one of them does not vary.
    fn correlation(&self) -> f64 {
        let spread = |square: f64, sum: f64| (square - sum * sum / self.n).max(0.0);
        let product = spread(self.xx, self.x) * spread(self.yy, self.y);
        let shared = self.xy - self.x * self.y / self.n;
        if product > 1e-12 * self.n * self.n { shared / product.sqrt() } else { 0.0 }
    }
}

impl Sink for Observer {
    fn take(&mut self, _line: usize, record: Record) -> Result<(), BadLine> {
        match record.at_ticks {
            Some(at) => self.clock.call(at)?,
            None => self.timeless += 1,
        }
        self.sessions.see(&record);
        let (prompt, output) = (record.prompt.max(1), record.output.max(1));
        self.calls += 1;
        self.prompts.add(prompt, 1);
        self.outputs.add(output, 1);
        self.logs.add(prompt, output);
        Ok(())
    }
}

/// A look at the first calls: their stamps, and what their prompts begin with.
#[derive(Default)]
struct Look {
    stamps: Vec<i128>,
    beginnings: Beginnings,
}

impl Sink for Look {
    fn take(&mut self, _line: usize, record: Record) -> Result<(), BadLine> {
        self.stamps.extend(record.at_ticks);
        self.beginnings.see(&record);
        Ok(())
    }
}

/// Reads the recording that `open` opens, twice its beginning.
pub fn import_calls<R: BufRead>(
    question: &Question,
    open: impl Fn() -> Result<R, Vec<Mistake>>,
) -> Result<Imported, Vec<Mistake>> {
    let mut look = Look::default();
    let few = ReadOptions { calls_max: Some(TICK_LOOKED_AT), ..question.options.clone() };
    // What is wrong with the file is told when all of it is read.
    let tally = read_calls(question.format, open()?, &question.file, few, &mut look);
    let tick = tick_of(look.stamps);
    let (shared, prefix_fraction) = look.beginnings.shared();
    let block_tokens = tally.map_or(0, |tally| tally.block_tokens);
    let mut observer = Observer {
        clock: Clock::new(tick, 0),
        sessions: Sessions::new(shared, block_tokens, tick),
        prefix_fraction,
        timeless: 0,
        calls: 0,
        prompts: LengthCounts::default(),
        outputs: LengthCounts::default(),
        logs: LogSums::default(),
    };
    let options = question.options.clone();
    let tally = read_calls(question.format, open()?, &question.file, options, &mut observer)?;
    observer.clock.finish();
    observer.sessions.finish(&observer.clock);
    Ok(study(question, &observer, tally, tick))
}

fn study(question: &Question, seen: &Observer, tally: Tally, tick: Option<u64>) -> Imported {
    let counts = &seen.clock.counts;
    let is_timed = counts.calls >= 2 && counts.last > 0 && question.format != Format::Weka;
    let mut notes = notes(seen, tally, tick, is_timed);
    let correlation = seen.logs.correlation();
    if correlation.abs() > 0.3 {
        notes.push(format!(
            "prompt and output lengths correlate ({correlation:.2} of their logarithms); they are \
             drawn independently"
        ));
    }
    let what = format!("{}, {} calls", question.format.name(), seen.calls);
    let mut fragment = Fragment::new(&question.name, &question.file, &what);
    let has_sessions = !question.ignores_sessions && seen.has_sessions();
    let mut arrivals = None;
    if is_timed {
        let (clock, scale) = match has_sessions {
            true => {
                let sample = seen.sessions.sample();
                (&sample.starts, seen.calls as f64 / sample.calls as f64)
            }
            false => (&seen.clock, 1.0),
        };
        arrivals = Some(Arrivals::study(question, clock, scale, tick, &mut notes));
    } else {
        notes.push(
            "does not say when its calls came: the rate of 1 call a second is a placeholder"
                .to_owned(),
        );
        fragment.arrivals_unknown();
    }
    if let Some(arrivals) = &arrivals {
        arrivals.write(question, &mut fragment);
    }
    let laws = seen.clock.gaps.laws();
    let law = |law| GapFit { law, distance: seen.clock.gaps.distance(law), n: seen.clock.gaps.n() };
    let has_gaps = seen.clock.gaps.n() > 0;
    let length_s = is_timed.then(|| counts.length_s());
    let mut imported = Imported {
        file: question.file.clone(),
        format: question.format.name(),
        calls: seen.calls,
        length_s,
        rate_per_s: is_timed.then(|| counts.rate()),
        bursts: arrivals.as_ref().map(|arrivals| arrivals.bursts.clone()),
        gaps: if has_gaps { laws.into_iter().map(law).collect() } else { Vec::new() },
        dispersion: arrivals.as_ref().map_or(Vec::new(), |a| a.dispersion.clone()),
        course: arrivals.as_ref().and_then(|arrivals| arrivals.course.clone()),
        course_again: None,
        prompt_tokens: None,
        output_tokens: None,
        sessions: None,
        correlation: Some(correlation),
        again: None,
        notes,
        scenario: String::new(),
        fragment: String::new(),
    };
    let lengths = [seen.prompts.table(), seen.outputs.table()];
    if has_sessions {
        let fit = seen.write_sessions(&mut fragment, question.lengths);
        imported.notes.extend(seen.session_notes());
        imported.sessions = Some(fit);
        imported.output_tokens =
            Some(fragment.lengths("output_tokens", &lengths[1], question.lengths));
        // What is compared are whole prompts.
        let mut whole = Fragment::new(&question.name, &question.file, &what);
        imported.prompt_tokens =
            Some(whole.lengths("prompt_tokens", &lengths[0], question.lengths));
        imported.scenario = fragment.scenario(length_s);
        imported.fragment = fragment.text();
    } else {
        imported.finish(fragment, &lengths, question.lengths);
    }
    if let Some(arrivals) = &arrivals {
        // Bursts are simulated at one rate; the course of days, without single calls.
        let mut flat = Fragment::new(&question.name, &question.file, &what);
        arrivals.write_flat(&mut flat);
        if has_sessions {
            seen.write_sessions(&mut flat, question.lengths);
            flat.lengths("output_tokens", &lengths[1], question.lengths);
        } else {
            for (key, lengths) in ["prompt_tokens", "output_tokens"].iter().zip(&lengths) {
                flat.lengths(key, lengths, question.lengths);
            }
        }
        let text = flat.scenario(length_s);
        again::simulate(&mut imported, arrivals.is_long, &text, counts.rate());
        if let Some(hourly) = &arrivals.hourly {
            imported.course_again = course::again(&imported, hourly, question.zone());
        }
    }
    imported
}

impl Observer {
    /// Whether enough calls are later turns of sessions.
    fn has_sessions(&self) -> bool {
        let Sample { calls, later, .. } = *self.sessions.sample();
        calls >= 100 && later as f64 >= LATER * calls as f64
    }

    /// Writes what sessions do.
    fn write_sessions(&self, fragment: &mut Fragment, law: LengthLaw) -> SessionFit {
        let sessions = &self.sessions;
        let turns = sessions.turns().table();
        let sample = sessions.sample();
        let (opening, fresh) = (sample.opening.table(), sample.fresh.table());
        let think = sample.think_ms.table();
        let prefix = sessions.shared_tokens();
        if prefix > 0 {
            let comment =
                format!("What {:.1} % of prompts begin with.", 100.0 * self.prefix_fraction);
            let name = fragment.name();
            fragment.key(
                &comment,
                "prefix",
                &format!("[{{ name = \"{name}\", tokens = {prefix} }}]"),
            );
        }
        let fits = fragment.session(&turns, &opening, &think, law);
        let fresh_tokens = fragment.lengths("prompt_tokens", &fresh, law);
        let [turns_fit, opening_tokens] = fits;
        SessionFit {
            sessions: turns.n,
            is_sample: !sessions.are_all(),
            later_fraction: sample.later as f64 / sample.calls as f64,
            turns: turns_fit,
            opening_tokens,
            fresh_tokens,
            median_think_s: (!think.is_empty()).then(|| think.quantile(0.5) / 1e3),
            prefix_tokens: prefix,
            prefix_fraction: self.prefix_fraction,
        }
    }

    fn session_notes(&self) -> Vec<String> {
        let mut notes = vec![
            "bursts are those of first turns; sessions that the recording cuts off count as they \
             are; the time between turns includes the answer"
                .to_owned(),
        ];
        if !self.sessions.are_all() {
            let share = 100.0 * self.sessions.sample().calls as f64 / self.calls as f64;
            notes.push(format!(
                "sessions of {share:.1} % of the calls were followed, a fair sample"
            ));
        }
        let clipped = self.sessions.sample().clipped;
        if clipped > 0 {
            notes.push(format!(
                "{clipped} later turns are no longer than the prompt and the answer before; they \
                 count as adding one token"
            ));
        }
        notes
    }
}

/// What is known of arrivals.
struct Arrivals {
    mean_rate: f64,
    /// The rate at which the mean call finds itself: what dispersion goes by.
    rate: f64,
    bursts: Bursts,
    dispersion: Vec<DispersionFit>,
    hourly: Option<Hourly>,
    course: Option<RateFit>,
    /// Whether dispersion is that within hours.
    is_long: bool,
}

impl Arrivals {
    /// Studies the calls that `clock` has; there are `scale` times as many.
    fn study(
        question: &Question,
        clock: &Clock,
        scale: f64,
        tick: Option<u64>,
        notes: &mut Vec<String>,
    ) -> Arrivals {
        let counts = &clock.counts;
        let hourly = question.hourly(clock);
        let course = hourly.as_ref().and_then(Hourly::fit);
        let is_long = course.is_some() && counts.length_s() > LONG_S;
        if is_long && hourly.as_ref().is_some_and(|hourly| hourly.date.is_none()) {
            notes.push(
                "does not say at what hour it begins: its first call is taken as at midnight, and \
                 all days of the week as alike; say when it was with --start"
                    .to_owned(),
            );
        }
        let mut found = if is_long { counts.within_hours() } else { counts.whole() };
        // Nothing is known of windows that are not several ticks wide.
        let tick_s = tick.unwrap_or(0) as f64 / TICKS_PER_SECOND as f64;
        found.retain(|found| found.window_s >= 2.0 * tick_s);
        let tenants = course.as_ref().and_then(|course| course.tenants);
        let given: Vec<Chain> = tenants.iter().map(|tenants| tenants.sum).collect();
        let squares: f64 = counts.hours().iter().map(|n| f64::from(*n) * f64::from(*n)).sum();
        let rate = match is_long {
            true => squares / counts.calls as f64 / 3_600.0,
            false => counts.rate(),
        };
        let setting = Setting { rate, given: &given };
        // Gaps of tenants are each one's own; between calls of all there is no law.
        let none = GapCounts::default();
        let gaps = if tenants.is_some() { &none } else { &clock.gaps };
        let bursts = burst::fit(&found, gaps, setting);
        let renewal = RenewalCounts::new(bursts.gaps);
        let fit = |found: &Dispersion| DispersionFit {
            window_s: found.window_s,
            windows: found.windows,
            trace: found.index(),
            model: setting.expected(&bursts, &renewal, found),
            again: None,
        };
        let dispersion = found.iter().filter(|found| found.mean > 0.0).map(fit).collect();
        let mean_rate = match (&course, is_long) {
            (Some(course), true) => course.rate_per_s,
            _ => counts.rate(),
        };
        let (mean_rate, rate) = (scale * mean_rate, scale * rate);
        let course = course.filter(|_| is_long);
        let hourly = hourly.filter(|_| is_long);
        Arrivals { mean_rate, rate, bursts, dispersion, hourly, course, is_long }
    }

    fn varying<'a>(&'a self, question: &'a Question) -> Varying<'a> {
        Varying {
            bursts: Some(&self.bursts),
            course: self.course.as_ref(),
            zone: question.time_zone.as_ref().map(|zone| zone.0.as_str()),
            dispersion: &self.dispersion,
        }
    }

    fn write(&self, question: &Question, fragment: &mut Fragment) {
        if let Some(hourly) = &self.hourly {
            fragment.start(&course::start(hourly, &question.zone()));
        }
        fragment.arrivals(self.mean_rate, self.varying(question));
    }

    /// The bursts alone, at one mean rate.
    fn write_flat(&self, fragment: &mut Fragment) {
        let tenants = self.course.as_ref().and_then(|course| course.tenants);
        let flat = RateFit { tenants, ..RateFit::flat() };
        let varying =
            Varying { bursts: Some(&self.bursts), course: Some(&flat), ..Varying::default() };
        fragment.arrivals(self.rate, varying);
    }
}

impl Question {
    /// The zone of the local clock.
    pub fn zone(&self) -> TimeZone {
        self.time_zone.as_ref().map_or(TimeZone::UTC, |zone| zone.1.clone())
    }

    /// Calls by the hour, the hours that the recording begins and ends in left out.
    fn hourly(&self, clock: &Clock) -> Option<Hourly> {
        let counts = &clock.counts;
        if counts.length_s() < LONG_S {
            return None;
        }
        let n = counts.hours().len();
        let ends_s = counts.offset_s() + counts.length_s();
        let last_s = 3_600.0 * n as f64 - ends_s;
        let whole = |at: usize| {
            (at > 0 || counts.offset_s() <= MISSED_S) && (at + 1 < n || last_s <= MISSED_S)
        };
        let rate = |(at, calls): (usize, &u32)| whole(at).then(|| f64::from(*calls) / 3_600.0);
        let rates: Vec<Option<f64>> = counts.hours().iter().enumerate().map(rate).collect();
        let mean = counts.calls as f64 / n as f64;
        let index = counts.within_hours().last().map_or(1.0, Dispersion::index);
        let chance = index / mean;
        let per_ns = i128::from(TICKS_PER_SECOND / 1_000_000_000);
        let first_ns = clock.first() / per_ns - (counts.offset_s() * 1e9) as i128;
        let start = match self.start {
            _ if first_ns > SINCE_1970_NS => Timestamp::from_nanosecond(first_ns).ok(),
            // What the recording calls 0 was at the start.
            Some(start) => {
                let start = start.to_zoned(self.zone()).ok()?.timestamp();
                Timestamp::from_nanosecond(start.as_nanosecond() + first_ns).ok()
            }
            None => None,
        };
        if let Some(start) = start {
            return Some(Hourly { chance, ..Hourly::local(&rates, start, &self.zone()) });
        }
        Some(Hourly { rates, first_hour: 0, date: None, chance })
    }
}

impl Imported {
    /// Fits lengths, and writes the use case.
    pub(super) fn finish(
        &mut self,
        mut fragment: Fragment,
        lengths: &[Lengths; 2],
        law: LengthLaw,
    ) {
        if lengths.iter().any(Lengths::is_empty) {
            fragment.lengths_unknown();
        } else {
            self.prompt_tokens = Some(fragment.lengths("prompt_tokens", &lengths[0], law));
            self.output_tokens = Some(fragment.lengths("output_tokens", &lengths[1], law));
        }
        self.scenario = fragment.scenario(self.length_s);
        self.fragment = fragment.text();
    }
}

/// Quantiles of lengths, to be compared with those simulated.
pub fn quantiles(lengths: &Lengths) -> Vec<QuantileFit> {
    let fit = |percent: f64| QuantileFit {
        percent,
        trace: lengths.quantile(percent / 100.0),
        again: None,
    };
    PERCENTS.into_iter().map(fit).collect()
}

/// What was left out, mended or assumed.
fn notes(seen: &Observer, tally: Tally, tick: Option<u64>, is_timed: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let mut count = |calls: u64, what: &str| {
        if calls > 0 {
            notes.push(format!("{calls} {what}"));
        }
    };
    count(tally.skipped_lines, "broken lines left out");
    count(tally.failed_calls, "calls recorded as failed, without output tokens, left out");
    // Sessions that count time from their own start follow each other as they come.
    if is_timed {
        count(seen.clock.unsorted, "calls stand behind later ones; they were put in order");
    }
    count(seen.timeless, "calls do not say when they came");
    if let Some(tick) = tick {
        notes.push(format!(
            "its clock ticks every {} s: the calls of a tick are spread evenly over it",
            (tick as f64 / TICKS_PER_SECOND as f64 * 1e3).round() / 1e3
        ));
    }
    notes
}

impl LengthFit {
    /// The recorded side of a fit.
    pub fn of(lengths: &Lengths) -> LengthFit {
        LengthFit {
            n: lengths.n,
            mean: lengths.mean,
            quantiles: quantiles(lengths),
            ..LengthFit::default()
        }
    }
}
