//! The tables of a comparison: for each arm, one a use case and one a pool.

use super::headline::{Headline, Owner, Verdict};
use crate::report::figure::{Figure, grouped};
use crate::report::table::{ABSENT, Row, Table, WITHHELD};
use crate::scenario::BASELINE;
use crate::study::{ArmSummary, Comparison, Difference};

/// The tables of the arm called `name`.
pub fn tables(comparison: &Comparison, owners: &[Owner], name: &str) -> Vec<Table> {
    let (baseline, arm) = (&comparison.arms[BASELINE], &comparison.arms[name]);
    let heads = [BASELINE, name, "difference", "relative", "verdict", "gain"];
    let table = |owner: &Owner| Table {
        caption: owner.name.clone(),
        columns: heads.map(String::from).to_vec(),
        rows: owner.headlines.iter().map(|headline| row(headline, baseline, arm)).collect(),
    };
    owners.iter().map(table).collect()
}

fn row(headline: &Headline, baseline: &ArmSummary, arm: &ArmSummary) -> Row {
    let key = headline.key;
    let missing = |arms: &[&ArmSummary]| match arms.iter().any(|arm| headline.is_withheld(arm)) {
        true => WITHHELD.to_owned(),
        false => ABSENT.to_owned(),
    };
    let value = |arm: &ArmSummary| match headline.of(arm) {
        Some(found) => Figure::of(&key.shown(&found.value), key.measure).plain(),
        None => missing(&[arm]),
    };
    let found = headline.of(arm);
    let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_owned());
    let cells = vec![
        value(baseline),
        value(arm),
        found
            .and_then(|found| difference(headline, found))
            .unwrap_or_else(|| missing(&[baseline, arm])),
        or_absent(found.and_then(relative)),
        or_absent(headline.verdict(arm).map(|verdict| word(verdict).to_owned())),
        or_absent(found.and_then(gain)),
    ];
    Row { name: key.name.into(), cells }
}

/// "-84.5 ± 15.7 ms", with digits that matter beside the baseline's figure.
fn difference(headline: &Headline, found: &Difference) -> Option<String> {
    let key = headline.key;
    let difference = key.shown(&found.difference?);
    let base = key.shown(&found.value).mean - difference.mean;
    let figure = Figure::of_size(&difference, key.difference(), base.abs() / 100.0);
    Some(match (difference.mean, difference.low, difference.high) {
        (0.0, Some(0.0), Some(0.0)) => "0".to_owned(),
        _ => figure.signed_plus_minus(),
    })
}

/// "-7.2 %"
fn relative(found: &Difference) -> Option<String> {
    let percent = grouped(found.relative? * 100.0, 1);
    let sign = if percent.starts_with('-') || percent == "0.0" { "" } else { "+" };
    Some(format!("{sign}{percent} %"))
}

/// "12x": how many times fewer runs the pairing needs.
fn gain(found: &Difference) -> Option<String> {
    let factor = found.variance_reduction?;
    let decimals = usize::from(factor < 10.0);
    Some(format!("{}x", grouped(factor.min(1e6), decimals)))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Differs => "differs",
        Verdict::Same => "same",
        Verdict::Unclear => "unclear",
    }
}
