//! The page of a cache replay, self-contained as that of a run.

use super::CacheReport;
use crate::report::charts::Chart;
use crate::report::page as shell;
use maud::{Markup, html as page};

const TERMS: [(&str, &str); 4] = [
    (
        "Hit",
        "A block that is in the cache together with all blocks before it in the prompt. Only \
         those save computing.",
    ),
    (
        "Capacity",
        "The most blocks that the cache keeps after a request. Without bound it keeps all, and \
         misses only what comes for the first time.",
    ),
    (
        "To live",
        "A block that was not asked for during this time is gone. Without it, a block stays until \
         it has to make room.",
    ),
    (
        "Without time",
        "Requests are looked up and taken in one by one, each at one instant. Answers are not \
         kept, and requests that would overlap in a server do not share what is being computed.",
    ),
];

/// The whole page.
pub fn html(report: &CacheReport, chart: &Chart) -> String {
    let body = page! {
        header {
            h1 { "Cache replay of " (report.trace) }
            p.setting { (report.setting) }
            (shell::warnings(&report.warnings))
        }
        main {
            h2 id="chart" { "Chart" }
            (shell::figure(chart))
            h2 id="figures" { "Figures" }
            (tabulate(report))
            p.note { "The curve is in miss-ratio.csv, the table in cache.json." }
            (shell::reading(TERMS))
            @if !report.notes.is_empty() {
                h2 id="foundations" { "What they rest on" }
                ul { @for note in &report.notes { li { (note) } } }
            }
        }
        footer {
            p { "tokenmill " (report.version) ". The same figures again:" }
            pre { (report.command) }
        }
    };
    shell::document(&format!("{}, cache", report.trace), &body)
}

fn tabulate(report: &CacheReport) -> Markup {
    let (head, rows) = report.table();
    page! {
        div.scroll {
            table {
                thead { tr { @for name in &head { th scope="col" { (name) } } } }
                tbody {
                    @for row in &rows {
                        tr { @for cell in row { td { (cell) } } }
                    }
                }
            }
        }
    }
}
