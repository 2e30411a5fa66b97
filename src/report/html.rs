//! The report of a run as one HTML page.
//!
//! Order: what must be known, what it means, the charts, all figures, how to
//! read them, what they rest on, how to get them again.

use super::charts::charts;
use super::glossary::GLOSSARY;
use super::page as shell;
use super::story;
use super::table::tables;
use crate::study::{Series, Summary};
use maud::{Markup, html as page};

/// Parts of the page: anchor and name.
const PARTS: [(&str, &str); 4] = [
    ("charts", "Charts"),
    ("figures", "All figures"),
    ("reading", "How to read them"),
    ("foundations", "What they rest on"),
];

/// The whole page; `scenario_toml` is the scenario as resolved.
pub fn html(summary: &Summary, series: &Series, scenario_toml: &str) -> String {
    let charts = charts(summary, series);
    let Summary { version, digest, seed, replications, sections, .. } = summary;
    let body = page! {
        (headline(summary))
        main {
            h2 id="charts" { "Charts" }
            @for chart in &charts { (shell::figure(chart)) }
            h2 id="figures" { "All figures" }
            @if let Some(sample) = story::sample(*replications, *sections) {
                p.note { "± is half of the 95 % confidence interval over " (sample) "." }
            }
            @for table in tables(summary) { (shell::tabulate(&table)) }
            (shell::reading(GLOSSARY))
            (foundations(summary, scenario_toml))
        }
        (shell::closing("run", version, digest, *seed, *replications))
    };
    shell::document(&summary.scenario, &body)
}

fn headline(summary: &Summary) -> Markup {
    page! {
        header {
            h1 { (summary.scenario) }
            p.setting { (story::setting(summary)) }
            (shell::warnings(&summary.warnings))
            ul.story {
                @for (name, use_case) in &summary.use_cases {
                    li { strong { (name) ": " } (story::use_case(summary, use_case)) }
                }
                @for (name, pool) in &summary.pools {
                    li { "Pool " strong { (name) ": " } (story::pool(pool)) }
                }
            }
            (shell::contents(&PARTS))
        }
    }
}

fn foundations(summary: &Summary, scenario_toml: &str) -> Markup {
    let notes = story::notes(summary);
    page! {
        h2 id="foundations" { "What they rest on" }
        @if notes.is_empty() {
            p { "The run left no notes." }
        } @else {
            ul { @for note in &notes { li { (note) } } }
        }
        (shell::scenario(scenario_toml))
    }
}
