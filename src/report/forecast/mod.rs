//! What a forecast leaves behind: its figures and layers as tables, a waterfall
//! and a page.

mod page;
mod table;
mod terminal;

pub use terminal::terminal as forecast_terminal;

use super::charts::{Chart, waterfall_chart};
use super::outputs::{Artifact, Identity, Outputs, json};
use crate::study::forecast::Forecast;

/// The files of a forecast; `scenario_toml` is the scenario as resolved.
pub fn forecast(forecast: &Forecast, scenario_toml: &str) -> Outputs {
    let chart = chart(forecast);
    let mut artifacts = vec![
        Artifact::Text("scenario.toml", scenario_toml.to_owned()),
        Artifact::Text("forecast.json", json(forecast)),
        Artifact::Text("report.html", page::html(forecast, chart.as_ref(), scenario_toml)),
    ];
    artifacts.extend(chart.map(Artifact::Chart));
    let identity = Identity {
        version: forecast.version.clone(),
        scenario: forecast.scenario.clone(),
        seed: forecast.seed,
        replications: 1,
        digest: forecast.digest.clone(),
    };
    Outputs { identity, artifacts }
}

/// The layers of all use cases together, if there are any.
fn chart(forecast: &Forecast) -> Option<Chart> {
    Some(Chart {
        name: "forecast",
        caption: "From the mean demand to what has to be computed, all use cases together. Each \
                  step is multiplied by its factor: what the cache spares, how demand varies, how \
                  it grows. Left: the mean of the horizon; right: its busiest hour.",
        drawing: waterfall_chart(forecast.total.as_ref()?),
    })
}
