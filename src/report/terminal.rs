//! The summary as plain text for a terminal, 100 columns wide.
//!
//! No colour and no cursor movement, so that it reads the same in a log file.
//! Warnings come first, what the figures rest on comes last.

use super::story;
use super::table::{Table, tables};
use crate::study::Summary;
use std::fmt::Write;

/// Columns that tables keep within where a single cell allows it.
const WIDTH: usize = 100;

/// Longest caption that shares the line of the column heads.
const CAPTION: usize = 28;

/// The whole summary as text, ending with a newline.
pub fn terminal(summary: &Summary) -> String {
    let mut out = String::new();
    lead(&mut out, &summary.warnings);
    paragraph(&mut out, "", &format!("{}: {}", summary.scenario, story::setting(summary)));
    for table in tables(summary) {
        tabulate(&mut out, table);
    }
    let notes = story::notes(summary);
    if !notes.is_empty() {
        out.push('\n');
    }
    for note in &notes {
        paragraph(&mut out, "note  ", note);
    }
    out.push('\n');
    if let Some(sample) = story::sample(summary.replications, summary.sections) {
        let _ = writeln!(out, "± is half of the 95 % confidence interval over {sample}.");
    }
    let _ = writeln!(
        out,
        "seed {}   digest {}   tokenmill {}",
        summary.seed, summary.digest, summary.version
    );
    out
}

/// Warnings, which come before everything else.
pub fn lead(out: &mut String, warnings: &[String]) {
    for warning in warnings {
        paragraph(out, "WARNING ", warning);
    }
    if !warnings.is_empty() {
        out.push('\n');
    }
}

/// A table after a blank line, in parts where it is too wide.
pub fn tabulate(out: &mut String, table: Table) {
    for part in narrow(table) {
        out.push('\n');
        write_table(out, &part);
    }
}

/// Splits a table into parts that keep within [`WIDTH`], a column at least each.
fn narrow(table: Table) -> Vec<Table> {
    let names = name_width(&table);
    let mut parts = Vec::new();
    let mut from = 0;
    while from < table.columns.len() {
        let mut to = from + 1;
        let mut width = names + column_width(&table, from);
        while to < table.columns.len() && width + column_width(&table, to) <= WIDTH {
            width += column_width(&table, to);
            to += 1;
        }
        parts.push(Table {
            caption: table.caption.clone(),
            columns: table.columns[from..to].to_vec(),
            rows: table.rows.iter().map(|row| row.columns(from..to)).collect(),
        });
        from = to;
    }
    parts
}

fn name_width(table: &Table) -> usize {
    let names = table.rows.iter().map(|row| length(&row.name));
    let caption = Some(length(&table.caption)).filter(|&length| length <= CAPTION);
    names.chain(caption).max().unwrap_or(0)
}

/// Width of a column with the two blanks before it.
fn column_width(table: &Table, column: usize) -> usize {
    let cells = table.rows.iter().map(|row| length(&row.cells[column]));
    2 + cells.chain([length(&table.columns[column])]).max().unwrap_or(0)
}

fn write_table(out: &mut String, table: &Table) {
    let names = name_width(table);
    let widths: Vec<usize> = (0..table.columns.len()).map(|c| column_width(table, c)).collect();
    let mut line = |name: &str, cells: &[String]| {
        let mut text = pad_right(name, names);
        for (cell, &width) in cells.iter().zip(&widths) {
            text += &pad_left(cell, width);
        }
        let _ = writeln!(out, "{}", text.trim_end());
    };
    match length(&table.caption) {
        0..=CAPTION => line(&table.caption, &table.columns),
        _ => {
            line(&table.caption, &[]);
            line("", &table.columns);
        }
    }
    let rule = "─".repeat(names + widths.iter().sum::<usize>());
    line(&rule, &[]);
    for row in &table.rows {
        line(&row.name, &row.cells);
    }
}

/// Characters, which is columns for everything a summary contains.
fn length(text: &str) -> usize {
    text.chars().count()
}

fn pad_right(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(length(text))))
}

fn pad_left(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(length(text))))
}

/// `lead` and then `text`, broken at blanks and indented by the lead. Blanks
/// that must not break are written as plain ones.
pub fn paragraph(out: &mut String, lead: &str, text: &str) {
    let indent = " ".repeat(lead.len());
    let mut line = lead.to_string();
    let mut is_fresh = true;
    for word in text.split_ascii_whitespace() {
        if !is_fresh && length(&line) + 1 + length(word) > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            line = indent.clone();
            is_fresh = true;
        }
        if !is_fresh {
            line.push(' ');
        }
        line += &word.replace('\u{a0}', " ");
        is_fresh = false;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}
