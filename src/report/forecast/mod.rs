//! What a forecast leaves behind: its figures and layers as tables, a waterfall
//! and a page.

mod page;
mod table;
mod terminal;

pub use terminal::terminal as forecast_terminal;

use super::charts::{Chart, demand_chart, waterfall_chart};
use super::outputs::{Artifact, Identity, Outputs, json};
use crate::study::forecast::Forecast;

/// The files of a forecast; `scenario_toml` is the scenario as resolved.
pub fn forecast(forecast: &Forecast, scenario_toml: &str) -> Outputs {
    let charts = charts(forecast);
    let mut artifacts = vec![
        Artifact::Text("scenario.toml", scenario_toml.to_owned()),
        Artifact::Text("forecast.json", json(forecast)),
        Artifact::Text("report.html", page::html(forecast, &charts, scenario_toml)),
    ];
    artifacts.extend(charts.into_iter().map(Artifact::Chart));
    let identity = Identity {
        version: forecast.version.clone(),
        scenario: forecast.scenario.clone(),
        seed: forecast.seed,
        replications: 1,
        digest: forecast.digest.clone(),
    };
    Outputs { identity, artifacts }
}

/// The layers of all use cases together, and their days, if there are any.
fn charts(forecast: &Forecast) -> Vec<Chart> {
    let Some(total) = &forecast.total else { return Vec::new() };
    let layers = Chart {
        name: "forecast",
        caption: "From the mean demand to what has to be computed, all use cases together. Each \
                  step is multiplied by its factor: what the cache spares, how demand varies, how \
                  it grows. Left: the mean of the horizon; right: its busiest hour.",
        drawing: waterfall_chart(total),
    };
    let days = demand_chart(forecast).map(|drawing| Chart {
        name: "demand",
        caption: "Tokens to be computed on the days of the horizon. The band reaches from the \
                  quietest hour of a day to its busiest: what a fleet of constant size has to \
                  hold is the upper edge, what it is used for in the mean is the line.",
        drawing,
    });
    [layers].into_iter().chain(days).collect()
}
