//! The page of a sweep, self-contained as that of a run.

use super::text::{Grid, grids};
use crate::report::charts::sweep_charts;
use crate::report::font;
use crate::report::html::{POLICY, STYLE, figure};
use crate::study::sweep::{Header, Outline, Tail};
use maud::{DOCTYPE, Markup, PreEscaped, html as page};

/// The whole page.
pub fn html(header: &Header, outline: &Outline, tail: &Tail) -> String {
    let markup = page! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (header.scenario) ", sweep – tokenmill" }
                style { (PreEscaped(font::face_rules())) (PreEscaped(STYLE)) }
            }
            body {
                (headline(header, tail))
                main {
                    h2 id="charts" { "Charts" }
                    @for chart in &sweep_charts(outline) { (figure(chart)) }
                    h2 id="figures" { "Figures" }
                    p.note {
                        "± is half of the 95 % confidence interval over " (header.replications)
                        " replications. A star marks the points that no other beats in $/Mtok, \
                         TTFT p95 and tokens/s a user together. All figures of all points are in \
                         points.csv and sweep.json."
                    }
                    @for grid in grids(header, outline) { (tabulate(&grid)) }
                    details {
                        summary { "The scenario as it was run" }
                        pre { (header.scenario_toml) }
                    }
                }
                footer {
                    p {
                        "Seed " (header.seed) ", digest " code { (tail.digest) }
                        ", tokenmill " (header.version) ". To get the same figures again, run \
                         this in the folder of this report:"
                    }
                    pre { "tokenmill sweep scenario.toml" }
                }
            }
        }
    };
    markup.into_string()
}

fn headline(header: &Header, tail: &Tail) -> Markup {
    page! {
        header {
            h1 { (header.scenario) ", sweep" }
            p.setting {
                (header.points) " points (" (header.design) "), " (header.replications)
                " replications each, all on the same random numbers"
            }
            @if !tail.warnings.is_empty() {
                section.warnings role="alert" aria-label="Warnings" {
                    @for warning in &tail.warnings {
                        p { strong { "Warning: " } (warning) }
                    }
                }
            }
            p { "Varied:" }
            ul { @for axis in &header.axes { li { code { (axis.key) } } } }
        }
    }
}

fn tabulate(grid: &Grid) -> Markup {
    page! {
        div.scroll {
            table {
                caption { (grid.use_case) }
                thead { tr { @for name in &grid.head { th scope="col" { (name) } } } }
                tbody {
                    @for row in &grid.rows {
                        tr {
                            @for cell in row {
                                td class=[(cell == "unstable").then_some("withheld")] { (cell) }
                            }
                        }
                    }
                }
            }
        }
        @if grid.left_out > 0 {
            p.note { "and " (grid.left_out) " points more in points.csv" }
        }
    }
}
