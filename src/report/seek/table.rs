//! The values that were looked at in a table, a row a value.

use super::name::{bound, measure, metric, written};
use crate::report::figure::Figure;
use crate::report::table::ABSENT;
use crate::study::seek::{SeekPoint, SeekResult, Verdict};

/// A figure that is withheld because the load cannot be sustained.
pub const UNSTABLE: &str = "unstable";

/// Heads of the columns.
pub fn head(result: &SeekResult) -> Vec<String> {
    let key = result.key.rsplit('.').next().unwrap_or_default().to_owned();
    let bounds =
        result.keep.iter().map(|each| format!("{}, {}", metric(&each.metric), bound(each)));
    std::iter::once(key).chain(bounds).chain(["verdict".to_owned(), String::new()]).collect()
}

/// A row a value, ascending.
pub fn rows(result: &SeekResult) -> Vec<Vec<String>> {
    result.points.iter().map(|point| row(result, point)).collect()
}

fn row(result: &SeekResult, point: &SeekPoint) -> Vec<String> {
    let mut cells = vec![written(result, point.number)];
    cells.extend(result.keep.iter().zip(&point.bounded).map(|(bound, figure)| match figure {
        Some(figure) => Figure::of(figure, measure(&bound.metric)).plus_minus(),
        None if point.unstable_pools.is_empty() => ABSENT.to_owned(),
        None => UNSTABLE.to_owned(),
    }));
    cells.push(word(point.verdict).to_owned());
    let is_answer = result.answer.is_some_and(|answer| answer.mean == point.number);
    cells.push(if is_answer { "answer" } else { "" }.to_owned());
    cells
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::SurelyKept => "surely kept",
        Verdict::Kept => "kept",
        Verdict::NotKnown => "not known",
        Verdict::Missed => "missed",
        Verdict::SurelyMissed => "surely missed",
    }
}
