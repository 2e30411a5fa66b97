//! Imports a recording of calls.

use super::burst::{self, Setting};
use super::clock::{Clock, tick_of};
use super::counts::Dispersion;
use super::fragment::{Fragment, LengthLaw};
use super::gaps::RenewalCounts;
use super::lengths::LengthCounts;
use super::{DispersionFit, GapFit, Imported, LengthFit, QuantileFit, again};
use crate::error::Mistake;
use crate::kernel::TICKS_PER_SECOND;
use crate::workload::{BadLine, Format, ReadOptions, Record, Sink, Tally, read_calls};
use std::io::BufRead;

/// Calls at the beginning that tell the tick of the clock.
const LOOKED_AT: u64 = 20_000;
/// From this length on, dispersion is that within hours, s: before, the course
/// of the day is part of it.
const LONG_S: f64 = 6.0 * 3_600.0;
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
}

/// Counts calls as they are read.
struct Observer {
    clock: Clock,
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
        let (prompt, output) = (record.prompt.max(1), record.output.max(1));
        self.calls += 1;
        self.prompts.add(prompt, 1);
        self.outputs.add(output, 1);
        self.logs.add(prompt, output);
        Ok(())
    }
}

/// The stamps of the first calls.
struct Stamps(Vec<i128>);

impl Sink for Stamps {
    fn take(&mut self, _line: usize, record: Record) -> Result<(), BadLine> {
        self.0.extend(record.at_ticks);
        Ok(())
    }
}

/// Reads the recording that `open` opens, twice its beginning.
pub fn import_calls<R: BufRead>(
    question: &Question,
    open: impl Fn() -> Result<R, Vec<Mistake>>,
) -> Result<Imported, Vec<Mistake>> {
    let mut stamps = Stamps(Vec::new());
    let few = ReadOptions { calls_max: Some(LOOKED_AT), ..question.options.clone() };
    // What is wrong with the file is told when all of it is read.
    let _ = read_calls(question.format, open()?, &question.file, few, &mut stamps);
    let tick = tick_of(stamps.0);
    let mut observer = Observer {
        clock: Clock::new(tick, 0),
        timeless: 0,
        calls: 0,
        prompts: LengthCounts::default(),
        outputs: LengthCounts::default(),
        logs: LogSums::default(),
    };
    let options = question.options.clone();
    let tally = read_calls(question.format, open()?, &question.file, options, &mut observer)?;
    observer.clock.finish();
    Ok(study(question, &observer, tally, tick))
}

fn study(question: &Question, seen: &Observer, tally: Tally, tick: Option<u64>) -> Imported {
    let counts = &seen.clock.counts;
    let (prompts, outputs) = (seen.prompts.table(), seen.outputs.table());
    let is_timed = counts.calls >= 2 && counts.last > 0 && question.format != Format::Weka;
    let mut notes = notes(seen, tally, tick);
    let mut fragment = Fragment::new(question, seen.calls);
    let mut dispersion = Vec::new();
    let mut bursts = None;
    let is_long = counts.length_s() > LONG_S;
    if is_timed {
        let mut found = if is_long { counts.within_hours() } else { counts.whole() };
        // Nothing is known of windows that are not several ticks wide.
        let tick_s = tick.unwrap_or(0) as f64 / TICKS_PER_SECOND as f64;
        found.retain(|found| found.window_s >= 2.0 * tick_s);
        let setting = Setting { rate: counts.rate(), given: &[] };
        let fitted = burst::fit(&found, &seen.clock.gaps, setting);
        let renewal = RenewalCounts::new(fitted.gaps);
        let fit = |found: &Dispersion| DispersionFit {
            window_s: found.window_s,
            windows: found.windows,
            trace: found.index(),
            model: setting.expected(&fitted, &renewal, found),
            again: None,
        };
        dispersion = found.iter().filter(|found| found.mean > 0.0).map(fit).collect();
        fragment.arrivals(counts.rate(), &fitted, &dispersion);
        bursts = Some(fitted);
    } else {
        notes.push(
            "does not say when its calls came: the rate of 1 call a second is a placeholder"
                .to_owned(),
        );
        fragment.arrivals_unknown();
    }
    let lengths = [
        fragment.lengths("prompt_tokens", &prompts, question.lengths),
        fragment.lengths("output_tokens", &outputs, question.lengths),
    ];
    let [prompt_tokens, output_tokens] = lengths;
    let correlation = seen.logs.correlation();
    if correlation.abs() > 0.3 {
        notes.push(format!(
            "prompt and output lengths correlate ({correlation:.2} of their logarithms); they are \
             drawn independently"
        ));
    }
    let law = |law| GapFit { law, distance: seen.clock.gaps.distance(law), n: seen.clock.gaps.n() };
    let gaps = match seen.clock.gaps.n() {
        0 => Vec::new(),
        _ => seen.clock.gaps.laws().into_iter().map(law).collect(),
    };
    let mut imported = Imported {
        file: question.file.clone(),
        format: question.format.name(),
        calls: seen.calls,
        length_s: is_timed.then(|| counts.length_s()),
        rate_per_s: is_timed.then(|| counts.rate()),
        bursts,
        gaps,
        dispersion,
        prompt_tokens,
        output_tokens,
        correlation,
        again: None,
        notes,
        scenario: fragment.scenario(is_timed.then(|| counts.length_s())),
        fragment: fragment.text(),
    };
    if is_timed {
        again::simulate(&mut imported, is_long);
    }
    imported
}

/// Quantiles of lengths, to be compared with those simulated.
pub fn quantiles(lengths: &super::Lengths) -> Vec<QuantileFit> {
    let fit = |percent: f64| QuantileFit {
        percent,
        trace: lengths.quantile(percent / 100.0),
        again: None,
    };
    PERCENTS.into_iter().map(fit).collect()
}

/// What was left out, mended or assumed.
fn notes(seen: &Observer, tally: Tally, tick: Option<u64>) -> Vec<String> {
    let mut notes = Vec::new();
    let mut count = |calls: u64, what: &str| {
        if calls > 0 {
            notes.push(format!("{calls} {what}"));
        }
    };
    count(tally.skipped_lines, "broken lines left out");
    count(tally.failed_calls, "calls recorded as failed, without output tokens, left out");
    count(seen.clock.unsorted, "calls stand behind later ones; they were put in order");
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
    pub fn of(lengths: &super::Lengths) -> LengthFit {
        LengthFit {
            n: lengths.n,
            mean: lengths.mean,
            quantiles: quantiles(lengths),
            ..LengthFit::default()
        }
    }
}
