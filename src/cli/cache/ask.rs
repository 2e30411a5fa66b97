//! Reads what `cache` is asked, all mistakes at once.

use super::CacheArgs;
use crate::catalog::nearest;
use crate::error::{Error, Mistake, Result};
use crate::factory::Eviction;
use crate::kernel::TICKS_PER_SECOND;
use crate::scenario::units::Duration;
use crate::study::{CacheQuestion, Variant};
use crate::workload::{Format, IdsName, Turns};

/// Words for no bound.
const UNBOUNDED: [&str; 3] = ["inf", "infinite", "infinity"];
/// Longest time, s: ten years, as for recordings.
const SECONDS_MAX: f64 = 3_653.0 * 86_400.0;

/// What is asked.
pub(super) struct Asked {
    pub question: CacheQuestion,
    pub format: Option<Format>,
    pub turns: Option<Turns>,
    pub ids_name: IdsName,
    pub session_gap_ticks: u64,
}

pub(super) fn read(args: &CacheArgs) -> Result<Asked> {
    let mut mistakes = Vec::new();
    let mistakes_of = &mut mistakes;
    let capacities = list("--capacity", &args.capacity, capacity, mistakes_of);
    let found = args.policy.parse::<Eviction>();
    let found = found.map_err(|unknown| ("is unknown".to_owned(), unknown.fix()));
    let eviction = known("--policy", Some(&args.policy), found, mistakes_of);
    let ttls_s = match (&args.ttl, eviction) {
        (Some(text), _) => list("--ttl", text, ttl, mistakes_of),
        (None, Some(Eviction::Ttl { ttl })) => vec![Some(ttl.seconds())],
        (None, _) => vec![None],
    };
    let variants = Variant::ALL.map(|variant| (variant.name(), variant));
    let variant = word("--variant", Some(&args.variant), &variants, mistakes_of);
    let formats: Vec<_> =
        Format::names().filter_map(|name| Some((name, Format::named(name)?))).collect();
    let format = word("--format", args.format.as_deref(), &formats, mistakes_of);
    let turns = [Turns::Full, Turns::Delta].map(|turns| (turns.name(), turns));
    let turns = word("--turns", args.turns.as_deref(), &turns, mistakes_of);
    let names = [("prefixes", IdsName::Prefixes), ("blocks", IdsName::Blocks)];
    let ids_name = word("--hash-ids", Some(&args.hash_ids), &names, mistakes_of);
    let gap = args.session_gap.as_deref().map(seconds);
    let gap_s =
        gap.and_then(|gap| known("--session-gap", args.session_gap.as_deref(), gap, mistakes_of));
    let (Some(eviction), Some(variant), Some(ids_name), true) =
        (eviction, variant, ids_name, mistakes.is_empty())
    else {
        return Err(Error::Invalid(mistakes));
    };
    let question = CacheQuestion { variant, eviction, capacities, ttls_s };
    let session_gap_ticks = (gap_s.unwrap_or(0.0) * TICKS_PER_SECOND as f64 + 0.5) as u64;
    Ok(Asked { question, format, turns, ids_name, session_gap_ticks })
}

/// What is wrong with a value, and what would be right.
type Wrong = (String, String);

/// Values between commas.
fn list<T>(
    option: &str,
    text: &str,
    read: impl Fn(&str) -> std::result::Result<T, Wrong>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<T> {
    let items = text.split(',').map(str::trim);
    items.filter_map(|item| known(option, Some(item), read(item), mistakes)).collect()
}

fn capacity(text: &str) -> std::result::Result<Option<u64>, Wrong> {
    let fix = "give counts of blocks such as 5000, or inf, with commas between";
    if UNBOUNDED.contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    match text.replace('_', "").parse::<u64>() {
        Ok(0) => Err(("keeps nothing: a cache has at least one block".to_owned(), fix.to_owned())),
        Ok(blocks) => Ok(Some(blocks)),
        Err(_) => Err(("is not a number of blocks".to_owned(), fix.to_owned())),
    }
}

fn ttl(text: &str) -> std::result::Result<Option<f64>, Wrong> {
    match UNBOUNDED.contains(&text.to_ascii_lowercase().as_str()) {
        true => Ok(None),
        false => seconds(text).map(Some),
    }
}

/// Seconds, with or without a unit.
fn seconds(text: &str) -> std::result::Result<f64, Wrong> {
    let value = match text.replace('_', "").parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => Duration::read(text).map_err(|error| (error.problem, error.fix))?.value,
    };
    if (0.0..=SECONDS_MAX).contains(&value) {
        return Ok(value);
    }
    let fix = "give seconds such as 300, or a duration such as \"5 min\"".to_owned();
    Err(("is not a time between nothing and ten years".to_owned(), fix))
}

/// The value of one of `known` words; `None` where there is no text or no such word.
fn word<T: Copy>(
    option: &str,
    text: Option<&str>,
    choices: &[(&str, T)],
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    let text = text?;
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    let wrong = || {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let known = names.join(", ");
        let fix = match nearest(&text.to_lowercase(), names.into_iter()) {
            Some(near) => format!("did you mean \"{near}\"? Known: {known}"),
            None => format!("known: {known}"),
        };
        ("is unknown".to_owned(), fix)
    };
    known(option, Some(text), found.ok_or_else(wrong), mistakes)
}

fn known<T>(
    option: &str,
    text: Option<&str>,
    found: std::result::Result<T, Wrong>,
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    let (problem, fix) = match found {
        Ok(value) => return Some(value),
        Err(wrong) => wrong,
    };
    let (file, value) = (option.to_owned(), text.map(str::to_owned));
    mistakes.push(Mistake { file, line: None, key: String::new(), value, problem, fix });
    None
}
