//! All values between two ends, which are numbers or quantities in one unit:
//! what an axis of a sweep runs over and what a seek looks in.

use super::tree::{At, Node, Origin, Value};
use super::units::split_number;
use crate::error::Mistake;

/// All values between two ends, the first below the second.
#[derive(Clone, Debug)]
pub struct Range {
    /// The lower end.
    pub from: f64,
    /// The upper end.
    pub to: f64,
    /// Values are spread evenly in their logarithms.
    pub is_log: bool,
    /// Both ends are whole, and so are the values.
    pub is_whole: bool,
    /// What stands before and after the number of a quantity.
    dress: Option<(String, String)>,
    origin: Origin,
}

impl Range {
    /// The range from `from` to `to` of the table at `at`.
    pub(super) fn read(at: &At<'_>) -> Result<Range, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let ends = [at.key("from"), at.key("to")]
            .map(|at| end(&at).map_err(|mistake| mistakes.push(*mistake)));
        let [Ok(from), Ok(to)] = ends else { return Err(mistakes) };
        let wrong = |problem: &str, fix: &str| Err(vec![at.key("to").mistake(problem, fix)]);
        if from.dress != to.dress {
            return wrong("has another unit than `from`", "write both ends in one unit");
        }
        if from.number >= to.number {
            return wrong("must be above `from`", "swap them, or widen the range");
        }
        Ok(Range {
            from: from.number,
            to: to.number,
            is_log: false,
            is_whole: from.is_whole && to.is_whole,
            dress: from.dress,
            origin: at.node.expect("a range").origin.clone(),
        })
    }

    /// The value at this share, 0 to 1, of the way.
    pub(super) fn at(&self, share: f64) -> f64 {
        let value = match share {
            0.0 => self.from,
            1.0 => self.to,
            _ if self.is_log => {
                let (from, to) = (libm::log(self.from), libm::log(self.to));
                libm::exp(from + share * (to - from))
            }
            _ => self.from + share * (self.to - self.from),
        };
        if self.is_whole { libm::round(value) } else { value }
    }

    /// The value `number` as a user would write it.
    pub fn node(&self, number: f64) -> Node {
        let value = match &self.dress {
            Some(_) => Value::String(self.written(number)),
            None if self.is_whole => Value::Integer(number as i64),
            None => Value::Float(number),
        };
        let written = match &value {
            Value::String(text) => format!("\"{text}\""),
            _ => number.to_string(),
        };
        Node { value, origin: Origin { written: Some(written), ..self.origin.clone() } }
    }

    /// The value `number` for messages: as [`Range::node`], without quotes.
    pub fn written(&self, number: f64) -> String {
        match &self.dress {
            Some((before, after)) => format!("{before}{number}{after}"),
            None => number.to_string(),
        }
    }

    /// The unit that all values are quantities in, if they are.
    pub fn unit(&self) -> Option<String> {
        self.dress.as_ref().map(|(before, after)| joined(before, after))
    }
}

/// The unit of a quantity from what stands before and after its number.
pub(super) fn joined(before: &str, after: &str) -> String {
    format!("{}{}", before.trim(), after.trim())
}

/// One end of a range.
struct End {
    number: f64,
    is_whole: bool,
    dress: Option<(String, String)>,
}

fn end(at: &At<'_>) -> Result<End, Box<Mistake>> {
    let wrong = |problem: &str, fix: &str| Err(Box::new(at.mistake(problem, fix)));
    let plain = |number: f64, is_whole| Ok(End { number, is_whole, dress: None });
    let example = "write a number, or a quantity such as \"2 /s\"";
    match at.node.map(|node| &node.value) {
        None => wrong("is missing", example),
        Some(Value::Integer(number)) if number.unsigned_abs() < 1 << 53 => {
            plain(*number as f64, true)
        }
        Some(Value::Float(number)) if number.is_finite() => plain(*number, false),
        Some(Value::String(text)) => match quantity(text) {
            Some((before, number, after)) => {
                let dress = Some((before.to_owned(), after.to_owned()));
                Ok(End { number, is_whole: false, dress })
            }
            None => wrong("is not a number with a unit", example),
        },
        Some(_) => wrong("is not a finite number", example),
    }
}

/// A quantity's number, and what stands before and after it; `None` for what
/// is no single number with a unit.
pub fn quantity(text: &str) -> Option<(&str, f64, &str)> {
    let dollars = text.len() - text.trim_start_matches(['$', ' ']).len();
    let (before, rest) = text.split_at(dollars);
    let (digits, after) = split_number(rest);
    let number: f64 = digits.replace('_', "").parse().ok()?;
    let is_unit = !after.trim().is_empty() && !after.contains(|c: char| c.is_ascii_digit());
    (is_unit && number.is_finite()).then_some((before, number, after))
}
