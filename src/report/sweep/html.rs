//! The page of a sweep, self-contained as that of a run.

use super::text::{Grid, grids};
use crate::report::charts::Chart;
use crate::report::page as shell;
use crate::study::sweep::{Header, Outline, Tail};
use maud::{Markup, html as page};

/// The whole page; `charts` are those of `outline`.
pub fn html(header: &Header, outline: &Outline, tail: &Tail, charts: &[Chart]) -> String {
    let body = page! {
        (headline(header, tail))
        main {
            h2 id="charts" { "Charts" }
            @for chart in charts { (shell::figure(chart)) }
            h2 id="figures" { "Figures" }
            p.note {
                "± is half of the 95 % confidence interval over " (header.replications_each())
                ". A star marks the points that no other beats in $/Mtok, \
                 TTFT p95 and tokens/s a user together. All figures of all points are in \
                 points.csv and sweep.json."
            }
            @for grid in grids(header, outline) { (tabulate(&grid)) }
            (shell::scenario(&header.scenario_toml))
        }
        (shell::closing("sweep", &header.version, &tail.digest, header.seed, header.replications))
    };
    shell::document(&format!("{}, sweep", header.scenario), &body)
}

fn headline(header: &Header, tail: &Tail) -> Markup {
    page! {
        header {
            h1 { (header.scenario) ", sweep" }
            p.setting {
                (header.points) " points (" (header.design) "), " (header.replications_each())
                " each, all on the same random numbers"
            }
            (shell::warnings(&tail.warnings))
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
                                td class=[matches!(cell.as_str(), "unstable" | "not known").then_some("withheld")] { (cell) }
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
