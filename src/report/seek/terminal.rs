//! A seek as plain text for a terminal.

use super::{story, table};
use crate::report::terminal::{lead, paragraph};
use crate::study::seek::SeekResult;

/// The whole seek as text, ending with a newline; `columns` lays out a table.
pub fn terminal(
    result: &SeekResult,
    columns: impl Fn(&[String], &[Vec<String>]) -> String,
) -> String {
    let mut out = String::new();
    lead(&mut out, &result.warnings);
    paragraph(&mut out, "", &format!("{}: {}", result.scenario, story::setting(result)));
    out.push('\n');
    paragraph(&mut out, "", &story::answer(result));
    out.push('\n');
    out += &columns(&table::head(result), &table::rows(result));
    out.push('\n');
    if let Some(note) = story::intervals(result) {
        paragraph(&mut out, "", &note);
    }
    let SeekResult { seed, digest, version, .. } = result;
    out + &format!("seed {seed}   digest {digest}   tokenmill {version}\n")
}
