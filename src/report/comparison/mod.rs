//! What a comparison leaves behind: the differences of each arm from the
//! baseline as text, tables, a forest plot and a page.

mod headline;
mod page;
mod story;
mod table;
mod terminal;

pub use headline::{Headline, Owner, owners};
pub use page::html as comparison_html;
pub use terminal::terminal as comparison_terminal;

use super::charts::{Chart, forest};
use super::outputs::{Artifact, Identity, Outputs, json};
use crate::study::Comparison;

/// The files of a comparison; `scenario_toml` is the scenario as resolved.
pub fn comparison(comparison: &Comparison, scenario_toml: &str) -> Outputs {
    let artifacts = vec![
        Artifact::Text("scenario.toml", scenario_toml.to_owned()),
        Artifact::Text("comparison.json", json(comparison)),
        Artifact::Text("report.html", page::html(comparison, scenario_toml)),
        Artifact::Chart(chart(comparison)),
    ];
    let identity = Identity {
        version: comparison.version.clone(),
        scenario: comparison.scenario.clone(),
        seed: comparison.seed,
        replications: comparison.replications,
        digest: comparison.digest.clone(),
    };
    Outputs { identity, artifacts }
}

/// The chart of a comparison.
pub fn chart(comparison: &Comparison) -> Chart {
    Chart {
        name: "forest",
        caption: "What each arm changes, relative to the baseline. A dot is the difference found, \
                  the bar its confidence interval; where a bar keeps clear of the line at 0, the \
                  arm makes a difference. Latencies and costs are better to the left.",
        drawing: forest::draw(comparison),
    }
}
