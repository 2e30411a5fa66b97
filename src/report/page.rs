//! What all pages share: one file that needs nothing else. Charts are inline,
//! fonts embedded; there is no script and nothing is fetched.

use super::charts::{Chart, svg};
use super::font;
use super::table::Table;
use maud::{DOCTYPE, Markup, PreEscaped, html as page};

const STYLE: &str = include_str!("report.css");

/// Nothing may be fetched; styles and fonts come with the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; font-src data:";

/// The document called `title` with this body.
pub fn document(title: &str, body: &Markup) -> String {
    let markup = page! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – tokenmill" }
                style { (PreEscaped(font::face_rules())) (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    markup.into_string()
}

/// What must be known before any figure.
pub fn warnings(warnings: &[String]) -> Markup {
    page! {
        @if !warnings.is_empty() {
            section.warnings role="alert" aria-label="Warnings" {
                @for warning in warnings {
                    p { strong { "Warning: " } (warning) }
                }
            }
        }
    }
}

/// Links to the parts of the page: anchor and name.
pub fn contents(parts: &[(&str, &str)]) -> Markup {
    page! {
        nav aria-label="Contents" {
            @for (anchor, name) in parts { a href={ "#" (anchor) } { (name) } }
        }
    }
}

/// A chart with its caption.
pub fn figure(chart: &Chart) -> Markup {
    page! {
        figure role="img" aria-label=(chart.caption) {
            (PreEscaped(svg(&chart.drawing)))
            figcaption { (chart.caption) }
        }
    }
}

/// A table.
pub fn tabulate(table: &Table) -> Markup {
    let class = |cell: &str| match cell {
        "UNSTABLE" | "NOT KNOWN" | "MISSED" | "worse" => Some("alarm"),
        "better" => Some("good"),
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

/// Terms with their meanings.
pub fn reading<'a>(terms: impl IntoIterator<Item = (&'a str, &'a str)>) -> Markup {
    page! {
        h2 id="reading" { "How to read them" }
        dl {
            @for (term, meaning) in terms {
                dt { (term) }
                dd { (meaning) }
            }
        }
    }
}

/// The scenario as resolved, folded away.
pub fn scenario(scenario_toml: &str) -> Markup {
    page! {
        details {
            summary { "The scenario as it was run" }
            pre { (scenario_toml) }
        }
    }
}

/// What it takes to get the same figures again with the verb `verb`.
pub fn closing(
    verb: &str,
    version: &str,
    digest: &str,
    seed: u64,
    replications: impl Into<Option<u32>>,
) -> Markup {
    let replications = replications.into();
    page! {
        footer {
            p {
                "Seed " (seed) ", digest " code { (digest) }
                ", tokenmill " (version) ". To get the same figures and the same digest \
                 again, run this in the folder of this report (where the scenario replays a \
                 trace, put the trace where its path leads from there):"
            }
            pre {
                "tokenmill " (verb) " scenario.toml --seed " (seed)
                @if let Some(count) = replications { " --replications " (count) }
            }
        }
    }
}
