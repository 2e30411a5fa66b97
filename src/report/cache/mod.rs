//! A cache replay for people: table, chart, page, files.

mod page;

use super::charts::{Chart, miss_ratio};
use super::figure::grouped;
use super::outputs::{Artifact, json};
use crate::study::{CacheAnswer, CacheReplay};
use std::fmt::Write;

/// A replay with what was read.
pub struct CacheReport<'r> {
    /// Name of the trace.
    pub trace: &'r str,
    /// What was replayed, in a sentence.
    pub setting: String,
    /// What must be known before any figure.
    pub warnings: Vec<String>,
    /// What the figures rest on.
    pub notes: Vec<String>,
    /// The figures.
    pub replay: &'r CacheReplay,
    /// Version of tokenmill.
    pub version: &'r str,
    /// What makes the replay again.
    pub command: &'r str,
}

impl CacheReport<'_> {
    /// Head and rows of the table: a row a cache.
    pub fn table(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let has_ttl = self.replay.answers.iter().any(|answer| answer.ttl_s.is_some());
        let mut head = vec!["capacity, blocks", "capacity, tokens"];
        if has_ttl {
            head.push("to live, s");
        }
        head.extend(["hit blocks", "share", "hit tokens", "share"]);
        let rows = self.replay.answers.iter().map(|answer| row(answer, has_ttl)).collect();
        (head, rows)
    }

    /// The files of an output folder.
    pub fn artifacts(&self) -> Vec<Artifact> {
        let chart = Chart {
            name: "miss-ratio",
            caption: "Misses by capacity. The share of the prompt tokens that a cache of so many \
                      blocks has to compute; where the curve falls steeply, more cache pays.",
            drawing: miss_ratio::draw(self.trace, self.replay),
        };
        vec![
            Artifact::Text("cache.json", json(&self.replay.answers)),
            Artifact::Text("miss-ratio.csv", self.csv()),
            Artifact::Text("report.html", page::html(self, &chart)),
            Artifact::Chart(chart),
        ]
    }

    /// The curves as a table of numbers.
    fn csv(&self) -> String {
        let mut text =
            "ttl_s,capacity_blocks,miss_blocks_fraction,miss_tokens_fraction\n".to_owned();
        for curve in &self.replay.curves {
            let ttl_s = curve.ttl_s.map_or(String::new(), |ttl_s| ttl_s.to_string());
            for point in &curve.points {
                let _ = writeln!(
                    text,
                    "{ttl_s},{},{},{}",
                    point.capacity_blocks, point.miss_blocks_fraction, point.miss_tokens_fraction
                );
            }
        }
        text
    }
}

fn row(answer: &CacheAnswer, has_ttl: bool) -> Vec<String> {
    let count = |count: u64| grouped(count as f64, 0);
    let bound = |bound: Option<u64>| bound.map_or("inf".to_owned(), count);
    let share = |share: Option<f64>| {
        share.map_or("–".to_owned(), |share| format!("{} %", grouped(share * 100.0, 4)))
    };
    let mut row = vec![bound(answer.capacity_blocks), bound(answer.capacity_tokens)];
    if has_ttl {
        row.push(answer.ttl_s.map_or("inf".to_owned(), |ttl_s| ttl_s.to_string()));
    }
    row.extend([
        count(answer.hit_blocks),
        share(answer.hit_blocks_fraction),
        count(answer.hit_tokens),
        share(answer.hit_tokens_fraction),
    ]);
    row
}
