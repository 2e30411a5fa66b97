//! A folder of ServeGen clients: `chunk-<i>-trace.csv` with the arrivals of client
//! i in windows, `chunk-<i>-dataset.json` with its lengths
//! (<https://github.com/alibaba/ServeGen>).
//!
//! A trace has no header; a row is the start of a window in s, its rate a second,
//! the coefficient of variation of gaps, `Gamma` or `Weibull`, shape and scale. A
//! dataset maps times in s to tables, which are texts that hold a Python
//! dictionary of lengths and their shares.

use super::rate::Hourly;
use crate::error::Mistake;
use crate::workload::fields;
use indexmap::IndexMap;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest recording, s.
const SECONDS_MAX: f64 = 3_653.0 * 86_400.0;
/// Mistakes that are listed.
const MISTAKES_MAX: usize = 10;

/// What the clients of a folder do together.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    /// Rates by the hour, of all together.
    pub hourly: Hourly,
    /// Mean rate of each client that calls at all, a second, the greatest first.
    pub rates: Vec<f64>,
    /// Calls that were expected, and those of clients whose lengths are known.
    pub calls: f64,
    /// See `calls`.
    pub calls_with_lengths: f64,
    /// Expected calls of each prompt length, each output length, and each share of
    /// thinking in percent.
    pub prompts: BTreeMap<u32, f64>,
    /// See `prompts`.
    pub outputs: BTreeMap<u32, f64>,
    /// See `prompts`.
    pub thinking: BTreeMap<u32, f64>,
    /// Calls by the law of their gaps: Gamma, Weibull.
    pub laws: [f64; 2],
    /// Mean logarithm of the coefficient of variation of gaps, by calls, and of the
    /// shape of Weibull ones.
    pub log_cv: f64,
    /// See `log_cv`.
    pub log_shape: f64,
    /// Time of a window, s.
    pub window_s: f64,
}

/// A window of a client.
struct Window {
    at_s: f64,
    rate: f64,
    cv: f64,
    is_weibull: bool,
    shape: f64,
}

/// A table of lengths, and the time that it holds from.
#[derive(Deserialize)]
struct Dataset {
    input_tokens: Option<String>,
    output_tokens: Option<String>,
    reason_ratio: Option<String>,
}

/// A table: values and their weights.
type Weights = Vec<(f64, f64)>;

/// Whether a folder holds clients.
pub fn is_folder_of_clients(folder: &Path) -> bool {
    traces(folder).is_ok_and(|traces| !traces.is_empty())
}

/// The traces of a folder by the number of their client.
fn traces(folder: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.strip_prefix("chunk-").and_then(|rest| rest.strip_suffix("-trace.csv"));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the clients of a folder.
pub fn read_clients(folder: &Path) -> Result<Clients, Vec<Mistake>> {
    let wrong = |problem: String, fix: &str| vec![mistake(folder, None, None, problem, fix)];
    let traces = traces(folder)
        .map_err(|error| wrong(format!("cannot be read: {error}"), "give the path of a folder"))?;
    if traces.is_empty() {
        let fix = "give a folder with chunk-0-trace.csv, chunk-0-dataset.json and so on";
        return Err(wrong("holds no client of ServeGen".to_owned(), fix));
    }
    let mut clients = Vec::new();
    let mut mistakes = Vec::new();
    for (number, path) in traces {
        let windows = read_trace(&path, &mut mistakes);
        let tables = folder.join(format!("chunk-{number}-dataset.json"));
        let tables =
            if tables.exists() { read_dataset(&tables, &mut mistakes) } else { Vec::new() };
        clients.push((windows, tables));
        if mistakes.len() >= MISTAKES_MAX {
            break;
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let steps = clients.iter().flat_map(|(windows, _)| windows.windows(2));
    let step = steps.map(|pair| pair[1].at_s - pair[0].at_s).fold(f64::INFINITY, f64::min);
    if !(step > 0.0 && step <= 3_600.0) {
        let problem = format!("has windows of {step} s");
        return Err(wrong(problem, "give windows of an hour or less"));
    }
    let mut all = Clients { window_s: step, ..Clients::default() };
    let mut rates = BTreeMap::new();
    for (windows, tables) in &clients {
        all.client(windows, tables, &mut rates);
    }
    if all.calls <= 0.0 {
        return Err(wrong("holds clients that never call".to_owned(), "give others"));
    }
    all.log_cv /= all.calls;
    all.log_shape /= all.laws[1].max(f64::MIN_POSITIVE);
    all.rates.sort_by(|a, b| b.total_cmp(a));
    all.hourly = hourly(&rates, step);
    Ok(all)
}

impl Clients {
    fn client(
        &mut self,
        windows: &[Window],
        tables: &[(f64, [Weights; 3])],
        rates: &mut BTreeMap<u64, f64>,
    ) {
        let mut calls = 0.0;
        let mut by_table = vec![0.0; tables.len()];
        for window in windows {
            let expected = window.rate * self.window_s;
            *rates.entry((window.at_s / self.window_s).round() as u64).or_default() += window.rate;
            if expected <= 0.0 {
                continue;
            }
            calls += expected;
            self.laws[usize::from(window.is_weibull)] += expected;
            self.log_cv += expected * libm::log(window.cv.max(0.05));
            if window.is_weibull {
                self.log_shape += expected * libm::log(window.shape.max(0.05));
            }
            // A table holds until the next; the first also before it.
            let at = tables.partition_point(|table| table.0 <= window.at_s).saturating_sub(1);
            if let Some(sum) = by_table.get_mut(at) {
                *sum += expected;
            }
        }
        self.calls += calls;
        if calls > 0.0 {
            self.rates.push(calls);
        }
        for ((_, [prompts, outputs, thinking]), calls) in tables.iter().zip(by_table) {
            if calls > 0.0 && !prompts.is_empty() && !outputs.is_empty() {
                self.calls_with_lengths += calls;
                spread(prompts, calls, &mut self.prompts);
                spread(outputs, calls, &mut self.outputs);
                spread(thinking, calls, &mut self.thinking);
            }
        }
    }
}

/// Adds `calls` to lengths as their weights say.
fn spread(weights: &Weights, calls: f64, into: &mut BTreeMap<u32, f64>) {
    let sum: f64 = weights.iter().map(|weight| weight.1).sum();
    if sum > 0.0 {
        for (value, weight) in weights.iter().filter(|weight| weight.1 > 0.0) {
            *into.entry(*value as u32).or_default() += calls * weight / sum;
        }
    }
}

/// Rates of windows as those of hours; time 0 is midnight.
fn hourly(rates: &BTreeMap<u64, f64>, step: f64) -> Hourly {
    let mut sums: Vec<f64> = Vec::new();
    for (window, rate) in rates {
        let hour = (*window as f64 * step / 3_600.0) as usize;
        sums.resize(sums.len().max(hour + 1), 0.0);
        sums[hour] += rate * step / 3_600.0;
    }
    let first = rates.keys().next().map_or(0, |window| (*window as f64 * step / 3_600.0) as usize);
    let rates = sums[first..].iter().map(|rate| Some(*rate)).collect();
    Hourly { rates, first_hour: first % 24, date: None, chance: 0.0 }
}

fn mistake(
    path: &Path,
    line: Option<usize>,
    value: Option<&str>,
    problem: String,
    fix: &str,
) -> Mistake {
    Mistake {
        file: path.display().to_string(),
        line,
        key: String::new(),
        value: value.map(str::to_owned),
        problem,
        fix: fix.to_owned(),
    }
}

fn read_trace(path: &Path, mistakes: &mut Vec<Mistake>) -> Vec<Window> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = format!("cannot be read: {error}");
            mistakes.push(mistake(path, None, None, problem, "give a readable file"));
            return Vec::new();
        }
    };
    let mut windows: Vec<Window> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || mistakes.len() >= MISTAKES_MAX {
            continue;
        }
        let window = window(line).and_then(|window| match windows.last() {
            Some(last) if last.at_s >= window.at_s => {
                Err("is not later than the row before".to_owned())
            }
            _ => Ok(window),
        });
        match window {
            Ok(window) => windows.push(window),
            Err(problem) => {
                let fix = "a row looks like 600,0.25,1.4,Gamma,0.51,7.84: time s, rate a second, cv \
                           of gaps, Gamma or Weibull, shape, scale";
                mistakes.push(mistake(path, Some(number + 1), Some(line.trim()), problem, fix));
            }
        }
    }
    windows
}

fn window(line: &str) -> Result<Window, String> {
    let cells = fields(line);
    if cells.len() < 6 {
        return Err(format!("has {} columns of 6", cells.len()));
    }
    let number = |at: usize, what: &str| -> Result<f64, String> {
        let text = &cells[at];
        let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.is_finite());
        number.ok_or_else(|| format!("has the {what} `{text}`"))
    };
    let at_s = number(0, "time")?;
    if at_s > SECONDS_MAX {
        return Err("is more than ten years from the start".to_owned());
    }
    let rate = number(1, "rate")?;
    // Where nobody calls there is no law.
    if rate == 0.0 {
        return Ok(Window { at_s, rate, cv: 1.0, is_weibull: false, shape: 1.0 });
    }
    let is_weibull = match cells[3].to_lowercase().as_str() {
        "weibull" => true,
        "gamma" => false,
        _ => return Err(format!("has the law `{}`", cells[3])),
    };
    Ok(Window { at_s, rate, cv: number(2, "cv")?, is_weibull, shape: number(4, "shape")? })
}

/// The tables of a client by the time that they hold from, s.
fn read_dataset(path: &Path, mistakes: &mut Vec<Mistake>) -> Vec<(f64, [Weights; 3])> {
    let mut refuse = |problem: String, fix: &str| {
        mistakes.push(mistake(path, None, None, problem, fix));
        Vec::new()
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return refuse(format!("cannot be read: {error}"), "give a readable file"),
    };
    let tables: IndexMap<String, Dataset> = match serde_json::from_str(&text) {
        Ok(tables) => tables,
        Err(error) => {
            let fix = "a dataset looks like {\"0\": {\"input_tokens\": \"{12: 0.5, 40: 0.5}\", \
                       \"output_tokens\": \"{7: 1.0}\"}}";
            return refuse(error.to_string(), fix);
        }
    };
    let mut found = Vec::new();
    for (time, table) in tables {
        let Ok(at_s) = time.parse::<f64>() else {
            return refuse(format!("has the time `{time}`"), "write times in s");
        };
        let read = |name: &str, text: Option<&String>| match text {
            None => Ok(Vec::new()),
            Some(text) => {
                python_dict(text).map_err(|problem| format!("time {time}, {name}: {problem}"))
            }
        };
        let prompts = read("input_tokens", table.input_tokens.as_ref());
        let outputs = read("output_tokens", table.output_tokens.as_ref());
        let thinking = read("reason_ratio", table.reason_ratio.as_ref()).map(percent);
        match (prompts, outputs, thinking) {
            (Ok(prompts), Ok(outputs), Ok(thinking)) => {
                found.push((at_s, [prompts, outputs, thinking]));
            }
            (prompts, outputs, thinking) => {
                let all = [prompts.err(), outputs.err(), thinking.err()];
                let fix = "write a dictionary of numbers such as \"{12: 0.5, 40: 0.5}\"";
                let told = all.into_iter().flatten().collect::<Vec<_>>().join("; ");
                return refuse(told, fix);
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

/// Shares of thinking in whole percent. They are written as numbers of bins: how many
/// make a whole is told by the greatest.
fn percent(mut shares: Weights) -> Weights {
    let greatest = shares.iter().map(|share| share.0).fold(0.0, f64::max);
    let whole = [1.0, 10.0, 100.0, 1_000.0].into_iter().find(|whole| greatest <= *whole);
    let whole = whole.unwrap_or(greatest);
    shares.iter_mut().for_each(|share| share.0 = (100.0 * share.0 / whole).round());
    shares
}

/// A Python dictionary of numbers, keys not negative, values not negative.
fn python_dict(text: &str) -> Result<Weights, String> {
    let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.ok_or_else(|| format!("`{}` is no dictionary", cut(text)))?;
    let mut found = Vec::new();
    let mut entries = inner.split(',').map(str::trim).peekable();
    while let Some(entry) = entries.next() {
        // A comma may end the list, and a list may be empty.
        if entry.is_empty() && entries.peek().is_none() {
            break;
        }
        let (key, value) =
            entry.split_once(':').ok_or_else(|| format!("`{}` is no entry", cut(entry)))?;
        let number = |text: &str| {
            let number = text.trim().parse::<f64>().ok();
            let number = number.filter(|number| *number >= 0.0 && *number < 4e9);
            number.ok_or_else(|| format!("`{}` is no number of an entry", cut(text.trim())))
        };
        found.push((number(key)?, number(value)?));
    }
    Ok(found)
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_of_python_are_read_strictly() {
        assert_eq!(python_dict(" {12: 0.5, 40:1e-05,} ").unwrap(), [(12.0, 0.5), (40.0, 1e-5)]);
        assert_eq!(python_dict("{}").unwrap(), []);
        for (wrong, told) in [
            ("[1]", "no dictionary"),
            ("{1: 2", "no dictionary"),
            ("{1}", "no entry"),
            ("{1: x}", "`x` is no number"),
            ("{-1: 1}", "`-1` is no number"),
            ("{1: nan}", "`nan` is no number"),
            ("{1: 1,, 2: 1}", "no entry"),
        ] {
            let problem = python_dict(wrong).unwrap_err();
            assert!(problem.contains(told), "{wrong}: {problem}");
        }
    }

    #[test]
    fn shares_are_percents_of_a_whole_that_is_told_by_the_greatest() {
        assert_eq!(percent(vec![(3.0, 1.0), (9.0, 2.0)]), [(30.0, 1.0), (90.0, 2.0)]);
        assert_eq!(percent(vec![(35.0, 1.0), (97.0, 2.0)]), [(35.0, 1.0), (97.0, 2.0)]);
        assert_eq!(percent(vec![(0.25, 1.0), (1.0, 2.0)]), [(25.0, 1.0), (100.0, 2.0)]);
    }
}
