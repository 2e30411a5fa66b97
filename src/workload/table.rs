//! CSV with a header: which field of a line is which.
//!
//! Columns come in any order, and further ones are ignored. Fields may be
//! quoted; those of hardly any trace are.

use super::read::{Builder, next_line, shorten};
use std::borrow::Cow;
use std::io::BufRead;

/// The columns of a recorded call: its time, its prompt and its output tokens.
pub(super) type Columns<T> = [T; 3];
/// Most columns that a message tells.
const TOLD_MAX: usize = 20;

/// Where a file has the columns that are asked for.
#[derive(Debug)]
pub(super) struct Table {
    at: Columns<usize>,
    pub names: Columns<String>,
    header: Vec<String>,
}

impl Table {
    /// Reads the header, in which each column has one of the names given; `fix`
    /// says what helps where one is missing.
    pub fn open(
        input: &mut impl BufRead,
        builder: &mut Builder<'_>,
        columns: Columns<&[&str]>,
        fix: &str,
    ) -> Option<Table> {
        let mut bytes = Vec::new();
        let (number, header) = next_line(input, &mut bytes, builder)?;
        let text = String::from_utf8_lossy(header);
        let found = fields(&text);
        let at = columns.map(|names| {
            names.iter().find_map(|name| found.iter().position(|column| column == name))
        });
        if let [Some(time), Some(prompt), Some(output)] = at {
            let at = [time, prompt, output];
            let header: Vec<String> = found.iter().map(ToString::to_string).collect();
            return Some(Table { at, names: at.map(|at| header[at].clone()), header });
        }
        let absent = columns.iter().zip(at).filter(|(_, at)| at.is_none());
        let absent: Vec<&str> = absent.map(|(names, _)| names[0]).collect();
        let problem = format!("is a header without {}: it has {}", absent.join(", "), told(&found));
        builder.fault(Some(number), Some(shorten(header)), problem, fix);
        None
    }

    /// Where a further column is, if it is there.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// A field of a line that was split into `fields`.
    pub fn field<'l>(&self, fields: &'l [Cow<'_, str>], which: usize) -> Result<&'l str, String> {
        let field = fields.get(self.at[which]).map(Cow::as_ref);
        field.ok_or_else(|| format!("has no {}", self.names[which]))
    }

    /// A number of tokens; what spreadsheets make of one, `374.0`, is one too.
    pub fn tokens(&self, fields: &[Cow<'_, str>], which: usize) -> Result<u32, String> {
        let text = self.field(fields, which)?;
        let whole = text.trim_end_matches('0').strip_suffix('.').unwrap_or(text);
        whole.parse().map_err(|_| {
            format!("{} `{text}` is not a number of tokens such as 374", self.names[which])
        })
    }
}

/// Columns as a message tells them.
fn told(found: &[Cow<'_, str>]) -> String {
    let names: Vec<String> =
        found.iter().take(TOLD_MAX).map(|name| shorten(name.as_bytes())).collect();
    let more = if found.len() > TOLD_MAX { ", ..." } else { "" };
    format!("{}{more}", names.join(", "))
}

/// The names in the header that `line` is, as a message tells them.
pub(super) fn told_of(line: &[u8]) -> String {
    told(&fields(&String::from_utf8_lossy(line)))
}

/// The text of a line.
pub(super) fn text(line: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())
}

/// The fields of a line. Quoted ones take the slow path through a CSV reader.
pub fn fields(line: &str) -> Vec<Cow<'_, str>> {
    if !line.contains('"') {
        return line.split(',').map(|field| Cow::Borrowed(field.trim())).collect();
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(|field| Cow::Owned(field.to_owned())).collect()
}
