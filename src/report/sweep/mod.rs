//! What a sweep leaves behind: sweep.json and points.csv, written while points
//! are reduced, and charts and a page of its outline.

mod html;
mod text;

pub use text::sweep_text;

use super::charts::sweep_charts;
use super::outputs::{Artifact, Identity, Outputs, unwritable, workshop};
use crate::error::{Error, Result};
use crate::study::sweep::{Header, Outline, PointSummary, Tail};
use indexmap::IndexMap;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tempfile::TempDir;

const JSON: &str = "sweep.json";
const CSV: &str = "points.csv";

/// Writes the points of a sweep as they come; memory holds their outline only.
pub struct SweepWriter {
    workshop: TempDir,
    header: Header,
    outline: Outline,
    json: BufWriter<File>,
    csv: csv::Writer<File>,
}

/// The head of sweep.json.
#[derive(Serialize)]
struct Head<'a> {
    schema: u32,
    scenario: &'a str,
    version: &'a str,
    hash: &'a str,
    seed: u64,
    replications: u32,
    design: &'a str,
    axes: Vec<Axis<'a>>,
}

#[derive(Serialize)]
struct Axis<'a> {
    key: &'a str,
    unit: Option<&'a str>,
}

/// What follows its points.
#[derive(Serialize)]
struct Foot<'a> {
    pareto: IndexMap<&'a str, Vec<u32>>,
    digest: &'a str,
    warnings: &'a [String],
}

impl SweepWriter {
    /// Begins beside the files in `dir`, which exists.
    pub fn begin(dir: &Path, header: &Header) -> Result<SweepWriter> {
        let workshop = workshop(dir).map_err(|source| unwritable(dir, source))?;
        let create = |name: &str| {
            let path = workshop.path().join(name);
            File::create(&path).map_err(|source| unwritable(&path, source))
        };
        let (json, csv) = (create(JSON)?, create(CSV)?);
        let mut writer = SweepWriter {
            outline: Outline::new(header),
            header: header.clone(),
            json: BufWriter::new(json),
            csv: csv::Writer::from_writer(csv),
            workshop,
        };
        writer.head()?;
        Ok(writer)
    }

    fn head(&mut self) -> Result<()> {
        let Header { schema, version, scenario, hash, seed, replications, design, axes, .. } =
            &self.header;
        let axes = axes.iter().map(|axis| Axis { key: &axis.key, unit: axis.unit.as_deref() });
        let head = Head {
            schema: *schema,
            scenario,
            version,
            hash,
            seed: *seed,
            replications: *replications,
            design,
            axes: axes.collect(),
        };
        let head = serde_json::to_string_pretty(&head).expect("results are JSON");
        let head = head.trim_end_matches(['}', '\n']);
        let named = |axis: &crate::study::sweep::AxisLine| match &axis.unit {
            Some(unit) => format!("{} ({unit})", axis.key),
            None => axis.key.clone(),
        };
        let columns = ["point".to_owned()].into_iter().chain(self.header.axes.iter().map(named));
        let rest = ["stable", "figure", "mean", "low", "high"].map(str::to_owned);
        let columns: Vec<String> = columns.chain(rest).collect();
        let written = write!(self.json, "{head},\n  \"points\": [");
        written.map_err(|source| self.failed(JSON, source))?;
        self.csv.write_record(&columns).map_err(|error| self.failed(CSV, error.into()))
    }

    /// Writes a point.
    pub fn add(&mut self, point: &PointSummary) -> Result<()> {
        let comma = if point.point == 0 { "" } else { "," };
        let text = serde_json::to_string(point).expect("results are JSON");
        let written = write!(self.json, "{comma}\n    {text}");
        written.map_err(|source| self.failed(JSON, source))?;
        self.rows(point).map_err(|error| self.failed(CSV, error.into()))?;
        self.outline.add(point, &self.header.use_cases);
        Ok(())
    }

    /// A row a figure.
    fn rows(&mut self, point: &PointSummary) -> csv::Result<()> {
        let axes = self.header.axes.iter().zip(point.values.values());
        let values: Vec<String> =
            axes.map(|(axis, value)| number(value, axis.unit.is_some())).collect();
        let is_stable = point.unstable_pools.is_empty() && point.unknown_pools.is_empty();
        for (path, interval) in &point.figures {
            let end = |end: Option<f64>| end.map_or(String::new(), |end| end.to_string());
            let place = [point.point.to_string()].into_iter().chain(values.iter().cloned());
            let figure = [
                is_stable.to_string(),
                path.clone(),
                interval.mean.to_string(),
                end(interval.low),
                end(interval.high),
            ];
            self.csv.write_record(place.chain(figure))?;
        }
        Ok(())
    }

    /// The files of the sweep, and its outline.
    pub fn finish(mut self, tail: &Tail) -> Result<Written> {
        let numbers = |front: &Vec<crate::study::sweep::PointOutline>| {
            front.iter().map(|point| point.point).collect()
        };
        let fronts = self.outline.fronts.iter();
        let foot = Foot {
            pareto: fronts.map(|(name, front)| (name.as_str(), numbers(front))).collect(),
            digest: &tail.digest,
            warnings: &tail.warnings,
        };
        let foot = serde_json::to_string_pretty(&foot).expect("results are JSON");
        let written = write!(self.json, "\n  ],{}\n", &foot[1..]);
        written.and_then(|()| self.json.flush()).map_err(|source| self.failed(JSON, source))?;
        self.csv.flush().map_err(|source| self.failed(CSV, source))?;
        let made = |name: &'static str| Artifact::Made(name, self.workshop.path().join(name));
        let charts = sweep_charts(&self.outline);
        let page = html::html(&self.header, &self.outline, tail, &charts);
        let mut artifacts = vec![
            made(JSON),
            made(CSV),
            Artifact::Text("scenario.toml", self.header.scenario_toml.clone()),
            Artifact::Text("report.html", page),
        ];
        artifacts.extend(charts.into_iter().map(Artifact::Chart));
        for name in [JSON, CSV] {
            settle(&self.workshop.path().join(name)).map_err(|source| self.failed(name, source))?;
        }
        let identity = Identity {
            version: self.header.version.clone(),
            scenario: self.header.scenario.clone(),
            seed: self.header.seed,
            replications: self.header.replications,
            digest: tail.digest.clone(),
        };
        let outputs = Outputs { identity, artifacts };
        Ok(Written { outputs, outline: self.outline, _workshop: self.workshop })
    }

    fn failed(&self, name: &str, source: io::Error) -> Error {
        unwritable(&self.workshop.path().join(name), source)
    }
}

/// The files of a sweep; those made already go when this is dropped, unless
/// they were moved to their place.
pub struct Written {
    /// What to put in the folder.
    pub outputs: Outputs,
    /// What to tell.
    pub outline: Outline,
    _workshop: TempDir,
}

/// Makes sure that a file is on the disk.
fn settle(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A value for a table of numbers: without its unit where all have the same.
fn number(value: &serde_json::Value, has_unit: bool) -> String {
    match value.as_str() {
        Some(text) if has_unit => crate::scenario::range::quantity(text)
            .map_or_else(|| text.to_owned(), |(_, number, _)| number.to_string()),
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}
