//! The catalog's agents against a table of what their sessions come to.
//!
//! The table is a Monte Carlo of the same programs that was written apart. It does
//! not say over how many sessions, and the figures of one agent come from the same
//! sessions, so they are off together: a coding agent that drew 7 % fewer runs made
//! 7 % fewer calls too. Both is taken into account. Ours and theirs differ by a
//! normal vector with covariance S (1 / N + 1 / n), to first order, where S is the
//! covariance of one session's part in each figure, n the number of our sessions and
//! N of theirs, to which comes rounding to the digits printed. N is what makes all
//! differences most likely. To test an agent, N comes from the five others: if what
//! we do differed from what they do, that agent alone would be off by more than its
//! sessions explain.
//!
//! Two things are counted their way here. A compaction is not a call: it takes no
//! time and no tokens, and of the context after it the global segment alone is in
//! the cache. (In the simulator it is a call with the whole context as its prompt,
//! and the shared segments stay.) And the share of time at tools is that of all
//! agents, sub-agents beside their parents, not of the critical path.

use super::DrySession;
use super::tests::{TABLE, dry};
use crate::catalog::Catalog;
use rayon::prelude::*;
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// How a figure comes from sessions.
#[derive(Clone, Copy)]
enum Figure {
    /// Mean a session.
    Mean(fn(&DrySession) -> f64),
    /// Ratio of sums.
    Ratio(fn(&DrySession) -> f64, fn(&DrySession) -> f64),
    /// Quantile of the latency of runs, s.
    Latency(f64),
}
use Figure::{Latency, Mean, Ratio};

const FIGURES: usize = 17;

/// Name, unit of the last digit in the table, and whether the figures before it leave
/// it open: mean prompt, say, follows from prompt tokens and calls.
const TABLE_ROWS: [(&str, f64, bool, Figure); FIGURES] = [
    ("runs a session", 0.01, true, Mean(|s| s.runs.len() as f64)),
    ("calls a session", 0.01, true, Mean(|s| s.calls as f64)),
    ("prompt tokens a session", 1.0, true, Mean(|s| s.prompt_tokens as f64)),
    ("output tokens a session", 1.0, true, Mean(|s| s.output_tokens as f64)),
    (
        "new and output tokens a session",
        1.0,
        true,
        Mean(|s| (s.new_tokens + s.output_tokens) as f64),
    ),
    ("sub-agents a session", 0.001, true, Mean(|s| s.children as f64)),
    ("compactions a session", 0.001, true, Mean(|s| s.compactions as f64)),
    ("calls a run", 0.01, false, Ratio(|s| s.calls as f64, |s| s.runs.len() as f64)),
    ("mean prompt", 1.0, false, Ratio(|s| s.prompt_tokens as f64, |s| s.calls as f64)),
    (
        "prompt over output",
        0.1,
        false,
        Ratio(|s| s.prompt_tokens as f64, |s| s.output_tokens as f64),
    ),
    (
        "hit ratio",
        1e-4,
        false,
        Ratio(|s| (s.prompt_tokens - s.new_tokens) as f64, |s| s.prompt_tokens as f64),
    ),
    (
        "thinking of output",
        0.001,
        true,
        Ratio(|s| s.thinking_tokens as f64, |s| s.output_tokens as f64),
    ),
    ("tool calls a call", 0.01, true, Ratio(|s| s.tools as f64, |s| s.calls as f64)),
    ("tool share of time", 0.001, true, Ratio(|s| s.tool_s, |s| s.tool_s + s.model_s)),
    ("run latency p50, s", 0.1, true, Latency(0.5)),
    ("run latency p95, s", 0.1, true, Latency(0.95)),
    ("run latency p99, s", 0.1, true, Latency(0.99)),
];

/// The table.
#[rustfmt::skip]
const PROFILES: [(&str, [f64; FIGURES]); 6] = [
    ("coding-agent", [
        4.69, 79.88, 8_086_186.0, 35_887.0, 236_238.0, 0.965, 0.425, 17.04, 101_227.0, 225.3,
        0.9752, 0.208, 1.22, 0.591, 96.4, 1_419.7, 3_309.1,
    ]),
    ("deep-research", [
        1.0, 50.4, 2_229_867.0, 58_305.0, 401_068.0, 4.284, 0.265, 50.4, 44_246.0, 38.2,
        0.8463, 0.562, 1.81, 0.144, 534.2, 1_786.4, 2_450.1,
    ]),
    ("support-chat", [
        3.47, 5.06, 25_501.0, 1_034.0, 3_237.0, 0.0, 0.0, 1.46, 5_039.0, 24.7,
        0.9136, 0.0, 0.31, 0.028, 4.4, 14.7, 21.5,
    ]),
    ("rag-search", [
        1.94, 2.55, 25_127.0, 1_629.0, 10_194.0, 0.0, 0.0, 1.32, 9_846.0, 15.4,
        0.6592, 0.395, 0.33, 0.012, 9.3, 44.8, 97.2,
    ]),
    ("ticket-booking", [
        6.97, 18.43, 254_431.0, 6_925.0, 15_783.0, 0.0, 0.0, 2.64, 13_808.0, 36.7,
        0.9652, 0.671, 0.68, 0.097, 9.8, 69.5, 142.4,
    ]),
    ("shopping-assistant", [
        4.14, 9.99, 140_113.0, 3_441.0, 17_254.0, 0.212, 0.012, 2.42, 14_020.0, 40.7,
        0.9014, 0.339, 0.87, 0.05, 10.3, 45.4, 97.5,
    ]),
];

/// Sessions `0..count` of an agent, in order.
fn sessions(name: &str, count: u64, has_free_compactions: bool) -> Vec<DrySession> {
    let dry = dry(Catalog::embedded(), name, TABLE);
    let dry = if has_free_compactions { dry.with_free_compactions() } else { dry };
    (0..count).into_par_iter().map_init(|| dry.clone(), |dry, number| dry.session(number)).collect()
}

/// What an agent's sessions came to, and one session's part in that.
struct Found {
    sessions: f64,
    figures: [f64; FIGURES],
    /// Covariances of one session's part in two figures.
    covariance: [[f64; FIGURES]; FIGURES],
    reference: [f64; FIGURES],
}

impl Found {
    fn new(sessions: &[DrySession], reference: [f64; FIGURES]) -> Found {
        let mut times: Vec<f64> =
            sessions.iter().flat_map(|s| &s.runs).map(|run| run.latency_s).collect();
        times.sort_by(f64::total_cmp);
        let count = sessions.len() as f64;
        let parts = TABLE_ROWS.map(|(.., figure)| figure.parts(sessions, &times));
        let figures = std::array::from_fn(|at| parts[at].0);
        let covariance = std::array::from_fn(|a| {
            std::array::from_fn(|b| {
                parts[a].1.iter().zip(&parts[b].1).map(|(x, y)| x * y).sum::<f64>() / count
            })
        });
        Found { sessions: count, figures, covariance, reference }
    }

    /// Standard error of the difference in a figure, if the table took `their` sessions.
    fn error(&self, at: usize, their: f64) -> f64 {
        let share = 1.0 / their + 1.0 / self.sessions;
        (self.covariance[at][at] * share + TABLE_ROWS[at].1.powi(2) / 12.0).sqrt()
    }

    fn difference(&self, at: usize) -> f64 {
        self.reference[at] - self.figures[at]
    }

    /// The figures that are random and do not follow from others. A compaction is
    /// left out where it is so rare that the table's number is far from normal.
    fn free(&self) -> Vec<usize> {
        let is_free = |&at: &usize| {
            let is_rare = TABLE_ROWS[at].0.starts_with("compactions") && self.figures[at] < 0.1;
            TABLE_ROWS[at].2 && self.covariance[at][at] > 0.0 && !is_rare
        };
        (0..FIGURES).filter(is_free).collect()
    }

    /// Squared length of the standardized difference, and log-likelihood of it but for
    /// a constant, if the table took `their` sessions.
    fn misfit(&self, their: f64) -> (f64, f64) {
        let free = self.free();
        let errors: Vec<f64> = free.iter().map(|&at| self.error(at, their)).collect();
        let share = 1.0 / their + 1.0 / self.sessions;
        let n = free.len();
        let mut matrix = vec![vec![0.0; n]; n];
        for (i, &a) in free.iter().enumerate() {
            for (j, &b) in free.iter().enumerate() {
                let rounding = if i == j { TABLE_ROWS[a].1.powi(2) / 12.0 } else { 0.0 };
                let covariance = self.covariance[a][b] * share + rounding;
                matrix[i][j] = covariance / (errors[i] * errors[j]);
            }
        }
        let vector = free.iter().zip(&errors).map(|(&at, error)| self.difference(at) / error);
        let (squares, log_root) = whiten(matrix, vector.collect());
        let scale: f64 = errors.iter().map(|error| error.ln()).sum();
        (squares, -0.5 * squares - log_root - scale)
    }
}

/// x' M^-1 x, and half the logarithm of the determinant of M, by Cholesky.
fn whiten(mut m: Vec<Vec<f64>>, mut x: Vec<f64>) -> (f64, f64) {
    let mut log_root = 0.0;
    for i in 0..x.len() {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| m[i][k] * m[j][k]).sum();
            let left = m[i][j] - known;
            if i == j {
                assert!(left > 0.0, "figure {i} follows from those before it");
                m[i][i] = left.sqrt();
                log_root += m[i][i].ln();
            } else {
                m[i][j] = left / m[j][j];
            }
        }
        let known: f64 = (0..i).map(|k| m[i][k] * x[k]).sum();
        x[i] = (x[i] - known) / m[i][i];
    }
    (x.iter().map(|x| x * x).sum(), log_root)
}

impl Figure {
    /// The figure, and what each session adds to its error, to first order.
    fn parts(self, sessions: &[DrySession], times: &[f64]) -> (f64, Vec<f64>) {
        let count = sessions.len() as f64;
        let mean = |of: fn(&DrySession) -> f64| sessions.iter().map(of).sum::<f64>() / count;
        match self {
            Mean(of) => {
                let mean = mean(of);
                (mean, sessions.iter().map(|s| of(s) - mean).collect())
            }
            Ratio(top, bottom) => {
                let (bottoms, ratio) = (mean(bottom), mean(top) / mean(bottom));
                let part = |s| (top(s) - ratio * bottom(s)) / bottoms;
                (ratio, sessions.iter().map(part).collect())
            }
            Latency(fraction) => {
                let at = |fraction: f64| times[(fraction * times.len() as f64) as usize];
                let near = 0.1 * (1.0 - fraction);
                let density = 2.0 * near / (at(fraction + near) - at(fraction - near));
                let scale = density * times.len() as f64 / count;
                let quantile = at(fraction);
                let part = |s: &DrySession| {
                    let below = s.runs.iter().filter(|run| run.latency_s <= quantile).count();
                    (fraction * s.runs.len() as f64 - below as f64) / scale
                };
                (quantile, sessions.iter().map(part).collect())
            }
        }
    }
}

/// The number of sessions that makes the differences most likely, and the numbers that
/// make them exp(-2) times as likely (an interval of 95 %).
fn table_sessions<'f>(found: impl Iterator<Item = &'f Found> + Clone) -> [f64; 3] {
    let grid = (0..400).map(|step| 200.0 * 1.0125f64.powi(step));
    let likely = |their| found.clone().map(|found| found.misfit(their).1).sum::<f64>();
    let curve: Vec<(f64, f64)> = grid.map(|their| (their, likely(their))).collect();
    let best = curve.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a grid");
    let mut inside = curve.iter().filter(|point| point.1 > best.1 - 2.0).map(|point| point.0);
    let low = inside.next().expect("the best is inside");
    [low, best.0, inside.next_back().unwrap_or(low)]
}

/// Chance of a misfit as large as that of agent `at`, with the number of the table's
/// sessions from the others.
fn chance(found: &[Found], at: usize) -> (f64, usize, f64) {
    let others = found.iter().enumerate().filter(|(other, _)| *other != at);
    let [_, their, _] = table_sessions(others.map(|(_, found)| found));
    let (squares, freedom) = (found[at].misfit(their).0, found[at].free().len());
    (squares, freedom, ChiSquared::new(freedom as f64).unwrap().sf(squares))
}

/// Sessions of each agent, from a scale: coding agents and researchers take longer.
fn counts(scale: u64) -> [u64; 6] {
    [scale, scale, 2 * scale, 2 * scale, 2 * scale, 2 * scale]
}

fn all(counts: [u64; 6], has_free_compactions: bool) -> Vec<Found> {
    let profiles = PROFILES.into_iter().zip(counts);
    let found = profiles.map(|((name, reference), count)| {
        Found::new(&sessions(name, count, has_free_compactions), reference)
    });
    found.collect()
}

/// Standard errors that one figure in 2,000 exceeds by chance.
const ERRORS_MAX: f64 = 3.5;

/// Each agent is off by no more than its sessions explain. Each figure is within 3 %, or
/// within the table's own error where that is larger.
#[track_caller]
fn check(found: &[Found]) {
    let [low, their, high] = table_sessions(found.iter());
    println!("the table took {low:.0} to {high:.0} sessions, most likely {their:.0}");
    for (at, (name, _)) in PROFILES.iter().enumerate() {
        let (squares, freedom, chance) = chance(found, at);
        println!("{name}: chi-square {squares:.1} with {freedom} degrees of freedom, {chance:.3}");
        assert!(chance > 0.001, "{name} is not what the table is of");
        for (row, (figure, unit, ..)) in TABLE_ROWS.iter().enumerate() {
            let off = found[at].difference(row).abs();
            let error = found[at].error(row, their);
            let margin = (0.03 * found[at].reference[row] + unit / 2.0).max(ERRORS_MAX * error);
            let ours = found[at].figures[row];
            assert!(off <= margin, "{name}, {figure}: {ours}, {:.1} errors", off / error);
        }
    }
}

#[test]
fn agents_come_to_the_table() {
    check(&all(counts(1_500), true));
}

/// A number with as many decimals as `unit` has, and commas between thousands.
fn number(value: f64, unit: f64) -> String {
    let decimals = (-unit.log10()).round().max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    let whole = text.find('.').unwrap_or(text.len());
    let mut grouped = String::new();
    for (at, digit) in text.char_indices() {
        if at > 0 && at < whole && (whole - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// One decimal and a sign, but for zero.
fn signed(value: f64) -> String {
    let text = format!("{value:+.1}");
    if text[1..] == *"0.0" { "0.0".to_owned() } else { text }
}

/// Ours and the table's, their difference in per cent of ours and in standard errors.
fn cell(found: &Found, row: usize, their: f64) -> String {
    let (unit, ours, reference) = (TABLE_ROWS[row].1, found.figures[row], found.reference[row]);
    if found.covariance[row][row] == 0.0 || ours < unit / 2.0 {
        return number(ours, unit);
    }
    let off = found.difference(row);
    let (ours_text, reference) = (number(ours, unit), number(reference, unit));
    let errors = signed(off / found.error(row, their));
    format!("{ours_text} / {reference} ({} %, {errors})", signed(100.0 * off / ours))
}

/// The tables that docs/validation.md has.
fn page(found: &[Found], as_simulated: &[Found]) -> String {
    let [low, their, high] = table_sessions(found.iter());
    let names = PROFILES.map(|(name, _)| name).join(" | ");
    let mut page = format!(
        "Sessions behind the table, most likely: {}; with 95 % confidence {} to {}.\n\n\
         | ours / the table's (difference, standard errors) | {names} |\n{}|\n",
        number(their, 1.0),
        number(low, 1.0),
        number(high, 1.0),
        "|---".repeat(7)
    );
    for (row, (figure, ..)) in TABLE_ROWS.iter().enumerate() {
        let cells: Vec<String> = found.iter().map(|found| cell(found, row, their)).collect();
        page += &format!("| {figure} | {} |\n", cells.join(" | "));
    }
    let chances: Vec<String> = (0..found.len())
        .map(|at| {
            let (squares, freedom, chance) = chance(found, at);
            format!("{squares:.1} of {freedom}, {chance:.2}")
        })
        .collect();
    page += &format!("| chi-square of degrees of freedom, chance | {} |\n\n", chances.join(" | "));
    page += "| as simulated (effect of the call) | coding-agent | deep-research |\n|---|---|---|\n";
    for (row, (figure, unit, ..)) in TABLE_ROWS.iter().enumerate() {
        let figures = [0, 1].map(|at| (as_simulated[at].figures[row], found[at].figures[row]));
        if figures.iter().any(|(ours, free)| (ours / free - 1.0).abs() >= 5e-4) {
            let [coding, research] = figures.map(|(ours, free)| {
                format!("{} ({} %)", number(ours, *unit), signed(100.0 * (ours / free - 1.0)))
            });
            page += &format!("| {figure} | {coding} | {research} |\n");
        }
    }
    page
}

/// With a million sessions of each agent the test is as sharp as the table allows, and
/// docs/validation.md has what it found.
#[test]
#[ignore = "a million sessions of each agent: minutes, optimized"]
fn docs_have_what_agents_come_to() {
    const SESSIONS: u64 = 1_000_000;
    let mut found = all([SESSIONS; 6], true);
    check(&found);
    let as_simulated = all([SESSIONS, SESSIONS, 1_000, 1_000, 1_000, 1_000], false);
    let tables = page(&found, &as_simulated);
    println!("{tables}");
    // The test can tell: if they had compactions as calls, it would show.
    found[1] = as_simulated.into_iter().nth(1).expect("six agents");
    let (squares, freedom, chance) = chance(&found, 1);
    println!("deep-research, compactions as calls: {squares:.1} of {freedom}, {chance:e}");
    assert!(chance < 1e-3, "{squares} of {freedom}");
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/validation.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    assert!(docs.contains(&tables), "docs/validation.md has other tables");
}
