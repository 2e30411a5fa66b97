//! A sweep in a table: the figures a decision hangs on, a row a point.

use crate::report::figure::{Figure, Measure};
use crate::statistics::Interval;
use crate::study::sweep::{Header, Outline, PointOutline, Tail, UseCaseOutline};
use std::fmt::Write;

/// Most points in a table for the terminal and for the page.
const ROWS_MAX: usize = 40;

type Column = (&'static str, Measure, fn(&UseCaseOutline) -> Option<Interval>);

const COLUMNS: [Column; 5] = [
    ("TTFT p95", Measure::Seconds, |u| u.ttft_p95_s),
    ("TPOT p95", Measure::Seconds, |u| u.tpot_p95_s),
    ("$/Mtok", Measure::Dollars, |u| u.usd_per_mtok),
    ("tok/s a GPU", Measure::Plain(""), |u| u.tok_per_s_per_gpu),
    ("tok/s a user", Measure::Plain(""), |u| u.tok_per_s_per_user),
];

/// A table of one use case: head and rows.
pub struct Grid {
    /// Name of the use case.
    pub use_case: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// A row a point.
    pub rows: Vec<Vec<String>>,
    /// Points for which there is no row.
    pub left_out: usize,
}

/// A table for each use case.
pub fn grids(header: &Header, outline: &Outline) -> Vec<Grid> {
    let grid = |(index, name): (usize, &String)| {
        let mut head = vec!["point".to_owned()];
        head.extend(outline.axes.iter().map(|axis| last_parts(&axis.key)));
        head.extend(COLUMNS.iter().map(|(name, ..)| (*name).to_owned()));
        head.push("front".to_owned());
        let front = &outline.fronts[index];
        let row = |point: &PointOutline| row(outline, point, index, front);
        Grid {
            use_case: name.clone(),
            head,
            rows: outline.points.iter().take(ROWS_MAX).map(row).collect(),
            left_out: header.points as usize - outline.points.len().min(ROWS_MAX),
        }
    };
    header.use_cases.keys().enumerate().map(grid).collect()
}

/// The last two parts of a key path: enough to tell axes apart.
pub fn last_parts(key: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    parts[parts.len().saturating_sub(2)..].join(".")
}

fn row(
    outline: &Outline,
    point: &PointOutline,
    index: usize,
    front: &[PointOutline],
) -> Vec<String> {
    let use_case = &point.use_cases[index];
    let mut cells = vec![point.point.to_string()];
    cells.extend(outline.axes.iter().zip(&point.at).map(|(axis, &at)| axis.values[at].clone()));
    cells.extend(COLUMNS.iter().map(|(_, measure, value)| match value(use_case) {
        Some(interval) => Figure::of(&interval, *measure).plus_minus(),
        None => use_case.steadiness.cell().to_owned(),
    }));
    let is_best = front.iter().any(|other| other.point == point.point);
    cells.push(if is_best { "*" } else { "" }.to_owned());
    cells
}

/// The whole sweep as text, ending with a newline; `columns` lays out a table.
pub fn sweep_text(
    header: &Header,
    outline: &Outline,
    tail: &Tail,
    columns: impl Fn(&[String], &[Vec<String>]) -> String,
) -> String {
    let mut text = String::new();
    for warning in &tail.warnings {
        let _ = writeln!(text, "WARNING {warning}");
    }
    let _ = writeln!(
        text,
        "{}: {} points ({}), {} each",
        header.scenario,
        header.points,
        header.design,
        header.replications_each()
    );
    for grid in grids(header, outline) {
        let _ = writeln!(text, "\n{}", grid.use_case);
        text += &columns(&grid.head, &grid.rows);
        if grid.left_out > 0 {
            let _ = writeln!(text, "and {} points more: see points.csv", grid.left_out);
        }
    }
    let _ = writeln!(
        text,
        "\n* no other point is better in $/Mtok, TTFT p95 and tok/s a user together.\n\
         ± is half of the 95 % confidence interval over replications.\n\
         seed {}   digest {}   tokenmill {}",
        header.seed, tail.digest, header.version
    );
    text
}
