//! The report as one HTML page that needs nothing else: charts inline, fonts
//! embedded, no script, nothing fetched.
//!
//! Order: what must be known, what it means, the charts, all figures, how to
//! read them, what they rest on, how to get them again.

use super::charts::{Chart, charts, svg};
use super::font;
use super::glossary::GLOSSARY;
use super::story;
use super::table::{Table, tables};
use crate::study::{Series, Summary};
use maud::{DOCTYPE, Markup, PreEscaped, html as page};

const STYLE: &str = include_str!("report.css");

/// Nothing may be fetched; styles and fonts come with the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; font-src data:";

/// The whole page; `scenario_toml` is the scenario as resolved.
pub fn html(summary: &Summary, series: &Series, scenario_toml: &str) -> String {
    let charts = charts(summary, series);
    let markup = page! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (summary.scenario) " – tokenmill" }
                style { (PreEscaped(font::face_rules())) (PreEscaped(STYLE)) }
            }
            body {
                (headline(summary))
                main {
                    h2 id="charts" { "Charts" }
                    @for chart in &charts { (figure(chart)) }
                    h2 id="figures" { "All figures" }
                    @if summary.replications > 1 {
                        p.note {
                            "± is half of the 95 % confidence interval over "
                            (summary.replications) " replications."
                        }
                    }
                    @for table in tables(summary) { (tabulate(&table)) }
                    (reading())
                    (foundations(summary, scenario_toml))
                }
                (closing(summary))
            }
        }
    };
    markup.into_string()
}

fn headline(summary: &Summary) -> Markup {
    let warnings = &summary.warnings;
    page! {
        header {
            h1 { (summary.scenario) }
            p.setting { (story::setting(summary)) }
            @if !warnings.is_empty() {
                section.warnings role="alert" aria-label="Warnings" {
                    @for warning in warnings {
                        p { strong { "Warning: " } (warning) }
                    }
                }
            }
            ul.story {
                @for (name, use_case) in &summary.use_cases {
                    li { strong { (name) ": " } (story::use_case(summary, use_case)) }
                }
                @for (name, pool) in &summary.pools {
                    li { "Pool " strong { (name) ": " } (story::pool(pool)) }
                }
            }
            nav aria-label="Contents" {
                a href="#charts" { "Charts" }
                a href="#figures" { "All figures" }
                a href="#reading" { "How to read them" }
                a href="#foundations" { "What they rest on" }
            }
        }
    }
}

fn figure(chart: &Chart) -> Markup {
    page! {
        figure role="img" aria-label=(chart.caption) {
            (PreEscaped(svg(&chart.drawing)))
            figcaption { (chart.caption) }
        }
    }
}

fn tabulate(table: &Table) -> Markup {
    let class = |cell: &str| match cell {
        "UNSTABLE" | "MISSED" => Some("alarm"),
        "withheld" => Some("withheld"),
        _ => None,
    };
    page! {
        div.scroll {
            table {
                caption { (table.caption) }
                thead {
                    tr {
                        td {}
                        @for column in &table.columns { th scope="col" { (column) } }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            th scope="row" { (row.name) }
                            @for cell in &row.cells {
                                td class=[class(cell)] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reading() -> Markup {
    page! {
        h2 id="reading" { "How to read them" }
        dl {
            @for (term, meaning) in GLOSSARY {
                dt { (term) }
                dd { (meaning) }
            }
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
        details {
            summary { "The scenario as it was run" }
            pre { (scenario_toml) }
        }
    }
}

fn closing(summary: &Summary) -> Markup {
    page! {
        footer {
            p {
                "Seed " (summary.seed) ", digest " code { (summary.digest) }
                ", tokenmill " (summary.version) ". To get the same figures and the same digest \
                 again, run this in the folder of this report (where the scenario replays a \
                 trace, put the trace where its path leads from there):"
            }
            pre {
                "tokenmill run scenario.toml --seed " (summary.seed)
                " --replications " (summary.replications)
            }
        }
    }
}
