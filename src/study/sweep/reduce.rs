//! From finished parts to the figures of every point, one point at a time.
//!
//! Parts hold their lines in order, so they are merged as sorted lists: memory
//! does not depend on how many points or runs there are.

use super::line::{self, Header, Line, Point, Run, Settled};
use super::part::{Shard, damage};
use crate::error::{Error, Mistake, Result};
use crate::kernel::Digest;
use crate::scenario::Regime;
use crate::statistics::Interval;
use crate::study::figures::{Share, Shares, Terms};
use crate::study::precision::Precision;
use crate::study::reduce::{CONFIDENCE, Evidence, Lacking, Stability, memories, reduced};
use crate::study::windows::{OverloadedWindow, overloaded, sentence};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

/// One point of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PointSummary {
    /// Its number, from 0.
    pub point: u32,
    /// What varies, and its value here as written.
    pub values: IndexMap<String, serde_json::Value>,
    /// Fold of every event of every replication, 16 hexadecimal digits.
    pub digest: String,
    /// Its replications.
    pub replications: u32,
    /// How precise the figures are that were to be; absent where nothing was
    /// asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Calls simulated, all replications together.
    pub calls: u64,
    /// Time removed at the start of each replication, s.
    pub warm_up_s: f64,
    /// Replications that were cut off.
    pub cut_off: u32,
    /// Pools that cannot sustain the load; their steady-state figures are withheld.
    pub unstable_pools: Vec<String>,
    /// Windows of the horizon in which a pool cannot keep up; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overloaded_windows: Vec<OverloadedWindow>,
    /// What the reader must know of this point.
    pub warnings: Vec<String>,
    /// By path; a figure that is absent or withheld is left out.
    pub figures: IndexMap<String, Interval>,
}

/// What is known once all points have been seen.
#[derive(Clone, Debug, Serialize)]
pub struct Tail {
    /// Fold of the digests of all points.
    pub digest: String,
    /// What the reader must know before any figure.
    pub warnings: Vec<String>,
}

/// All lines of a finished point.
struct Finished {
    point: Point,
    /// In order.
    runs: Vec<Run>,
    settled: Option<Settled>,
}

/// The verdict on each of so many pools.
pub(super) fn stability(regime: Regime, pools: usize, runs: &[Run]) -> Vec<Stability> {
    let verdict = |pool: usize| {
        let evidence: Vec<Evidence> = runs.iter().map(|run| run.pools[pool]).collect();
        Stability::from(regime, &evidence)
    };
    (0..pools).map(verdict).collect()
}

/// What `runs` contribute to the figure at `index`.
pub(super) fn shares(runs: &[Run], index: usize) -> Shares {
    let mut shares = Shares::default();
    for run in runs {
        let sections = run.sections.iter().map(|section| section[index].clone()).collect();
        shares.push(run.shares[index].clone(), sections);
    }
    shares
}

/// The finished parts of one sweep.
pub struct Parts {
    header: Header,
    readers: Vec<Reader>,
}

struct Reader {
    path: PathBuf,
    salt: String,
    number: usize,
    lines: Peekable<Lines<BufReader<File>>>,
}

impl Parts {
    /// Opens these parts, which must be all of one sweep.
    pub fn open(paths: &[PathBuf]) -> Result<Parts> {
        let mut found = Vec::new();
        let mut mistakes = Vec::new();
        for path in paths {
            match Reader::open(path) {
                Ok(reader) => found.push(reader),
                Err(mistake) => mistakes.push(*mistake),
            }
        }
        let Some((shard, header, _)) = found.first() else {
            return Err(Error::Invalid(mistakes));
        };
        let header = header.clone();
        let count = shard.count;
        for (shard, other, reader) in &found {
            let problem = if other.hash != header.hash {
                format!("has the scenario hash {}, the first part {}", other.hash, header.hash)
            } else if other.version != header.version {
                format!("is of tokenmill {}, the first part of {}", other.version, header.version)
            } else if shard.count != count {
                format!("is a part of {}, the first one of {count}", shard.count)
            } else {
                continue;
            };
            mistakes.push(mistake(&reader.path, problem, "merge the parts of one sweep only"));
        }
        for index in (0..count).filter(|&index| !found.iter().any(|(s, ..)| s.index == index)) {
            let folder = paths[0].parent().unwrap_or(Path::new(""));
            let path = folder.join(format!("part-{index:05}-of-{count:05}.jsonl"));
            if !paths.contains(&path) {
                let fix = format!("run `tokenmill sweep SCENARIO --shard {index}/{count}`");
                mistakes.push(mistake(&path, "is missing".to_owned(), &fix));
            }
        }
        if !mistakes.is_empty() {
            return Err(Error::Invalid(mistakes));
        }
        Ok(Parts { header, readers: found.into_iter().map(|(_, _, reader)| reader).collect() })
    }

    /// What they are of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives every point, in order, to `each`.
    pub fn reduce(mut self, mut each: impl FnMut(PointSummary) -> Result<()>) -> Result<Tail> {
        let mut digest = Digest::default();
        let (mut unstable, mut cut_off, mut too_short) = (0, 0, 0);
        let (mut overloaded, mut first) = (0, None);
        for number in 0..self.header.points {
            let (summary, windows) = summary(self.point(number)?);
            digest.word(u64::from_str_radix(&summary.digest, 16).unwrap_or_default());
            unstable += u32::from(!summary.unstable_pools.is_empty());
            cut_off += u32::from(summary.cut_off > 0);
            if let Some(told) = sentence(&summary.overloaded_windows, windows) {
                overloaded += 1;
                first.get_or_insert_with(|| format!("point {number}: {told}"));
            }
            too_short +=
                u32::from(!summary.warnings.is_empty() && summary.unstable_pools.is_empty());
            each(summary)?;
        }
        let all = self.header.points;
        let count =
            |count: u32, what: &str| (count > 0).then(|| format!("{count} of {all} points {what}"));
        let mut warnings = self.header.warnings.clone();
        warnings.extend(count(
            unstable,
            "are unstable at their load; their steady-state figures are withheld",
        ));
        let told =
            first.map(|first| format!("have windows in which a pool cannot keep up, {first}"));
        warnings.extend(told.and_then(|told| count(overloaded, &told)));
        warnings.extend(count(
            cut_off,
            "have replications that were cut off; what those would have measured later is missing",
        ));
        warnings.extend(count(
            too_short,
            "are stable but have warnings of their own, which sweep.json tells",
        ));
        Ok(Tail { digest: digest.to_string(), warnings })
    }

    /// All there is of point `number`.
    fn point(&mut self, number: u32) -> Result<Finished> {
        let (mut point, mut settled) = (None, None);
        let mut runs = Vec::new();
        for reader in &mut self.readers {
            while let Some(line) = reader.next_of(number)? {
                match line {
                    Line::Point(line) => point = Some(line),
                    Line::Run(run) => runs.push(run),
                    Line::Settled(line) => settled = Some(line),
                    Line::Part { .. } | Line::End { .. } => {}
                }
            }
        }
        runs.sort_by_key(|run| run.replication);
        let all = match (&settled, self.header.is_sequential) {
            (Some(settled), _) => settled.replications,
            // No run can be missing of none.
            (None, true) => u32::MAX,
            (None, false) => self.header.replications,
        };
        let is_whole = runs.iter().map(|run| run.replication).eq(0..all);
        let point = point.filter(|point| {
            let fit = |run: &Run| {
                let is_whole = |shares: &Vec<Share>| shares.len() == point.figures.len();
                run.pools.len() == point.pools.len()
                    && is_whole(&run.shares)
                    && run.sections.iter().all(is_whole)
            };
            is_whole && runs.iter().all(fit) && point.steady_on.len() == point.figures.len()
        });
        let point = point.ok_or_else(|| {
            let paths: Vec<_> = self.readers.iter().map(|r| r.path.display().to_string()).collect();
            Error::Failed(format!(
                "{}: runs of point {number} are missing; run the sweep again with --resume",
                paths.join(", ")
            ))
        })?;
        Ok(Finished { point, runs, settled })
    }
}

impl Reader {
    fn open(path: &Path) -> std::result::Result<(Shard, Header, Reader), Box<Mistake>> {
        let wrong = |problem: String, fix: &str| Box::new(mistake(path, problem, fix));
        let again = "run its shard again with --resume";
        let file = File::open(path)
            .map_err(|error| wrong(format!("cannot be read: {error}"), "check its permissions"))?;
        let mut lines = BufReader::new(file).lines().peekable();
        let first = lines.next().and_then(std::result::Result::ok).unwrap_or_default();
        let Some((index, count, header)) = line::read_header(&first) else {
            return Err(wrong("its first line is cut short or damaged".to_owned(), again));
        };
        if !is_finished(path, &header.hash) {
            return Err(wrong("is not finished".to_owned(), again));
        }
        let salt = header.hash.clone();
        let reader = Reader { path: path.to_owned(), salt, number: 1, lines };
        Ok((Shard { index, count }, header, reader))
    }

    /// The next line if it is of this point; lines of points come in order.
    fn next_of(&mut self, number: u32) -> Result<Option<Line>> {
        let Some(peeked) = self.lines.peek() else { return Ok(None) };
        let text = peeked.as_deref().unwrap_or_default();
        let line = line::read::<Line>(text, &self.salt);
        let is_of = match &line {
            Some(Line::Point(point)) => point.point == number,
            Some(Line::Run(run)) => run.point == number,
            Some(Line::Settled(settled)) => settled.point == number,
            Some(Line::End { .. }) => false,
            Some(Line::Part { .. }) | None => {
                let named = damage(&self.path, self.number + 1);
                let fix = "run its shard again with --resume";
                return Err(Error::Failed(format!("{named}; {fix}")));
            }
        };
        if !is_of {
            return Ok(None);
        }
        self.lines.next();
        self.number += 1;
        Ok(line)
    }
}

/// Whether the part ends with an end line.
fn is_finished(path: &Path, salt: &str) -> bool {
    use std::io::{Read, Seek, SeekFrom};
    const TAIL: u64 = 200;
    let tail = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let tail = tail().unwrap_or_default();
    let last = tail.lines().last().unwrap_or_default();
    tail.ends_with('\n') && matches!(line::read(last, salt), Some(Line::End { .. }))
}

fn mistake(path: &Path, problem: String, fix: &str) -> Mistake {
    Mistake {
        file: path.display().to_string(),
        line: None,
        key: String::new(),
        value: None,
        problem,
        fix: fix.to_owned(),
    }
}

/// The figures of a point, and how many windows it ran.
fn summary(Finished { point, runs, settled }: Finished) -> (PointSummary, usize) {
    let mut digest = Digest::default();
    runs.iter()
        .for_each(|run| digest.word(u64::from_str_radix(&run.digest, 16).unwrap_or_default()));
    let stability = stability(point.regime, point.pools.len(), &runs);
    let is_unstable = |pool: &usize| stability.get(*pool).is_none_or(|verdict| !verdict.is_stable);
    let mut lacking = Lacking::default();
    let figure = |(index, (path, pools)): (usize, (&String, &Vec<usize>))| {
        if pools.iter().any(is_unstable) {
            return None;
        }
        let terms = Terms::of(path, CONFIDENCE, memories(&stability, pools));
        let (value, lack) = reduced(&shares(&runs, index), &terms, point.is_random)?;
        if let Some(lack) = lack {
            lacking.add(path, lack, &stability, pools);
        }
        Some((path.clone(), value))
    };
    let figures =
        point.figures.iter().zip(&point.steady_on).enumerate().filter_map(figure).collect();
    let unstable_pools: Vec<String> = point
        .pools
        .iter()
        .zip(&stability)
        .filter(|(_, verdict)| !verdict.is_stable)
        .map(|(name, _)| name.clone())
        .collect();
    let names: Vec<&str> = point.pools.iter().map(String::as_str).collect();
    let windows = runs.iter().flat_map(|run| &run.windows);
    let (overloaded_windows, windows) = overloaded(point.regime, &names, windows);
    // A load that grows has no warm-up to find; that it grows says more.
    let mut warnings: Vec<String> =
        point.warning.filter(|_| unstable_pools.is_empty()).into_iter().collect();
    warnings.extend(lacking.warnings(point.pools.iter().map(String::as_str), &stability));
    warnings.extend(settled.iter().flat_map(|settled| settled.warnings.iter().cloned()));
    let summary = PointSummary {
        point: point.point,
        values: point.values,
        digest: digest.to_string(),
        replications: runs.len() as u32,
        precision: settled.map(|settled| settled.precision),
        calls: runs.iter().map(|run| run.calls).sum(),
        warm_up_s: point.warm_up_s,
        cut_off: runs.iter().filter(|run| run.cut_off.is_some()).count() as u32,
        unstable_pools,
        overloaded_windows,
        warnings,
        figures,
    };
    (summary, windows)
}
