//! A comparison as plain text for a terminal.

use super::headline::owners;
use super::{story, table};
use crate::report::terminal::{lead, paragraph, tabulate};
use crate::scenario::BASELINE;
use crate::study::Comparison;

/// The whole comparison as text, ending with a newline.
pub fn terminal(comparison: &Comparison) -> String {
    let owners = owners(comparison);
    let mut out = String::new();
    lead(&mut out, &comparison.warnings);
    let setting = story::setting(comparison);
    paragraph(&mut out, "", &format!("{}: {setting}", comparison.scenario));
    for (name, arm) in comparison.arms.iter().filter(|(name, _)| *name != BASELINE) {
        out.push('\n');
        let changes = arm.changes.join(", ");
        let sentences = story::arm(comparison, &owners, name);
        paragraph(&mut out, "", &format!("ARM {name}: {changes}"));
        paragraph(&mut out, "", &sentences);
        for table in table::tables(comparison, &owners, name) {
            tabulate(&mut out, table);
        }
    }
    out.push('\n');
    if let Some(note) = story::intervals(comparison) {
        paragraph(&mut out, "", &note);
    }
    let Comparison { seed, digest, version, .. } = comparison;
    out + &format!("seed {seed}   digest {digest}   tokenmill {version}\n")
}
