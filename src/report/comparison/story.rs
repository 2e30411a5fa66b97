//! A comparison in sentences: what each arm does, as far as it is certain.

use super::headline::{Headline, Owner, Verdict};
use crate::report::figure::{Figure, Measure};
use crate::report::story::{sample, setting_of, stopping, unbroken};
use crate::scenario::BASELINE;
use crate::study::{ArmSummary, Comparison, Precision};

/// Most changes that a sentence names.
const NAMED_MAX: usize = 4;

/// What was compared: "2 arms with the baseline: 32 replications of ...".
pub fn setting(comparison: &Comparison) -> String {
    let arms = match comparison.arms.len() - 1 {
        1 => "1 arm".to_owned(),
        count => format!("{count} arms"),
    };
    let Comparison { replications, measured_s, ref regime, warm_up_s, .. } = *comparison;
    let each = setting_of(replications, measured_s, regime, warm_up_s);
    format!("{arms} against the baseline on common random numbers, each {each}")
}

/// How the intervals are to be read.
pub fn intervals(comparison: &Comparison) -> Option<String> {
    let sample = sample(comparison.replications, comparison.sections)?;
    let together = match comparison.arms.len() {
        ..=2 => String::new(),
        _ => {
            let each = comparison.confidence * 100.0;
            format!(" (each at {each:.1} %, so that those of all arms hold together with 95 %)")
        }
    };
    let precision = comparison.arms.values().find_map(|arm| arm.precision.as_ref());
    let stopping = precision.map(|precision| {
        let is_met = comparison.arms.values().filter_map(|arm| arm.precision.as_ref());
        let all = Precision { is_met: is_met.clone().all(|it| it.is_met), ..precision.clone() };
        format!(" {}", stopping(&all, comparison.replications))
    });
    Some(format!(
        "± is half of the 95 % confidence interval over {sample}{together}. Differences are \
         paired one by one; a verdict is given where the interval excludes zero. The gain is \
         how many times more runs independent arms would need for the same interval.{}",
        stopping.unwrap_or_default()
    ))
}

/// What the arm called `name` does, in a few sentences.
pub fn arm(comparison: &Comparison, owners: &[Owner], name: &str) -> String {
    let arm = &comparison.arms[name];
    let mut sentences: Vec<String> = Vec::new();
    for (who, summary) in [("The baseline", &comparison.arms[BASELINE]), ("It", arm)] {
        let overloaded = summary.unstable_pools.iter().map(|pool| {
            format!("{who} overloads pool {pool}, so latencies there cannot be compared.")
        });
        sentences.extend(overloaded);
        let unknown = summary.unknown_pools.keys().map(|pool| {
            format!(
                "{who} is not known to leave pool {pool} in a steady state, so latencies there \
                 cannot be compared."
            )
        });
        sentences.extend(unknown);
    }
    let all: Vec<Judged> = owners.iter().flat_map(|owner| judged(owner, arm)).collect();
    let count = |verdict| all.iter().filter(|(.., found)| *found == verdict).count();
    if !all.is_empty() && count(Verdict::Same) == all.len() {
        sentences.push("It changes none of the headline figures.".to_owned());
    }
    for (verdict, word) in [(Verdict::Better, "Better"), (Verdict::Worse, "Worse")] {
        let changes = changes(comparison, &all, verdict, name);
        if !changes.is_empty() {
            sentences.push(format!("{word}: {}.", changes.join("; ")));
        }
    }
    match count(Verdict::Unclear) {
        0 => {}
        unclear => sentences
            .push(format!("No clear change in {unclear} of {} headline figures.", all.len())),
    }
    sentences.join(" ")
}

/// A figure, whose it is, and what an arm makes of it.
type Judged<'a> = (&'a Owner, &'a Headline, Verdict);

fn judged<'a>(owner: &'a Owner, arm: &ArmSummary) -> Vec<Judged<'a>> {
    let judge = |headline: &'a Headline| Some((owner, headline, headline.verdict(arm)?));
    owner.headlines.iter().filter_map(judge).collect()
}

/// The largest changes of this verdict, in words.
fn changes(comparison: &Comparison, all: &[Judged], verdict: Verdict, name: &str) -> Vec<String> {
    let found: Vec<&Judged> = all.iter().filter(|(.., found)| *found == verdict).collect();
    // One quantile speaks for all, unless only the others changed.
    let has_charted = found.iter().any(|(_, headline, _)| headline.key.is_charted);
    let told = found.iter().filter(|(_, headline, _)| headline.key.is_charted || !has_charted);
    let mut changes: Vec<(f64, String)> =
        told.filter_map(|(owner, headline, _)| change(comparison, owner, headline, name)).collect();
    changes.sort_by(|a, b| b.0.total_cmp(&a.0));
    changes.into_iter().take(NAMED_MAX).map(|(_, text)| text).collect()
}

/// How large a change is, relative to the baseline, and the change in words:
/// "TTFT p95 of chat falls by 18 % to 140 ms".
fn change(
    comparison: &Comparison,
    owner: &Owner,
    headline: &Headline,
    name: &str,
) -> Option<(f64, String)> {
    let key = headline.key;
    let found = headline.of(&comparison.arms[name])?;
    let difference = found.difference?.mean;
    let relative = found.relative?;
    let by = match key.difference() {
        Measure::Points => Figure::exact(difference.abs(), Measure::Points),
        _ => Figure::exact(relative.abs(), Measure::Fraction),
    };
    let verb = if difference < 0.0 { "falls" } else { "rises" };
    let to = Figure::of(&key.shown(&found.value), key.measure);
    let (by, to) = (unbroken(by.plain()), unbroken(to.plain()));
    Some((relative.abs(), format!("{} of {} {verb} by {by} to {to}", key.name, owner.name)))
}
