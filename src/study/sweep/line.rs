//! Lines of a part file: what a sweep knows of its points and runs.
//!
//! Each line is a JSON object that begins with a checksum of the rest, salted
//! with the hash of the scenario: a line that was cut short or damaged, or that
//! belongs to another sweep, is not mistaken for a result. Cost: a few
//! microseconds and some 10 kB a run and use case, most of it quantiles.

use super::packed;
use crate::kernel::Digest;
use crate::metrics::CutOff;
use crate::scenario::Regime;
use crate::study::figures::Share;
use crate::study::precision::Precision;
use crate::study::reduce::Evidence;
use crate::study::windows::WindowEvidence;
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The first line of a part: which sweep it is of, and which share it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the layout of parts and of sweep.json: 1.
    pub schema: u32,
    /// Version of tokenmill.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Fold of the resolved scenario and its traces, 16 hexadecimal digits.
    pub hash: String,
    /// Root seed.
    pub seed: u64,
    /// Replications of each point, at most.
    pub replications: u32,
    /// Points stop when they are precise, each with a line of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_sequential: bool,
    /// `grid`, `latin-hypercube` or `sobol`.
    pub design: String,
    /// What varies.
    pub axes: Vec<AxisLine>,
    /// How many points there are.
    pub points: u32,
    /// The pool that serves each use case.
    pub use_cases: IndexMap<String, String>,
    /// What the reader must know of the scenario itself.
    pub warnings: Vec<String>,
    /// The scenario as resolved.
    pub scenario_toml: String,
}

impl Header {
    /// "32 replications", or the most that a point may take.
    pub fn replications_each(&self) -> String {
        let most = if self.is_sequential { "at most " } else { "" };
        format!("{most}{} replications", self.replications)
    }
}

/// One key that varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisLine {
    /// The key.
    pub key: String,
    /// The unit that all its values are quantities in.
    pub unit: Option<String>,
    /// `linear` or `log`: how values are best spread.
    pub scale: String,
}

/// A line of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Line {
    /// What the part is of.
    Part {
        /// Which share, from 0.
        shard: u32,
        /// Of how many.
        shards: u32,
        /// The sweep.
        sweep: Header,
    },
    /// What the runs of a point have in common.
    Point(Point),
    /// A finished run.
    Run(Run),
    /// A point that has runs enough.
    Settled(Settled),
    /// The part is complete.
    End {
        /// Runs in it.
        runs: u64,
    },
}

/// What the runs of a point have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its number, from 0.
    pub point: u32,
    /// Its values, as they would be written in JSON.
    pub values: IndexMap<String, serde_json::Value>,
    /// What its runs measure.
    pub regime: Regime,
    /// Whether anything is drawn at random.
    pub is_random: bool,
    /// Time removed at the start of each run, in ticks.
    pub warm_up_ticks: u64,
    /// The same in seconds.
    pub warm_up_s: f64,
    /// What the reader must know about it.
    pub warning: Option<String>,
    /// Names of the pools.
    pub pools: Vec<String>,
    /// Paths of the figures that its runs give shares of.
    pub figures: Vec<String>,
    /// For each figure, the pools whose instability withholds it.
    pub steady_on: Vec<Vec<usize>>,
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its point.
    pub point: u32,
    /// Its replication.
    pub replication: u32,
    /// Fold of every event, 16 hexadecimal digits.
    pub digest: String,
    /// Calls that arrived.
    pub calls: u64,
    /// Why it was cut off; `None` when it was not.
    pub cut_off: Option<CutOff>,
    /// What it says of the stability of each pool.
    pub pools: Vec<Evidence>,
    /// What each of its windows says of them; none where all of the horizon ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowEvidence>,
    /// What it contributes to each figure.
    #[serde(with = "packed::shares")]
    pub shares: Vec<Share>,
    /// The same of each section of its window; none where it is not divided.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "packed::sections")]
    pub sections: Vec<Vec<Share>>,
}

/// What ended a point that runs until it is precise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// The point.
    pub point: u32,
    /// Replications that it took.
    pub replications: u32,
    /// How precise its figures are after them.
    pub precision: Precision,
    /// What the reader must know of that.
    pub warnings: Vec<String>,
}

/// What scans need of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Key {
    Part {},
    Point { point: u32, warm_up_ticks: u64 },
    Run { point: u32, replication: u32 },
    Settled { point: u32, replications: u32 },
    End {},
}

/// `{"check":"`, 16 digits, `",`.
const CHECK: &str = "{\"check\":\"";
const DIGITS: usize = 16;
const BODY: usize = CHECK.len() + DIGITS + 2;

/// The line as it is written, with its end.
pub fn write(line: &Line, salt: &str) -> String {
    let body = serde_json::to_string(line).expect("lines are JSON");
    let body = &body[1..];
    format!("{CHECK}{}\",{body}\n", checksum(body, salt))
}

/// Reads what [`write`] wrote, without its end; `None` for anything else.
pub fn read<T: DeserializeOwned>(text: &str, salt: &str) -> Option<T> {
    let check = text.strip_prefix(CHECK)?.get(..DIGITS)?;
    let body = text.get(BODY..)?;
    (check == checksum(body, salt)).then(|| serde_json::from_str(text).ok())?
}

/// As [`read`], for the first line of a part, which carries its own salt.
pub fn read_header(text: &str) -> Option<(u32, u32, Header)> {
    let line: Line = serde_json::from_str(text).ok()?;
    let Line::Part { shard, shards, sweep } = line else { return None };
    read::<Line>(text, &sweep.hash)?;
    Some((shard, shards, sweep))
}

fn checksum(body: &str, salt: &str) -> String {
    let mut digest = Digest::default();
    for text in [salt, body] {
        for word in text.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            digest.word(u64::from_le_bytes(bytes));
        }
        digest.word(text.len() as u64);
    }
    digest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Line {
        Line::Run(Run {
            point: 3,
            replication: 4,
            digest: Digest::default().to_string(),
            calls: 7,
            cut_off: Some(CutOff::Drain),
            pools: Vec::new(),
            windows: Vec::new(),
            shares: vec![Share::Value(0.1 + 0.2), Share::Ratio(1.0, 3.0), Share::Nothing],
            sections: Vec::new(),
        })
    }

    #[test]
    fn lines_survive_the_file() {
        let text = write(&run(), "salt");
        assert!(text.ends_with(",[1.0,3.0],null]}\n"), "{text}");
        assert_eq!(read::<Line>(text.trim_end(), "salt"), Some(run()));
        let key = read::<Key>(text.trim_end(), "salt");
        assert_eq!(key, Some(Key::Run { point: 3, replication: 4 }));
    }

    #[test]
    fn no_damage_goes_unseen() {
        let text = write(&run(), "salt");
        let text = text.trim_end();
        assert_eq!(read::<Line>(text, "pepper"), None);
        for end in 0..text.len() {
            assert_eq!(read::<Line>(&text[..end], "salt"), None);
        }
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            let damaged = String::from_utf8(bytes).unwrap();
            assert_eq!(read::<Line>(&damaged, "salt"), None, "{damaged}");
        }
    }
}
