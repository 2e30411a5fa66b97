//! What a run leaves behind: its figures, its curves, and pages that show them.

use super::charts::charts;
use super::html::html;
use super::outputs::{Artifact, Identity, Outputs, json};
use super::windows;
use crate::study::{Series, Summary};

/// The files of a run; `scenario_toml` is the scenario as resolved.
pub fn run(summary: &Summary, series: &Series, scenario_toml: &str) -> Outputs {
    let curves = serde_json::to_string(series).expect("curves are JSON") + "\n";
    let mut artifacts = vec![
        Artifact::Text("scenario.toml", scenario_toml.to_owned()),
        Artifact::Text("summary.json", json(summary)),
        Artifact::Text("series.json", curves),
        Artifact::Text("report.html", html(summary, series, scenario_toml)),
    ];
    if !summary.windows.is_empty() {
        artifacts.push(Artifact::Text("windows.csv", windows::csv(summary)));
    }
    artifacts.extend(charts(summary, series).into_iter().map(Artifact::Chart));
    let identity = Identity {
        version: summary.version.clone(),
        scenario: summary.scenario.clone(),
        seed: summary.seed,
        replications: summary.replications,
        digest: summary.digest.clone(),
    };
    Outputs { identity, artifacts }
}
