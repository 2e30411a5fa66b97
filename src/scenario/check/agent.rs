//! Checks the agents that use cases run, and the workers of their tools.

use super::Check;
use crate::catalog::{Agent, Catalog, RawAgent};
use crate::kernel::Span;
use crate::random::Distribution;
use crate::scenario::ToolPool;
use crate::scenario::raw::{RawScenario, RawToolPool, RawUseCase};
use crate::scenario::tree::{At, suggest};
use crate::workload::agent::{Crew, Member};
use indexmap::IndexSet;
use std::sync::Arc;

/// Most agents that a use case may start, by name.
const MEMBERS_MAX: usize = 100;
/// Most calls of a session in the mean: more would not end within any run.
const CALLS_MAX: f64 = 1e6;
/// Most tool pools.
const TOOL_POOLS_MAX: usize = 1_000;
/// Keys that say what calls ask for, which agents do by themselves.
const OTHERS: [&str; 5] = ["prompt_tokens", "output_tokens", "prefix", "session", "thinking"];

impl Check<'_> {
    /// The scenario's own agents.
    pub(super) fn own_agents(
        &mut self,
        root: &At<'_>,
        catalog: &mut Catalog,
        raw: &mut RawScenario,
    ) {
        for (at, entry) in self.entries::<RawAgent>(root, "agent") {
            let added = entry.as_ref().map(|entry| {
                let mut larger = catalog.clone();
                larger.add_agent(entry).map(|_| larger)
            });
            self.own_entry(&at, added, catalog);
            raw.agent.extend(entry);
        }
    }

    /// The pools of tool workers.
    pub(super) fn tool_pools(
        &mut self,
        root: &At<'_>,
        raw: &mut RawScenario,
    ) -> Vec<Option<ToolPool>> {
        self.at_most(&root.key("tool_pool"), TOOL_POOLS_MAX);
        let entries = self.entries::<RawToolPool>(root, "tool_pool");
        let mut pools = Vec::new();
        for (at, entry) in entries {
            pools.push(entry.and_then(|entry| {
                let pool = self.tool_pool(&at, &entry);
                raw.tool_pool.push(entry);
                pool
            }));
        }
        pools
    }

    fn tool_pool(&mut self, at: &At<'_>, raw: &RawToolPool) -> Option<ToolPool> {
        self.name(&at.key("name"), &raw.name);
        let worker = match &raw.worker {
            Some(name) => {
                let found = self.catalog.tool_worker(name);
                Some(self.known(&at.key("worker"), found)?)
            }
            None => None,
        };
        let worker = worker.as_ref();
        let slots = raw.slots.or(worker.map(|worker| worker.slots)).unwrap_or(1);
        if u64::from(slots) * u64::from(raw.workers) > u64::from(u32::MAX) {
            let problem = format!("make {} slots", u64::from(slots) * u64::from(raw.workers));
            self.wrong(&at.key("workers"), problem, "keep them to four billion");
            return None;
        }
        let start_up = raw.start_up.as_ref().or(worker.map(|worker| &worker.start_up));
        Some(ToolPool {
            name: raw.name.clone(),
            workers: raw.workers,
            slots,
            start_up: start_up.map_or(Span::ZERO, |time| Span::from_seconds(time.value)),
            usd_per_hour: match &raw.price {
                Some(price) => Some(price.value),
                None => worker.and_then(|worker| worker.usd_per_hour),
            },
            watts: match &raw.power {
                Some(power) => Some(power.value),
                None => worker.and_then(|worker| worker.watts),
            },
        })
    }

    /// The agent of a use case, and all that it may start. The pools called `serving`
    /// serve them.
    pub(super) fn crew(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        serving: &[&str],
        pool_names: &[&str],
    ) -> Option<Crew> {
        let name = raw.agent.as_ref()?;
        for key in OTHERS {
            if at.key(key).node.is_some() {
                let problem = "is given beside an agent, which says it by itself";
                self.wrong(&at.key(key), problem, "remove it, or the agent");
            }
        }
        let found = self.catalog.agent(name);
        let agent = self.known(&at.key("agent"), found)?;
        let agent = if raw.batch.is_some() { without_user(&agent) } else { agent };
        let mut crew = Crew { members: vec![member(agent)] };
        let mut next = 0;
        while next < crew.members.len() {
            let agent = crew.members[next].agent.clone();
            if let Some(children) = &agent.children {
                let known = crew.members.iter().position(|it| it.agent.name == children.agent);
                let child = match known {
                    Some(known) => known,
                    None => {
                        let found = self.catalog.agent(&children.agent);
                        let child = self.known(&at.key("agent"), found)?;
                        crew.members.push(member(child));
                        crew.members.len() - 1
                    }
                };
                crew.members[next].child = Some(child as u16);
            }
            next += 1;
            if crew.members.len() > MEMBERS_MAX {
                let problem = format!("leads to more than {MEMBERS_MAX} kinds of sub-agents");
                self.wrong(&at.key("agent"), problem, "let fewer kinds start each other");
                return None;
            }
        }
        self.child_pools(at, raw, &mut crew, serving, pool_names);
        self.tools_of(at, raw, &mut crew);
        self.ends(at, &crew)?;
        crew.share_calls();
        Some(crew)
    }

    /// Pools of members other than the use case's own, which `serving` ends with.
    pub(super) fn child_pools(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        crew: &mut Crew,
        serving: &[&str],
        names: &[&str],
    ) {
        let place = at.key("pools");
        for (agent, pool) in &raw.pools.0 {
            let member = crew.members.iter().position(|member| member.agent.name == *agent);
            let is_known = names.contains(&pool.as_str());
            if member.is_none() {
                let known = crew.members.iter().map(|member| member.agent.name.as_str());
                let fix = suggest(agent, known);
                self.wrong(&place.key(agent), "names no agent of this use case", fix);
            }
            if !is_known {
                let fix = suggest(pool, names.iter().copied());
                self.wrong(&place.key(agent), "there is no pool of this name", fix);
            }
            let site = serving.iter().position(|name| name == pool);
            if let (Some(member), Some(site)) = (member, site) {
                crew.members[member].site = Some(site as u8);
            }
        }
    }

    /// Pools of workers that run classes of tools.
    fn tools_of(&mut self, at: &At<'_>, raw: &RawUseCase, crew: &mut Crew) {
        let place = at.key("tools");
        for (class, pool) in &raw.tools.0 {
            let found = self.tool_pool_names.iter().position(|name| name == pool);
            if found.is_none() {
                let known = self.tool_pool_names.iter().map(String::as_str);
                let fix = match self.tool_pool_names.is_empty() {
                    true => "add a [[tool_pool]] of this name".to_owned(),
                    false => suggest(pool, known),
                };
                self.wrong(&place.key(class), "there is no tool pool of this name", fix);
            }
            let mut is_known = false;
            for member in &mut crew.members {
                let Some(tools) = &member.agent.tools else { continue };
                member.tool_pools.resize(tools.classes.len(), None);
                for (at, known) in tools.classes.iter().enumerate() {
                    if known.name == *class {
                        is_known = true;
                        member.tool_pools[at] = found.map(|pool| pool as u16);
                    }
                }
            }
            if !is_known {
                let tools = crew.members.iter().filter_map(|member| member.agent.tools.as_ref());
                let known = tools.flat_map(|tools| &tools.classes).map(|it| it.name.as_str());
                let known: IndexSet<&str> = known.collect();
                let fix = suggest(class, known);
                self.wrong(&place.key(class), "is no tool of this agent", fix);
            }
        }
    }

    /// A session whose agents start each other without end would not end.
    fn ends(&mut self, at: &At<'_>, crew: &Crew) -> Option<()> {
        let calls = crew.calls_mean();
        if calls > CALLS_MAX {
            let problem = format!("makes {calls:.1e} calls a session in the mean");
            let fix = "lower its runs, turns or sub-agents, or the limit of their `depth`";
            self.wrong(&at.key("agent"), problem, fix);
            return None;
        }
        Some(())
    }
}

fn member(agent: Arc<Agent>) -> Member {
    Member { agent, site: None, share: 0.0, child: None, tool_pools: Vec::new() }
}

/// The agent of jobs: a session is a run, and nobody loses patience.
fn without_user(agent: &Agent) -> Arc<Agent> {
    let mut agent = agent.clone();
    agent.runs = Distribution::constant(1.0).expect("a number");
    agent.limits.patience_s = None;
    Arc::new(agent)
}

impl Crew {
    /// Calls of a session in the mean, repeated turns and compactions left out.
    pub fn calls_mean(&self) -> f64 {
        let root = &self.members[0].agent;
        root.runs.expected() * self.run_mean(0, root.limits.depth)
    }

    fn run_mean(&self, at: usize, depth: u32) -> f64 {
        let mut calls = vec![0.0; self.members.len()];
        self.add_run(at, depth, 1.0, &mut calls);
        calls.iter().sum()
    }

    /// Adds what `runs` runs of the member at index `at` come to, to the calls of each.
    fn add_run(&self, at: usize, depth: u32, runs: f64, calls: &mut [f64]) {
        let member = &self.members[at];
        let turns = member.agent.turns.expected();
        calls[at] += runs * turns;
        if let (Some(children), Some(child)) = (&member.agent.children, member.child)
            && depth > 0
        {
            let started = children.probability * children.fan_out.expected();
            let runs = runs * (turns - 1.0).max(0.0) * started;
            self.add_run(usize::from(child), depth - 1, runs, calls);
        }
    }

    /// Finds the shares of calls of its members.
    fn share_calls(&mut self) {
        let mut calls = vec![0.0; self.members.len()];
        self.add_run(0, self.members[0].agent.limits.depth, 1.0, &mut calls);
        let all: f64 = calls.iter().sum();
        for (member, calls) in self.members.iter_mut().zip(calls) {
            member.share = calls / all;
        }
    }
}
