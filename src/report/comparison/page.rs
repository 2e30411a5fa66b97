//! A comparison as one HTML page: what must be known, what each arm does, the
//! forest plot, the figures of each arm, how to read them.

use super::headline::owners;
use super::{chart, story, table};
use crate::report::glossary::GLOSSARY;
use crate::report::page as shell;
use crate::scenario::BASELINE;
use crate::study::Comparison;
use maud::html as page;

/// Parts of the page: anchor and name.
const PARTS: [(&str, &str); 4] = [
    ("chart", "Chart"),
    ("figures", "Figures of each arm"),
    ("reading", "How to read them"),
    ("foundations", "What they rest on"),
];

/// Terms that only a comparison uses.
const TERMS: [(&str, &str); 4] = [
    ("Arm", "The scenario with some keys changed; the baseline is the scenario as it stands."),
    (
        "Common random numbers",
        "The same calls with the same lengths arrive in every arm, so a difference shows what the \
         change does, not what chance did.",
    ),
    (
        "Verdict",
        "Better or worse where the interval of the difference excludes zero; unclear where it does \
         not, which more replications may settle.",
    ),
    (
        "Gain",
        "The variance-reduction factor: independent arms would need so many times more runs for \
         the same interval. Below 1 the pairing did not help.",
    ),
];

/// The whole page; `scenario_toml` is the scenario as resolved.
pub fn html(comparison: &Comparison, scenario_toml: &str) -> String {
    let owners = owners(comparison);
    let arms = || comparison.arms.iter().filter(|(name, _)| *name != BASELINE);
    let Comparison { scenario, version, digest, seed, replications, .. } = comparison;
    let body = page! {
        header {
            h1 { (scenario) }
            p.setting { (story::setting(comparison)) }
            (shell::warnings(&comparison.warnings))
            ul.story {
                @for (name, arm) in arms() {
                    li {
                        "Arm " strong { (name) } " (" code { (arm.changes.join(", ")) } "): "
                        (story::arm(comparison, &owners, name))
                    }
                }
            }
            (shell::contents(&PARTS))
        }
        main {
            h2 id="chart" { "Chart" }
            (shell::figure(&chart(comparison)))
            h2 id="figures" { "Figures of each arm" }
            @if let Some(note) = story::intervals(comparison) { p.note { (note) } }
            @for (name, arm) in arms() {
                h3 { (name) }
                p.note { @for change in &arm.changes { code { (change) } br; } }
                @for table in table::tables(comparison, &owners, name) {
                    (shell::tabulate(&table))
                }
            }
            (shell::reading(TERMS.into_iter().chain(GLOSSARY)))
            h2 id="foundations" { "What they rest on" }
            p {
                "All figures of all arms are in comparison.json beside this page. What the figures \
                 of a single arm rest on is said by the report of a run."
            }
            (shell::scenario(scenario_toml))
        }
        (shell::closing("compare", version, digest, *seed, *replications))
    };
    shell::document(scenario, &body)
}
