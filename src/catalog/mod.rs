//! Hardware, models, memory tiers, agents and prices: TOML data with a source and a confidence for
//! each group of values, and the types they are read into.
//!
//! The embedded data are parsed once a process, on first use (well below a
//! millisecond when optimized). A scenario adds to a clone of the catalog, or
//! overrides groups of an entry, with the same keys as the embedded files.

mod agent;
mod calendar;
mod coefficients;
mod hardware;
mod model;
mod origin;
mod precision;
mod profile;
mod raw_agent;
mod raw_hardware;
mod raw_model;
mod raw_tier;
mod reasoning;
mod tier;
mod tool_worker;

pub use agent::{
    Agent, AgentLimits, ChildOrder, Children, Compaction, Context, Join, Start, ToolClass,
    ToolOrder, Tools,
};
pub use calendar::{Calendar, RawCalendar, RawDay, Rule, Special};
pub use coefficients::Coefficients;
pub use hardware::{
    CloudPrice, Cooling, CostSet, GpuHour, Hardware, Interconnect, LinkKind, Power, SetFigures,
};
pub use model::{Attention, Experts, FeedForward, Model, Window};
pub use origin::{Confidence, Origin, Problem};
pub use precision::{KvFormat, Precision, WeightFormat};
pub use profile::{Profile, week};
pub use raw_agent::RawAgent;
pub use raw_hardware::RawHardware;
pub use raw_model::RawModel;
pub use raw_tier::RawTier;
pub use reasoning::Reasoning;
pub use tier::{Per, Scope, Tier, TierPrice, Transfer};
pub use tool_worker::ToolWorker;

use calendar::CalendarFile;
use indexmap::IndexMap;
use profile::ProfileFile;
use raw_agent::AgentFile;
use raw_hardware::HardwareFile;
use raw_model::ModelFile;
use raw_tier::TierFile;
use reasoning::ReasoningFile;
use std::fmt;
use std::sync::{Arc, LazyLock};
use tool_worker::ToolWorkerFile;

/// What can be named in a scenario: hardware, models and memory tiers.
#[derive(Clone, Debug)]
pub struct Catalog {
    hardware: Shelf<Hardware>,
    models: Shelf<Model>,
    tiers: Shelf<Tier>,
    profiles: Shelf<Profile>,
    calendars: Shelf<Calendar>,
    reasoning: Shelf<Reasoning>,
    agents: Shelf<Agent>,
    tool_workers: Shelf<ToolWorker>,
    defaults: raw_hardware::Defaults,
}

impl Catalog {
    /// The catalog that comes with the program.
    pub fn embedded() -> &'static Catalog {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
            let mut catalog = Catalog::parse(
                include_str!("hardware.toml"),
                include_str!("models.toml"),
                include_str!("tiers.toml"),
            );
            let profiles: ProfileFile =
                toml::from_str(include_str!("profiles.toml")).expect("profiles.toml parses");
            for profile in profiles.profiles() {
                catalog.profiles.put(&profile.name.clone(), &[], Arc::new(profile));
            }
            let reasoning: ReasoningFile =
                toml::from_str(include_str!("reasoning.toml")).expect("reasoning.toml parses");
            for reasoning in reasoning.reasoning() {
                catalog.reasoning.put(&reasoning.name.clone(), &[], Arc::new(reasoning));
            }
            let calendars: CalendarFile =
                toml::from_str(include_str!("calendars.toml")).expect("calendars.toml parses");
            for raw in &calendars.calendar {
                catalog.add_calendar(raw).expect("calendars.toml is consistent");
            }
            let ToolWorkerFile { tool_worker } = toml::from_str(include_str!("tool_workers.toml"))
                .expect("tool_workers.toml parses");
            for worker in tool_worker {
                catalog.tool_workers.put(&worker.name.clone(), &[], Arc::new(worker));
            }
            let agents: AgentFile =
                toml::from_str(include_str!("agents.toml")).expect("agents.toml parses");
            for raw in &agents.agent {
                catalog.add_agent(raw).expect("agents.toml is consistent");
            }
            catalog
        });
        &CATALOG
    }

    /// Panics on faulty data: these files are part of the program.
    fn parse(hardware: &str, models: &str, tiers: &str) -> Catalog {
        let HardwareFile { pue, transfer, hardware } =
            toml::from_str(hardware).expect("hardware.toml parses");
        let ModelFile { model } = toml::from_str(models).expect("models.toml parses");
        let TierFile { tier } = toml::from_str(tiers).expect("tiers.toml parses");
        let mut catalog = Catalog {
            hardware: Shelf::new("hardware"),
            models: Shelf::new("model"),
            tiers: Shelf::new("tier"),
            profiles: Shelf::new("profile"),
            calendars: Shelf::new("calendar"),
            reasoning: Shelf::new("reasoning profile"),
            agents: Shelf::new("agent"),
            tool_workers: Shelf::new("tool worker"),
            defaults: raw_hardware::Defaults { pue, transfer },
        };
        for raw in &hardware {
            catalog.add_hardware(raw).expect("hardware.toml is consistent");
        }
        for raw in &model {
            catalog.add_model(raw).expect("models.toml is consistent");
        }
        for raw in &tier {
            catalog.add_tier(raw).expect("tiers.toml is consistent");
        }
        catalog
    }

    /// The GPU called `name`, or one of its aliases; case, `_` and `-` alike.
    pub fn hardware(&self, name: &str) -> Result<Arc<Hardware>, Unknown> {
        self.hardware.get(name)
    }

    /// The model called `name`, or one of its aliases; case, `_` and `-` alike.
    pub fn model(&self, name: &str) -> Result<Arc<Model>, Unknown> {
        self.models.get(name)
    }

    /// The tier called `name`, or one of its aliases; case, `_` and `-` alike.
    pub fn tier(&self, name: &str) -> Result<Arc<Tier>, Unknown> {
        self.tiers.get(name)
    }

    /// The profile called `name`; case, `_` and `-` alike.
    pub fn profile(&self, name: &str) -> Result<Arc<Profile>, Unknown> {
        self.profiles.get(name)
    }

    /// The calendar called `name`; case, `_` and `-` alike.
    pub fn calendar(&self, name: &str) -> Result<Arc<Calendar>, Unknown> {
        self.calendars.get(name)
    }

    /// The reasoning called `name`; case, `_` and `-` alike.
    pub fn reasoning(&self, name: &str) -> Result<Arc<Reasoning>, Unknown> {
        self.reasoning.get(name)
    }

    /// All reasoning, in the order of the data file.
    pub fn all_reasoning(&self) -> impl Iterator<Item = &Arc<Reasoning>> {
        self.reasoning.entries.values()
    }

    /// The worker called `name`; case, `_` and `-` alike.
    pub fn tool_worker(&self, name: &str) -> Result<Arc<ToolWorker>, Unknown> {
        self.tool_workers.get(name)
    }

    /// All workers that run tools, in the order of the data file.
    pub fn all_tool_workers(&self) -> impl Iterator<Item = &Arc<ToolWorker>> {
        self.tool_workers.entries.values()
    }

    /// The agent called `name`, or one of its aliases; case, `_` and `-` alike.
    pub fn agent(&self, name: &str) -> Result<Arc<Agent>, Unknown> {
        self.agents.get(name)
    }

    /// All agents, in the order of the data file, then as added.
    pub fn all_agents(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.agents.entries.values()
    }

    /// Adds an agent, or replaces the one of the same name. Groups that `raw`
    /// leaves out come from its `base`, or from the entry it replaces.
    pub fn add_agent(&mut self, raw: &RawAgent) -> Result<Arc<Agent>, Vec<Problem>> {
        let base = match &raw.base {
            Some(base) => Some(self.agent(base).map_err(|unknown| vec![unknown.in_key("base")])?),
            None => self.agent(&raw.name).ok(),
        };
        let checked = Arc::new(raw.check(base.as_deref())?);
        self.agents.put(&checked.name, &checked.aliases, checked.clone());
        Ok(checked)
    }

    /// All calendars, in the order of the data file, then as added.
    pub fn all_calendars(&self) -> impl Iterator<Item = &Arc<Calendar>> {
        self.calendars.entries.values()
    }

    /// Adds a calendar, or replaces one of the same name.
    pub fn add_calendar(&mut self, raw: &RawCalendar) -> Result<Arc<Calendar>, Vec<Problem>> {
        let checked = Arc::new(raw.check()?);
        self.calendars.put(&checked.name, &[], checked.clone());
        Ok(checked)
    }

    /// All profiles, in the order of the data file.
    pub fn all_profiles(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.entries.values()
    }

    /// All GPUs, in the order of the data file, then as added.
    pub fn all_hardware(&self) -> impl Iterator<Item = &Arc<Hardware>> {
        self.hardware.entries.values()
    }

    /// All models, in the order of the data file, then as added.
    pub fn all_models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.entries.values()
    }

    /// All tiers, in the order of the data file, then as added.
    pub fn all_tiers(&self) -> impl Iterator<Item = &Arc<Tier>> {
        self.tiers.entries.values()
    }

    /// Adds a GPU, or replaces one of the same name. Groups that `raw` leaves
    /// out come from its `base`, or from the entry it replaces.
    pub fn add_hardware(&mut self, raw: &RawHardware) -> Result<Arc<Hardware>, Vec<Problem>> {
        let base = match &raw.base {
            Some(base) => {
                Some(self.hardware(base).map_err(|unknown| vec![unknown.in_key("base")])?)
            }
            None => self.hardware(&raw.name).ok(),
        };
        let checked = Arc::new(raw.check(base.as_deref(), &self.defaults)?);
        self.hardware.put(&checked.name, &checked.aliases, checked.clone());
        Ok(checked)
    }

    /// Adds a model, or replaces the one of the same name. Keys that `raw`
    /// leaves out come from its `base`, or from the entry it replaces.
    pub fn add_model(&mut self, raw: &RawModel) -> Result<Arc<Model>, Vec<Problem>> {
        let base = match &raw.base {
            Some(base) => Some(self.model(base).map_err(|unknown| vec![unknown.in_key("base")])?),
            None => self.model(&raw.name).ok(),
        };
        let checked = Arc::new(raw.check(base.as_deref())?);
        self.models.put(&checked.name, &checked.aliases, checked.clone());
        Ok(checked)
    }

    /// Adds a tier, or replaces the one of the same name. Groups that `raw`
    /// leaves out come from its `base`, or from the entry it replaces.
    pub fn add_tier(&mut self, raw: &RawTier) -> Result<Arc<Tier>, Vec<Problem>> {
        let base = match &raw.base {
            Some(base) => Some(self.tier(base).map_err(|unknown| vec![unknown.in_key("base")])?),
            None => self.tier(&raw.name).ok(),
        };
        let checked = Arc::new(raw.check(base.as_deref())?);
        self.tiers.put(&checked.name, &checked.aliases, checked.clone());
        Ok(checked)
    }
}

/// Entries of one kind, by name and by alias.
#[derive(Clone, Debug)]
struct Shelf<T> {
    kind: &'static str,
    entries: IndexMap<String, Arc<T>>,
    /// Canonical name of each name and alias, as [`fold`] spells them.
    names: IndexMap<String, String>,
}

impl<T> Shelf<T> {
    fn new(kind: &'static str) -> Self {
        Shelf { kind, entries: IndexMap::new(), names: IndexMap::new() }
    }

    fn put(&mut self, name: &str, aliases: &[String], entry: Arc<T>) {
        self.names.insert(fold(name), name.to_owned());
        for alias in aliases {
            // A name always means the entry that bears it, whatever others claim.
            let folded = fold(alias);
            let is_a_name = self.entries.keys().any(|known| fold(known) == folded);
            if !is_a_name {
                self.names.insert(folded, name.to_owned());
            }
        }
        self.entries.insert(name.to_owned(), entry);
    }

    fn get(&self, name: &str) -> Result<Arc<T>, Unknown> {
        match self.names.get(&fold(name)) {
            Some(canonical) => Ok(self.entries[canonical].clone()),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Unknown {
        let known: Vec<String> = self.entries.keys().cloned().collect();
        let candidates = self.names.keys().map(String::as_str);
        let nearest = nearest(&fold(name), candidates).map(|found| self.names[found].clone());
        Unknown { kind: self.kind, name: name.to_owned(), nearest, known }
    }
}

/// One spelling for names that differ in case, `_`, blanks and `-`.
fn fold(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}

/// The candidate that looks most like `name`, if any looks like it at all.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best = None;
    let mut best_score = 0.75;
    for candidate in candidates {
        let score = strsim::jaro_winkler(name, candidate);
        if score > best_score {
            (best, best_score) = (Some(candidate), score);
        }
    }
    best
}

/// A name that the catalog does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was looked for: "hardware", "model", "tier", "precision".
    pub kind: &'static str,
    /// The name as written.
    pub name: String,
    /// The known name that looks most like it.
    pub nearest: Option<String>,
    /// Every known name.
    pub known: Vec<String>,
}

impl Unknown {
    /// `name` is none of the `known` names of a `kind`.
    pub fn new(kind: &'static str, name: &str, known: &[&str]) -> Self {
        Unknown {
            kind,
            name: name.to_owned(),
            nearest: nearest(&fold(name), known.iter().copied()).map(str::to_owned),
            known: known.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// What would mend it, as a fragment.
    pub fn fix(&self) -> String {
        let known = self.known.join(", ");
        match &self.nearest {
            Some(nearest) => format!("did you mean \"{nearest}\"? Known: {known}"),
            None => format!("known: {known}"),
        }
    }

    fn in_key(&self, key: &str) -> Problem {
        Problem {
            key: key.to_owned(),
            problem: format!("unknown {} \"{}\"", self.kind, self.name),
            fix: self.fix(),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} \"{}\"; {}", self.kind, self.name, self.fix())
    }
}

impl std::error::Error for Unknown {}

#[cfg(test)]
mod tests;
