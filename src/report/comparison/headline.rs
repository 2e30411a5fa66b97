//! The figures a comparison is told in: what they are called, how they are
//! shown, and which way is good. comparison.json has all the others.

use crate::report::figure::Measure;
use crate::statistics::Interval;
use crate::study::{ArmSummary, Comparison, Difference};
use indexmap::IndexSet;

/// A use case or a pool, with its headline figures.
pub struct Owner {
    /// "chat", "pool assistant".
    pub name: String,
    /// The figures that at least one arm has or withholds.
    pub headlines: Vec<Headline>,
}

/// One headline figure.
pub struct Headline {
    /// Its path in the comparison.
    pub path: String,
    /// What it is and how it is shown.
    pub key: &'static Key,
}

/// What a headline figure is, whoever owns it.
pub struct Key {
    /// Its path below its owner.
    key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// How it is shown.
    pub measure: Measure,
    /// Factor before it is shown: a single call's cost is too small to read.
    factor: f64,
    /// Which way is good.
    good: Good,
    /// Whether the chart shows it.
    pub is_charted: bool,
}

/// Which way is good.
enum Good {
    Less,
    More,
    Neither,
}

/// What a difference amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// For the better; the interval excludes zero.
    Better,
    /// For the worse; the interval excludes zero.
    Worse,
    /// Neither good nor bad; the interval excludes zero.
    Differs,
    /// Exactly nothing.
    Same,
    /// Zero lies within the interval, or there is none.
    Unclear,
}

const fn key(
    key: &'static str,
    name: &'static str,
    measure: Measure,
    good: Good,
    is_charted: bool,
) -> Key {
    Key { key, name, measure, factor: 1.0, good, is_charted }
}

static OF_USE_CASES: [Key; 9] = [
    key("ttft_s.p50", "TTFT p50", Measure::Seconds, Good::Less, false),
    key("ttft_s.p95", "TTFT p95", Measure::Seconds, Good::Less, true),
    key("ttft_s.p99", "TTFT p99", Measure::Seconds, Good::Less, false),
    key("visible_ttft_s.p50", "visible TTFT p50", Measure::Seconds, Good::Less, false),
    key("visible_ttft_s.p95", "visible TTFT p95", Measure::Seconds, Good::Less, true),
    key("tpot_s.p95", "TPOT p95", Measure::Seconds, Good::Less, true),
    key("e2e_s.p95", "end to end p95", Measure::Seconds, Good::Less, true),
    key("goodput_fraction", "goodput share", Measure::Fraction, Good::More, true),
    Key {
        factor: 1000.0,
        ..key("usd_per_call", "cost of 1,000 calls", Measure::Dollars, Good::Less, false)
    },
];

/// Of agents, which stand below use cases.
static OF_AGENTS: [Key; 7] = [
    key("run_s.mean", "run, mean", Measure::Seconds, Good::Less, false),
    key("run_s.p50", "run p50", Measure::Seconds, Good::Less, false),
    key("run_s.p95", "run p95", Measure::Seconds, Good::Less, true),
    key("run_s.p99", "run p99", Measure::Seconds, Good::Less, false),
    key("amplification", "amplification", Measure::Plain("x"), Good::Less, false),
    key("success_fraction", "success in time", Measure::Fraction, Good::More, true),
    key("usd_per_success", "cost of a success", Measure::Dollars, Good::Less, false),
];

static OF_POOLS: [Key; 4] = [
    key("output_tok_per_s_per_gpu", "output per GPU", Measure::Plain("tok/s"), Good::More, true),
    key("usd_per_mtok.total", "$/Mtok", Measure::Dollars, Good::Less, true),
    key("cache_hit_fraction", "prompt from cache", Measure::Fraction, Good::More, false),
    key("kv_use_mean", "KV cache in use", Measure::Fraction, Good::Neither, false),
];

/// The use cases, their agents, and then the pools of a comparison.
pub fn owners(comparison: &Comparison) -> Vec<Owner> {
    let of_arm = |arm: &ArmSummary| -> Vec<String> {
        arm.figures.keys().chain(&arm.withheld).cloned().collect()
    };
    let paths: IndexSet<String> = comparison.arms.values().flat_map(of_arm).collect();
    let use_cases = named(&paths, "use_cases.", "", &OF_USE_CASES);
    let agents = named(&paths, "use_cases.", "", &OF_AGENTS).into_iter().map(of_use_case);
    let pools = named(&paths, "pools.", "pool ", &OF_POOLS);
    use_cases.into_iter().chain(agents).chain(pools).collect()
}

/// "helper of chat" for the agent at `chat.agents.helper`.
fn of_use_case(owner: Owner) -> Owner {
    let name = match owner.name.split_once(".agents.") {
        Some((use_case, agent)) => format!("{agent} of {use_case}"),
        None => owner.name,
    };
    Owner { name, ..owner }
}

/// The owners whose paths begin with `group`; they are called `title` and their name.
fn named(paths: &IndexSet<String>, group: &str, title: &str, keys: &'static [Key]) -> Vec<Owner> {
    let name = |path: &String| {
        let below = path.strip_prefix(group)?;
        let name = |key: &Key| below.strip_suffix(key.key)?.strip_suffix('.').map(str::to_owned);
        keys.iter().find_map(name)
    };
    let names: IndexSet<String> = paths.iter().filter_map(name).collect();
    let headlines = |name: &String| {
        let headline = |key| Headline { path: format!("{group}{name}.{}", Key::path(key)), key };
        keys.iter().map(headline).filter(|headline| paths.contains(&headline.path)).collect()
    };
    names
        .iter()
        .map(|name| Owner { name: format!("{title}{name}"), headlines: headlines(name) })
        .collect()
}

impl Key {
    fn path(&self) -> &'static str {
        self.key
    }

    /// A figure at the scale it is shown at.
    pub fn shown(&self, interval: &Interval) -> Interval {
        let times = |value: f64| value * self.factor;
        let Interval { mean, low, high } = *interval;
        Interval { mean: times(mean), low: low.map(times), high: high.map(times) }
    }

    /// How a difference is shown: between shares in points, not percent.
    pub fn difference(&self) -> Measure {
        match self.measure {
            Measure::Fraction => Measure::Points,
            measure => measure,
        }
    }

    /// What a difference of this figure amounts to.
    pub fn verdict(&self, difference: &Interval) -> Verdict {
        let Some((low, high)) = difference.low.zip(difference.high) else {
            return Verdict::Unclear;
        };
        match (low > 0.0, high < 0.0, &self.good) {
            (false, false, _) if low == 0.0 && high == 0.0 => Verdict::Same,
            (false, false, _) => Verdict::Unclear,
            (_, _, Good::Neither) => Verdict::Differs,
            (true, _, Good::More) | (_, true, Good::Less) => Verdict::Better,
            (true, _, Good::Less) | (_, true, Good::More) => Verdict::Worse,
        }
    }
}

impl Headline {
    /// What `arm` has of it.
    pub fn of<'a>(&self, arm: &'a ArmSummary) -> Option<&'a Difference> {
        arm.figures.get(&self.path)
    }

    /// Whether `arm` withholds it.
    pub fn is_withheld(&self, arm: &ArmSummary) -> bool {
        arm.withheld.contains(&self.path)
    }

    /// What `arm` makes of it; `None` where it cannot be compared.
    pub fn verdict(&self, arm: &ArmSummary) -> Option<Verdict> {
        Some(self.key.verdict(&self.of(arm)?.difference?))
    }
}
