//! A forecast as one HTML page.

use super::table;
use crate::report::charts::Chart;
use crate::report::page as shell;
use crate::study::forecast::Forecast;
use maud::{Markup, html as page};

/// Parts of the page: anchor and name.
const PARTS: [(&str, &str); 4] = [
    ("charts", "Charts"),
    ("use-cases", "Use cases"),
    ("layers", "Layers"),
    ("reading", "How to read them"),
];

/// Terms of a forecast.
const TERMS: [(&str, &str); 8] = [
    (
        "To compute",
        "Prompt tokens that the cache does not spare. Tokens a second count these and the output.",
    ),
    (
        "Base",
        "The mean rate of arrivals, times all tokens they bring, as if no call thought and there \
         were no cache.",
    ),
    (
        "Reasoning",
        "All tokens, with what calls think before they answer and what of it joins later prompts, \
         over those without.",
    ),
    ("Cache", "What is left to compute of all tokens, over all of them."),
    (
        "Variability",
        "Hours, days, season, calendar and crowds, without growth: the peak hour over the mean \
         rate; of the horizon, its mean over the mean rate.",
    ),
    ("Growth", "With growth over without it; the peak hour may be another one."),
    (
        "Peak hour",
        "The whole hour of the local clock with the most tokens to compute in the forecast. \
         Arrivals vary around it by chance, and shorter times than an hour have higher peaks.",
    ),
    (
        "±",
        "The 95 % interval of an expected value whose mean tokens were estimated by drawing. How \
         far demand itself strays from its expected value is not in it.",
    ),
];

/// The whole page; `scenario_toml` is the scenario as resolved.
pub fn html(forecast: &Forecast, charts: &[Chart], scenario_toml: &str) -> String {
    let Forecast { scenario, version, digest, seed, .. } = forecast;
    let body = page! {
        header {
            h1 { (scenario) ", forecast" }
            p.setting { (table::setting(forecast)) }
            (shell::warnings(&forecast.warnings))
            ul.story {
                @if let Some(total) = &forecast.total { li { (table::means(total)) } }
                @for note in &forecast.notes { li { (note) } }
            }
            (shell::contents(&PARTS))
        }
        main {
            h2 id="charts" { "Charts" }
            @for chart in charts { (shell::figure(chart)) }
            @if charts.is_empty() { p.note { "No use case has a rate to forecast." } }
            h2 id="use-cases" { "Use cases" }
            (tabulate("of the horizon", &table::use_cases(forecast)))
            h2 id="layers" { "Layers" }
            @if let Some(total) = &forecast.total {
                (tabulate("all use cases", &table::layers(total)))
            }
            @for use_case in forecast.use_cases.iter().filter(|_| forecast.use_cases.len() > 1) {
                @if let Some(figures) = &use_case.figures {
                    (tabulate(&use_case.name, &table::layers(figures)))
                }
            }
            p.note { "All figures are in forecast.json beside this page." }
            (shell::reading(TERMS))
            (shell::scenario(scenario_toml))
        }
        (shell::closing("forecast", version, digest, *seed, None))
    };
    shell::document(&format!("{scenario}, forecast"), &body)
}

fn tabulate(caption: &str, (head, rows): &table::Cells) -> Markup {
    page! {
        div.scroll {
            table {
                caption { (caption) }
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr { @for cell in row { td { (cell) } } }
                    }
                }
            }
        }
    }
}
