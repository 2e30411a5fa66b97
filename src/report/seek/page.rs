//! A seek as one HTML page: what must be known, the answer, the chart, the
//! values that were looked at, how to read them.

use super::{chart, story, table};
use crate::report::glossary::GLOSSARY;
use crate::report::page as shell;
use crate::study::seek::SeekResult;
use maud::{Markup, html as page};

/// Parts of the page: anchor and name.
const PARTS: [(&str, &str); 3] =
    [("chart", "Chart"), ("values", "Values looked at"), ("reading", "How to read them")];

/// Terms that only a seek uses.
const TERMS: [(&str, &str); 3] = [
    (
        "Common random numbers",
        "The same calls with the same lengths arrive whatever the value of the key, so figures \
         change with the key and not with chance.",
    ),
    (
        "Kept and missed",
        "Kept: the estimate is within the bound. Surely kept: so is its whole confidence \
         interval. Surely missed: the whole interval is beyond the bound, or the load cannot be \
         sustained and there is no figure.",
    ),
    (
        "Interval of the answer",
        "The values that cannot be told from the answer: at them the interval of the figure holds \
         the bound. More replications narrow it, a finer tolerance does not.",
    ),
];

/// The whole page; `scenario_toml` is the scenario as resolved.
pub fn html(result: &SeekResult, scenario_toml: &str) -> String {
    let SeekResult { scenario, version, digest, seed, replications, .. } = result;
    // Where they go on until figures are precise, the scenario says so.
    let is_fixed = result.points.iter().all(|point| point.precision.is_none());
    let count = is_fixed.then_some(*replications);
    let body = page! {
        header {
            h1 { (scenario) ", seek" }
            p.setting { (story::setting(result)) }
            (shell::warnings(&result.warnings))
            ul.story { li { (story::answer(result)) } }
            (shell::contents(&PARTS))
        }
        main {
            h2 id="chart" { "Chart" }
            (shell::figure(&chart(result)))
            h2 id="values" { "Values looked at" }
            @if let Some(note) = story::intervals(result) { p.note { (note) } }
            (tabulate(result))
            p.note { "All figures of all values are in seek.json beside this page." }
            (shell::reading(TERMS.into_iter().chain(GLOSSARY)))
            (shell::scenario(scenario_toml))
        }
        (shell::closing("seek", version, digest, *seed, count))
    };
    shell::document(&format!("{scenario}, seek"), &body)
}

fn tabulate(result: &SeekResult) -> Markup {
    let class = |cell: &str| match cell {
        "surely missed" => Some("alarm"),
        "surely kept" => Some("good"),
        table::UNSTABLE | table::NOT_KNOWN => Some("withheld"),
        _ => None,
    };
    page! {
        div.scroll {
            table {
                caption { (result.key) }
                thead { tr { @for name in table::head(result) { th scope="col" { (name) } } } }
                tbody {
                    @for row in table::rows(result) {
                        tr { @for cell in &row { td class=[class(cell)] { (cell) } } }
                    }
                }
            }
        }
    }
}
