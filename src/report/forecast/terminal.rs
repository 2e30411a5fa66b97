//! A forecast as plain text for a terminal.

use super::table;
use crate::report::terminal::{lead, paragraph};
use crate::study::forecast::Forecast;

/// The whole forecast as text, ending with a newline; `columns` lays out a table.
pub fn terminal(
    forecast: &Forecast,
    columns: impl Fn(&[String], &[Vec<String>]) -> String,
) -> String {
    let mut out = String::new();
    lead(&mut out, &forecast.warnings);
    paragraph(&mut out, "", &format!("{}: {}", forecast.scenario, table::setting(forecast)));
    out.push('\n');
    let (head, rows) = table::use_cases(forecast);
    out += &columns(&head, &rows);
    if let Some(total) = &forecast.total {
        out.push('\n');
        let (head, rows) = table::layers(total);
        out += &columns(&head, &rows);
        out.push('\n');
        paragraph(&mut out, "", &table::means(total));
    }
    for note in &forecast.notes {
        paragraph(&mut out, "note: ", note);
    }
    let Forecast { seed, digest, version, .. } = forecast;
    out + &format!("seed {seed}   digest {digest}   tokenmill {version}\n")
}
