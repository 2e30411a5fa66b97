//! Turns what a user wrote into a checked [`Scenario`], and finds every
//! mistake that can be found at once.
//!
//! Form comes first (`shape`: keys, types, units, ranges). Then each pool and
//! use case whose form allows it is checked for sense, whatever is wrong with
//! the others, and only a scenario without any mistake is handed on.

mod agent;
mod arm;
mod at_start;
mod batch;
mod catalog;
mod days;
mod demand;
mod limits;
mod offload;
mod pool;
mod readings;
mod region;
mod replay;
mod replications;
mod router;
mod session;
mod slo;
mod thinking;
mod trace;
mod use_case;
mod variants;
mod windows;

pub use variants::Variants;

use super::overrides::Overrides;
use super::raw::{RawArm, RawPool, RawRegime, RawScenario, RawUseCase, RawWarmUp};
use super::seek::Seek;
use super::shape::{Findings, resolve, schema};
use super::sweep::Sweep;
use super::tree::{At, Node};
use super::{Arm, Arrivals, AtStart, Lengths, Pool, Regime, Scenario, UseCase, WarmUp};
use crate::catalog::Catalog;
use crate::error::{Error, Mistake, Result};
use crate::kernel::{Digest, Span};
use demand::Horizon;
use indexmap::IndexMap;
use indexmap::map::Entry;
use jiff::Timestamp;
use limits::{POOLS_MAX, USE_CASES_MAX};
use region::Region;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use trace::Traces;

/// Shortest duration of a run.
const DURATION_S_MIN: f64 = 1e-3;
/// Longest horizon: ten years.
const HORIZON_S_MAX: f64 = 3_653.0 * 86_400.0;
/// Longest scenario file, in bytes.
const FILE_MAX: u64 = 16 << 20;
/// Mistakes listed one by one; the rest are counted.
const MISTAKES_MAX: usize = 50;
/// What the scenario as it stands is called among its arms.
pub const BASELINE: &str = "baseline";

/// A checked scenario and what it was made from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// Its arms, in the order of the file.
    pub arms: Vec<Arm>,
    /// It as TOML, overrides and defaults applied; trace paths stay relative
    /// to the original file.
    pub resolved_toml: String,
    /// Fold of `resolved_toml`, all traces and all days, 16 hexadecimal digits.
    pub hash: String,
    /// Its `[sweep]`, if it has one.
    pub sweep: Option<Sweep>,
    /// Its `[seek]`, if it has one.
    pub seek: Option<Seek>,
}

impl Loaded {
    /// What is to be compared: the scenario as it stands, called
    /// [`BASELINE`], and then its arms.
    pub fn with_baseline(&self) -> Vec<Arm> {
        let scenario = self.scenario.clone();
        let baseline = Arm { name: BASELINE.to_owned(), changes: Vec::new(), scenario };
        std::iter::once(baseline).chain(self.arms.iter().cloned()).collect()
    }
}

/// Reads and checks the scenario file at `path`.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded> {
    Ok(open_file(path, overrides)?.0)
}

/// As [`load`], with what is needed to check variants of the scenario.
pub fn open_file(path: &Path, overrides: &Overrides) -> Result<(Loaded, Variants)> {
    let file = path.display().to_string();
    let text = read(path).map_err(|problem| {
        let fix = "give the path of a scenario file; `tokenmill init` writes one";
        Error::Invalid(vec![file_mistake(&file, problem, fix)])
    })?;
    open(&text, &file, path.parent().unwrap_or(Path::new("")), overrides)
}

/// The text of a file, unless it is endless or no text.
fn read(path: &Path) -> std::result::Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let read = file.take(FILE_MAX + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 > FILE_MAX => Err(format!("is longer than {FILE_MAX} bytes")),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Checks the scenario `text`; `file` names it in messages, and paths within
/// it start at `base_dir`.
pub fn parse(text: &str, file: &str, base_dir: &Path, overrides: &Overrides) -> Result<Loaded> {
    Ok(open(text, file, base_dir, overrides)?.0)
}

/// As [`parse`], with what is needed to check variants of the scenario.
pub fn open(
    text: &str,
    file: &str,
    base_dir: &Path,
    overrides: &Overrides,
) -> Result<(Loaded, Variants)> {
    let mut tree = Node::parse(text, file).map_err(|mistake| Error::Invalid(vec![*mistake]))?;
    let mistakes = overrides.apply(&mut tree);
    let variants = Variants::new(tree, file, base_dir, overrides.skip_bad_lines);
    let loaded = variants.whole(mistakes)?;
    Ok((loaded, variants))
}

/// As one reads the scenario, then whatever else was read; not without end.
fn in_order(mut mistakes: Vec<Mistake>, file: &str) -> Vec<Mistake> {
    let line = |mistake: &Mistake| mistake.line.unwrap_or(usize::MAX);
    mistakes.sort_by_key(|mistake| (mistake.file != file, line(mistake)));
    let unlisted = mistakes.len().saturating_sub(MISTAKES_MAX);
    if unlisted > 0 {
        mistakes.truncate(MISTAKES_MAX);
        let fix = "mend these first";
        mistakes.push(file_mistake(file, format!("{unlisted} more mistakes"), fix));
    }
    mistakes
}

fn loaded(
    scenario: Scenario,
    mut raw: RawScenario,
    arms: Vec<(RawArm, Arm)>,
    sweep: Option<Sweep>,
    seek: Option<Seek>,
) -> Loaded {
    let (written, arms) = arms.into_iter().unzip();
    raw.arm = written;
    let text = toml::to_string(&raw).expect("a raw scenario has a TOML form");
    let resolved_toml = format!("# As run: overrides and defaults applied.\n{text}");
    let hash = hash(&resolved_toml, &scenario);
    Loaded { scenario, arms, resolved_toml, hash, sweep, seek }
}

fn hash(resolved_toml: &str, scenario: &Scenario) -> String {
    let mut digest = Digest::default();
    resolved_toml.bytes().for_each(|byte| digest.word(u64::from(byte)));
    for use_case in &scenario.use_cases {
        for arrivals in use_case.arrivals.parts() {
            match arrivals {
                Arrivals::Trace { trace, .. } => digest.word(trace.digest),
                // Days may come from a file.
                Arrivals::Varying(demand) => {
                    demand.curve.days.iter().for_each(|plan| digest.word(plan.factor.to_bits()));
                }
                _ => {}
            }
        }
        if let Lengths::Replayed(replay) = &use_case.lengths {
            digest.word(replay.graph.digest());
        }
    }
    digest.to_string()
}

fn file_mistake(file: &str, problem: String, fix: &str) -> Mistake {
    let (file, fix) = (file.to_owned(), fix.to_owned());
    Mistake { file, line: None, key: String::new(), value: None, problem, fix }
}

/// What checking collects and needs throughout.
struct Check<'b> {
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
    base_dir: &'b Path,
    skip_bad_lines: bool,
    /// The form of the whole file is flawless.
    is_well_formed: bool,
    /// Names of the user's own GPUs and models that were objected to.
    unusable_entries: Vec<String>,
    /// Recordings read so far, shared by all arms.
    traces: &'b Traces,
    /// Known before use cases are looked at.
    horizon: Horizon,
    /// Known before pools are looked at.
    regions: Vec<Region>,
    /// Known before use cases are looked at, in the order of the file.
    tool_pool_names: Vec<String>,
    /// With the scenario's own entries, once those are known.
    catalog: Catalog,
}

impl<'b> Check<'b> {
    fn new(base_dir: &'b Path, skip_bad_lines: bool, traces: &'b Traces) -> Self {
        Check {
            mistakes: Vec::new(),
            warnings: Vec::new(),
            base_dir,
            skip_bad_lines,
            is_well_formed: false,
            unusable_entries: Vec::new(),
            traces,
            horizon: Horizon::default(),
            regions: Vec::new(),
            tool_pool_names: Vec::new(),
            catalog: Catalog::embedded().clone(),
        }
    }

    /// Checks the form and the sense of a whole scenario, its arms apart.
    fn whole(&mut self, root: &At<'_>) -> Option<(Scenario, RawScenario)> {
        let mut findings = Findings::default();
        findings.walk(root, schema());
        self.is_well_formed = findings.mistakes.is_empty();
        self.mistakes.append(&mut findings.mistakes);
        self.scenario(root)
    }

    /// Checks the sense of a whole scenario whose form is known to be flawless.
    fn well_formed(&mut self, root: &At<'_>) -> Option<(Scenario, RawScenario)> {
        self.is_well_formed = true;
        self.scenario(root)
    }
}

impl Check<'_> {
    /// Records a mistake.
    fn wrong(&mut self, at: &At<'_>, problem: impl Into<String>, fix: impl Into<String>) {
        self.mistakes.push(at.mistake(problem, fix));
    }

    /// Records that something is missing, unless it is there in a form that
    /// has been objected to already.
    fn missing(&mut self, at: &At<'_>, problem: &str, fix: impl Into<String>) {
        if at.node.is_none() {
            self.wrong(at, problem, fix);
        }
    }

    fn scenario(&mut self, root: &At<'_>) -> Option<(Scenario, RawScenario)> {
        let mut raw = self.head(root)?;
        self.name(&root.key("name"), &raw.name);
        let catalog = self.catalog(root, &mut raw);
        self.regions(root, &mut raw);
        let mut pools = self.pools(root, &catalog, &mut raw);
        self.catalog = catalog;
        self.shared_tiers(root, &mut pools);
        let duration = self.duration(root, &raw);
        let is_start_given = raw.start.is_some();
        self.horizon = Horizon { start: self.start(root, &raw), is_start_given, duration };
        let tool_pools = self.tool_pools(root, &mut raw);
        self.tool_pool_names = raw.tool_pool.iter().map(|pool| pool.name.clone()).collect();
        let use_cases = self.use_cases(root, &pools, &mut raw);
        let all_end = use_cases.iter().flatten().all(|use_case| use_case.ends_by_itself());
        self.limits(root, duration, &pools, &use_cases);
        let varies = use_cases.iter().flatten().any(|use_case| use_case.varies());
        let regime = self.regime(root, &mut raw, all_end, varies);
        let warm_up = self.warm_up(root, &mut raw, duration);
        let pools: Vec<Pool> = pools.into_iter().flatten().collect();
        let use_cases: Vec<UseCase> = use_cases.into_iter().flatten().collect();
        let mut scenario = Scenario {
            name: raw.name.clone(),
            seed: raw.seed,
            replications: 1,
            stopping: None,
            start: raw.start.clone(),
            duration,
            regime,
            warm_up,
            sections: raw.sections,
            at_start: AtStart::Nobody,
            windows: None,
            pools,
            tool_pools: tool_pools.into_iter().flatten().collect(),
            use_cases,
            warnings: std::mem::take(&mut self.warnings),
        };
        self.replications(root, &mut scenario, &mut raw);
        self.sections(root, regime, raw.sections);
        self.windows(root, &mut scenario, &mut raw);
        self.at_start(&mut scenario, &raw);
        Some((scenario, raw))
    }

    /// The top-level values; lists empty.
    fn head(&mut self, root: &At<'_>) -> Option<RawScenario> {
        let is_list = |key: &str| schema()["properties"][key]["type"] == "array";
        let (mut table, _) = self.usable(root, schema(), |key| !is_list(key));
        table.entry("name").or_insert_with(|| toml::Value::from("unnamed"));
        self.deserialize(root, table)
    }

    /// The entries of the list `key`, `None` where the form forbids reading one.
    fn entries<'a, T: DeserializeOwned>(
        &mut self,
        root: &At<'a>,
        key: &str,
    ) -> Vec<(At<'a>, Option<T>)> {
        let list = root.key(key);
        let mut entries: Vec<(At<'a>, Option<T>)> = Vec::new();
        let mut first_lines: IndexMap<String, usize> = IndexMap::new();
        for at in list.entries() {
            let line = at.node.and_then(|node| node.origin.line).unwrap_or(0);
            match first_lines.entry(at.path.clone()) {
                Entry::Vacant(place) => _ = place.insert(line),
                Entry::Occupied(first) => {
                    let problem = format!("has the same name as the entry at line {}", first.get());
                    self.wrong(&at.key("name"), problem, "give each entry a name of its own");
                }
            }
            let (table, flawless) =
                self.usable(&at, &schema()["properties"][key]["items"], |_| true);
            let entry = if flawless {
                self.deserialize(&at, table)
            } else {
                toml::Value::Table(table).try_into().ok()
            };
            entries.push((at, entry));
        }
        entries
    }

    /// The wanted members of the table at `at` that are of usable form, and
    /// whether there was nothing to object to in it. What is left out has been
    /// objected to already. A flawless file is not looked at again: sweeps check
    /// thousands of them.
    fn usable(
        &self,
        at: &At<'_>,
        schema: &serde_json::Value,
        wanted: impl Fn(&str) -> bool,
    ) -> (toml::Table, bool) {
        let schema = resolve(schema);
        let mut table = toml::Table::new();
        let members = at.node.and_then(Node::table).into_iter().flatten();
        for (key, node) in members.filter(|(key, _)| wanted(key)) {
            if self.is_well_formed || is_usable(&at.key(key), &schema["properties"][key]) {
                table.insert(key.clone(), node.to_toml());
            }
        }
        let mut findings = Findings::default();
        if !self.is_well_formed {
            findings.walk(at, schema);
        }
        (table, findings.mistakes.is_empty())
    }

    fn deserialize<T: DeserializeOwned>(&mut self, at: &At<'_>, table: toml::Table) -> Option<T> {
        match toml::Value::Table(table).try_into() {
            Ok(entry) => Some(entry),
            Err(error) => {
                self.wrong(at, error.message(), "see docs/scenario.md");
                None
            }
        }
    }

    /// Names become folders and parts of key paths.
    fn name(&mut self, at: &At<'_>, name: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || name.len() > 64 || !name.chars().all(plain) {
            let fix = "use up to 64 letters, digits, `-`, `_` and `.`, a letter or digit first";
            self.wrong(at, "is not a usable name", fix);
        }
    }

    fn pools(
        &mut self,
        root: &At<'_>,
        catalog: &Catalog,
        raw: &mut RawScenario,
    ) -> Vec<Option<Pool>> {
        let entries = self.entries::<RawPool>(root, "pool");
        let fix = "add a [[pool]] with name, model, hardware";
        self.some(&root.key("pool"), POOLS_MAX, fix);
        let mut pools = Vec::new();
        for (at, entry) in entries {
            pools.push(entry.and_then(|mut entry| {
                let pool = self.pool(&at, catalog, &mut entry);
                raw.pool.push(entry);
                pool
            }));
        }
        pools
    }

    fn use_cases(
        &mut self,
        root: &At<'_>,
        pools: &[Option<Pool>],
        raw: &mut RawScenario,
    ) -> Vec<Option<UseCase>> {
        let entries = self.entries::<RawUseCase>(root, "use_case");
        let fix = "add a [[use_case]] with name, arrivals, prompt_tokens, output_tokens";
        self.some(&root.key("use_case"), USE_CASES_MAX, fix);
        let pool_names: Vec<&str> = root
            .key("pool")
            .node
            .map_or(&[][..], Node::items)
            .iter()
            .map(|n| n.name().unwrap_or_default())
            .collect();
        let mut use_cases = Vec::new();
        for (at, entry) in entries {
            use_cases.push(entry.and_then(|mut entry| {
                let use_case = self.use_case(&at, &pool_names, pools, &mut entry);
                raw.use_case.push(entry);
                use_case
            }));
        }
        self.share(root, pools, &mut use_cases);
        use_cases
    }

    fn duration(&mut self, root: &At<'_>, raw: &RawScenario) -> Option<Span> {
        let seconds = raw.duration.as_ref()?.value;
        let at = root.key("duration");
        if seconds < DURATION_S_MIN {
            self.wrong(&at, "is shorter than a millisecond", "write a duration such as \"15 min\"");
        }
        if seconds > HORIZON_S_MAX {
            self.wrong(&at, "is beyond ten years", "shorten it to at most \"3653 days\"");
        }
        Some(Span::from_seconds(seconds))
    }

    fn regime(
        &mut self,
        root: &At<'_>,
        raw: &mut RawScenario,
        all_end: bool,
        varies: bool,
    ) -> Regime {
        let is_episode = all_end || varies;
        let default = if is_episode { RawRegime::Terminating } else { RawRegime::Steady };
        if varies && matches!(raw.regime, Some(RawRegime::Steady)) {
            let problem = "is no state that a rate of arrivals that varies can be in";
            self.wrong(&root.key("regime"), problem, "remove it, or what varies the rate");
        }
        let regime = *raw.regime.get_or_insert(default);
        let at = root.key("duration");
        if !all_end || matches!(regime, RawRegime::Steady) {
            let problem = if all_end {
                "is missing: a steady regime needs one"
            } else {
                "is missing, and not every use case ends by itself"
            };
            self.missing(&at, problem, "add e.g. duration = \"15 min\"");
        }
        match regime {
            RawRegime::Steady => Regime::Steady,
            RawRegime::Terminating => Regime::Terminating,
        }
    }

    fn start(&mut self, root: &At<'_>, raw: &RawScenario) -> Option<Timestamp> {
        match raw.start.as_ref()?.parse() {
            Ok(start) => Some(start),
            Err(error) => {
                let fix = "write an instant such as \"2026-11-16T00:00:00Z\"";
                self.wrong(&root.key("start"), format!("is not an instant: {error}"), fix);
                None
            }
        }
    }

    fn warm_up(&mut self, root: &At<'_>, raw: &mut RawScenario, duration: Option<Span>) -> WarmUp {
        let auto = RawWarmUp::Auto(super::raw::Auto::Auto);
        match raw.warm_up.get_or_insert(auto) {
            RawWarmUp::Auto(_) => WarmUp::Auto,
            RawWarmUp::Fixed(length) => {
                let span = Span::from_seconds(length.value);
                if duration.is_some_and(|duration| span >= duration) {
                    let problem = "leaves nothing of the duration to measure";
                    self.wrong(&root.key("warm_up"), problem, "shorten it, or write \"auto\"");
                }
                WarmUp::Fixed(span)
            }
        }
    }
}

fn is_usable(at: &At<'_>, schema: &serde_json::Value) -> bool {
    let mut findings = Findings::default();
    findings.walk(at, schema);
    findings.unusable == 0
}
