//! What a seek leaves behind: its answer as a sentence, the values that were
//! looked at as a table and a chart, and a page.

mod name;
pub mod over;
mod page;
mod story;
mod table;
mod terminal;

pub use name::{bound, measure, metric};
pub use over::{seek_over, seek_over_terminal};
pub use page::html as seek_html;
pub use terminal::terminal as seek_terminal;

use super::charts::{Chart, seek_chart};
use super::outputs::{Artifact, Identity, Outputs, json};
use crate::study::seek::SeekResult;

/// The files of a seek; `scenario_toml` is the scenario as resolved.
pub fn seek(result: &SeekResult, scenario_toml: &str) -> Outputs {
    let artifacts = vec![
        Artifact::Text("scenario.toml", scenario_toml.to_owned()),
        Artifact::Text("seek.json", json(result)),
        Artifact::Text("report.html", page::html(result, scenario_toml)),
        Artifact::Chart(chart(result)),
    ];
    let identity = Identity {
        version: result.version.clone(),
        scenario: result.scenario.clone(),
        seed: result.seed,
        replications: result.replications,
        digest: result.digest.clone(),
    };
    Outputs { identity, artifacts }
}

/// The chart of a seek.
fn chart(result: &SeekResult) -> Chart {
    Chart {
        name: "seek",
        caption: "The figures with a bound over the key, a dot a value that was simulated; the \
                  band is the confidence interval, the dashed line the bound, a cross at the upper \
                  edge a load that cannot be sustained. The upright line is the answer, the grey \
                  strip its 95 % interval: it ends where the band leaves the bound.",
        drawing: seek_chart(result),
    }
}
