//! A seek in sentences: the answer, how certain it is, and what holds there.

use super::name::{bound, measure, metric, written};
use crate::report::figure::Figure;
use crate::report::story::{setting_of, unbroken};
use crate::statistics::Interval;
use crate::study::seek::{Outcome, SeekPoint, SeekResult};

/// What was done: "9 values of KEY from 8 /s to 64 /s, each 16 replications of ...".
pub fn setting(result: &SeekResult) -> String {
    let (from, to) = (written(result, result.from), written(result, result.to));
    let point = &result.points[0];
    let each = setting_of(result.replications, point.measured_s, &result.regime, point.warm_up_s);
    let most = match result.points.iter().any(|point| point.precision.is_some()) {
        true => "at most ",
        false => "",
    };
    format!(
        "{} values of {} from {from} to {to} on common random numbers, each {most}{each}",
        result.points.len(),
        result.key
    )
}

/// The answer in one or two sentences.
pub fn answer(result: &SeekResult) -> String {
    let key = &result.key;
    let all = match result.keep.as_slice() {
        [one] => format!("{} {}", metric(&one.metric), unbroken(bound(one))),
        [_, _] => "both bounds".to_owned(),
        several => format!("all {} bounds", several.len()),
    };
    let ends = || (written(result, result.from), written(result, result.to));
    let Some(answer) = &result.answer else {
        let (from, to) = ends();
        let middle = result.points.get(1).filter(|_| result.points.len() > 2);
        let middle = middle.map_or(String::new(), |point| written(result, point.number));
        return match result.outcome {
            Outcome::Everywhere => format!(
                "Every value of {key} looked at keeps {all}, {from} as well as {to}: widen the \
                 range to find where that ends."
            ),
            Outcome::Nowhere => format!(
                "No value of {key} looked at keeps {all}, neither {from} nor {to}: widen the \
                 range, or ease the bound."
            ),
            _ => format!(
                "More than one value of {key} just keeps {all}: {from} and {to} agree, and \
                 {middle} between them does not. Narrow the range to one side of {middle}."
            ),
        };
    };
    let which = if result.outcome == Outcome::Largest { "largest" } else { "smallest" };
    let value = unbroken(written(result, answer.mean));
    let certain = certainty(result, answer);
    let there = result.points.iter().find(|point| point.number == answer.mean);
    let there = there.map_or(String::new(), |point| format!(" There {}.", figures(result, point)));
    format!("The {which} {key} that keeps {all} is {value}{certain}.{there}")
}

/// ", 95 % interval 25.9 /s to 27.1 /s"
fn certainty(result: &SeekResult, answer: &Interval) -> String {
    let show = |end: f64| unbroken(written(result, end));
    match (answer.low, answer.high) {
        (Some(low), Some(high)) if low == high => {
            ", with no other value in the 95 % interval".into()
        }
        (Some(low), Some(high)) => format!(", 95 % interval {} to {}", show(low), show(high)),
        (Some(low), None) => {
            format!(", 95 % interval from {} to beyond the range", show(low))
        }
        (None, Some(high)) => {
            format!(", 95 % interval from below the range to {}", show(high))
        }
        (None, None) if result.replications < 2 => ", an estimate without interval".into(),
        (None, None) => ", with a 95 % interval beyond both ends of the range".into(),
    }
}

/// "TTFT p95 of chat is 780 ± 15 ms"
fn figures(result: &SeekResult, point: &SeekPoint) -> String {
    let shown = result.keep.iter().zip(&point.bounded).filter_map(|(bound, figure)| {
        let figure = Figure::of(figure.as_ref()?, measure(&bound.metric)).plus_minus();
        Some(format!("{} is {}", metric(&bound.metric), unbroken(figure)))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// How the intervals are to be read.
pub fn intervals(result: &SeekResult) -> Option<String> {
    if result.replications < 2 {
        return None;
    }
    let together = match result.keep.len() {
        1 => String::new(),
        _ => {
            let each = result.confidence * 100.0;
            format!(" (each at {each:.1} %, so that those of all bounds hold together with 95 %)")
        }
    };
    Some(format!(
        "± is half of the confidence interval over replications{together}. The interval of the \
         answer goes from the last value whose whole interval keeps the bounds to the first whose \
         whole interval misses one."
    ))
}
