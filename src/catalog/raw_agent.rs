//! The TOML mirror of an agent entry, and its checks.

use super::agent::{
    Agent, AgentLimits, ChildOrder, Children, Compaction, Context, Join, Start, ToolClass,
    ToolOrder, Tools,
};
use super::origin::{Checker, Confidence, Problem};
use super::raw_hardware::raw_group;
use crate::random::Distribution;
use crate::scenario::raw_distribution::{Quantum, RawDistribution};
use crate::scenario::units::{Duration, Fraction};
use crate::scenario::{Thinking, ThinkingAmount, Thinks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

type RawTokens = RawDistribution<f64>;
type RawTime = RawDistribution<Duration>;

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentFile {
    pub(super) agent: Vec<RawAgent>,
}

/// An agent as written in TOML: a new one, or changes to one of the catalog.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAgent {
    /// Name; that of a catalog entry changes this entry.
    pub name: String,
    /// Catalog entry that supplies the groups left out here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Other names it answers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A session of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<RawAgentSession>,
    /// What prompts begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<RawContext>,
    /// The turns of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<RawAgentTurns>,
    /// What a turn thinks before it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<RawAgentThinking>,
    /// Tools that turns call, all but the last of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<RawTools>,
    /// Sub-agents that turns start, all but the last of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children: Option<RawChildren>,
    /// What happens to a context that grows too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compaction: Option<RawCompaction>,
    /// What ends runs early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<RawAgentLimits>,
}

raw_group! {
    /// A session of a user.
    RawAgentSession {
        /// Runs of a session: what a user asks for, one after the other.
        runs: RawTokens,
        /// Time between the end of a run and the next; none when absent.
        gap: Option<RawTime>,
    }
}
raw_group! {
    /// What prompts begin with, in this order.
    RawContext {
        /// Tokens of tools and system prompt, the same for all.
        global_tokens: Option<RawTokens>,
        /// Tokens that a tenant or a repository adds.
        group_tokens: Option<RawTokens>,
        /// Such groups; each session has one of them. 1 when absent.
        groups: Option<u32>,
        /// Popularity of the k-th group falls as k to the power of this; 0 when absent.
        zipf: Option<f64>,
        /// Tokens that a session (or a sub-agent) adds.
        session_tokens: Option<RawTokens>,
        /// Tokens that a user (or a parent) says at the start of a run.
        message_tokens: RawTokens,
    }
}
raw_group! {
    /// The turns of a run.
    RawAgentTurns {
        /// Turns of a run; each is a model call and what it leads to.
        count: RawTokens,
        /// Output tokens of a turn, thinking apart.
        output_tokens: RawTokens,
    }
}
raw_group! {
    /// What a turn thinks before it answers.
    RawAgentThinking {
        /// Share of the turns that think.
        probability: Fraction,
        /// Tokens that they think.
        tokens: RawTokens,
        /// Most thinking tokens of a turn; without limit when absent.
        budget: Option<u32>,
        /// Whether they stay in the context; they do not when absent.
        kept: Option<bool>,
    }
}
raw_group! {
    /// Tools that turns call.
    RawTools {
        /// Chances of one call, of two calls, ...; they sum to 1.
        calls: Vec<f64>,
        /// How they follow each other; `parallel` when absent.
        order: Option<ToolOrder>,
        /// Chance that a call fails and the turn is repeated; 0 when absent.
        failure: Option<Fraction>,
        /// Tokens of the message of a failure, in place of a result; 100 when absent.
        error_tokens: Option<RawTokens>,
        /// Kinds of tools.
        class: Vec<RawToolClass>,
    }
}
raw_group! {
    /// Sub-agents that turns start.
    RawChildren {
        /// Chance that a turn starts any.
        probability: Fraction,
        /// Chances that it then starts one, two, ...; they sum to 1.
        fan_out: Vec<f64>,
        /// Which agent they are.
        agent: String,
        /// What they know at first; `spawn` when absent.
        start: Option<Start>,
        /// How they follow each other; `parallel` when absent.
        order: Option<ChildOrder>,
        /// What the parent waits for; `all` when absent.
        join: Option<RawJoin>,
        /// Tokens that each reports to its parent.
        summary_tokens: RawTokens,
    }
}
raw_group! {
    /// What happens to a context that grows too long.
    RawCompaction {
        /// Contexts longer than this are summarized by an extra call before the next turn.
        above_tokens: u32,
        /// Tokens of the summary, which follows what is global and the group's.
        keep_tokens: RawTokens,
        /// Tokens that the extra call produces; as `keep_tokens` when absent.
        output_tokens: Option<RawTokens>,
    }
}
raw_group! {
    /// What ends runs early.
    RawAgentLimits {
        /// A run that takes longer has failed; it goes on.
        deadline: Option<Duration>,
        /// A user gives up a run that takes longer, and the session with it.
        patience: Option<Duration>,
        /// A model call that takes longer is called off and made again.
        timeout: Option<Duration>,
        /// Repeated turns and calls that a run may have, one more ends it; 10 when absent.
        retries: Option<u32>,
        /// Generations of sub-agents below this agent; 4 when absent.
        depth: Option<u32>,
    }
}

/// A kind of tool.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawToolClass {
    /// Its name.
    pub name: String,
    /// Share of the calls; 1 when absent. Shares sum to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Time that a call takes, queueing apart.
    pub latency: RawTime,
    /// Tokens of its result.
    pub result_tokens: RawTokens,
}

/// What a parent waits for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawJoin {
    /// All of its sub-agents, or the first of them.
    Word(RawJoinWord),
    /// Some of them.
    Some(RawJoinCount),
}

/// All, or the first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawJoinWord {
    /// All of them.
    All,
    /// The first to end.
    First,
}

/// How many of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawJoinCount {
    /// So many, or all where there are fewer.
    #[schemars(range(min = 1, max = 64))]
    pub at_least: u32,
}

/// Longest context, tokens.
const CONTEXT_MAX: u32 = 100_000_000;
/// Longest time of one thing, s.
const TIME_S_MAX: f64 = 366.0 * 86_400.0;
const RETRIES_DEFAULT: u32 = 10;
const RETRIES_MAX: u32 = 10_000;
const DEPTH_DEFAULT: u32 = 4;
const GROUPS_MAX: u32 = 1 << 20;

impl RawAgent {
    /// The groups that are left out, from `base`.
    fn merged(&self, base: Option<&Agent>) -> RawAgent {
        let Some(base) = base else { return self.clone() };
        let (own, from) = (self.clone(), base.written.clone());
        let is_same = own.name == from.name;
        RawAgent {
            name: own.name,
            base: None,
            aliases: if is_same && own.aliases.is_empty() { from.aliases } else { own.aliases },
            title: own.title.or(from.title.filter(|_| is_same)),
            session: own.session.or(from.session),
            context: own.context.or(from.context),
            turns: own.turns.or(from.turns),
            thinking: own.thinking.or(from.thinking),
            tools: own.tools.or(from.tools),
            children: own.children.or(from.children),
            compaction: own.compaction.or(from.compaction),
            limits: own.limits.or(from.limits),
        }
    }

    pub(super) fn check(&self, base: Option<&Agent>) -> Result<Agent, Vec<Problem>> {
        let written = self.merged(base);
        let mut checks = Checks(Checker::default());
        if written.name.trim().is_empty() {
            checks.0.report("name", "is empty".to_owned(), "give the entry a name");
        }
        let context = checks.0.required("context", written.context.as_ref());
        let context = context.and_then(|raw| checks.context(raw));
        let turns = checks.0.required("turns", written.turns.as_ref());
        let turns = turns.and_then(|raw| {
            let most = f64::from(Agent::TURNS_MAX);
            let count = checks.count("turns.count", &raw.count, most);
            Some((count?, checks.tokens("turns.output_tokens", &raw.output_tokens)?))
        });
        let session = match &written.session {
            Some(raw) => {
                let most = f64::from(Agent::RUNS_MAX);
                let runs = checks.count("session.runs", &raw.runs, most);
                runs.map(|runs| (runs, checks.time_of("session.gap", raw.gap.as_ref())))
            }
            // A sub-agent has one run.
            None => Distribution::constant(1.0).ok().map(|one| (one, None)),
        };
        let thinking = written.thinking.as_ref().map(|raw| checks.thinking(raw));
        let tools = written.tools.as_ref().map(|raw| checks.tools(raw));
        let children = written.children.as_ref().map(|raw| checks.children(raw));
        let compaction = written.compaction.as_ref().map(|raw| checks.compaction(raw));
        let limits = checks.limits(written.limits.as_ref());
        let (Some((turns, output)), Some((runs, gap)), Some(context)) = (turns, session, context)
        else {
            return Err(checks.0.problems);
        };
        if !checks.0.problems.is_empty() {
            return Err(checks.0.problems);
        }
        Ok(Agent {
            name: written.name.trim().to_owned(),
            aliases: written.aliases.clone(),
            title: written.title.clone().unwrap_or_else(|| written.name.clone()),
            runs,
            gap,
            context,
            turns,
            output,
            thinking: thinking.flatten(),
            tools: tools.flatten(),
            children: children.flatten(),
            compaction: compaction.flatten(),
            limits,
            written,
        })
    }
}

/// Turns written groups into checked ones, and collects what is wrong.
struct Checks(Checker);

impl Checks {
    fn law<V: Quantum>(&mut self, key: &str, raw: &RawDistribution<V>) -> Option<Distribution> {
        match raw.build() {
            Ok(law) => Some(law),
            Err(problem) => {
                self.0.report(key, problem, "see docs/scenario.md, distributions");
                None
            }
        }
    }

    fn tokens(&mut self, key: &str, raw: &RawTokens) -> Option<Distribution> {
        self.count(key, raw, f64::from(CONTEXT_MAX))
    }

    /// A law of numbers from 1 to `most`.
    fn count(&mut self, key: &str, raw: &RawTokens, most: f64) -> Option<Distribution> {
        let law = self.law(key, raw)?;
        if law.mean().is_some_and(|mean| !(1.0..=most).contains(&mean)) {
            let fix = format!("write a number from 1 to {most}");
            self.0.report(key, "is out of range".to_owned(), &fix);
            return None;
        }
        Some(law)
    }

    /// As [`Checks::tokens`], where 0 means none.
    fn segment(&mut self, key: &str, raw: Option<&RawTokens>) -> Option<Distribution> {
        match raw? {
            RawDistribution::Fixed(0.0) => None,
            raw => self.tokens(key, raw),
        }
    }

    fn time(&mut self, key: &str, raw: &RawTime) -> Option<Distribution> {
        let law = self.law(key, raw)?;
        if law.mean().is_some_and(|mean| !(0.0..=TIME_S_MAX).contains(&mean)) {
            self.0.report(key, "is out of range".to_owned(), "write a time of up to a year");
            return None;
        }
        Some(law)
    }

    fn time_of(&mut self, key: &str, raw: Option<&RawTime>) -> Option<Distribution> {
        self.time(key, raw?)
    }

    fn context(&mut self, raw: &RawContext) -> Option<Context> {
        let groups = self.0.within("context.groups", raw.groups.unwrap_or(1), 1, GROUPS_MAX);
        let zipf = self.0.not_negative("context.zipf", raw.zipf.unwrap_or(0.0));
        if zipf > 10.0 {
            self.0.report("context.zipf", "is above 10".to_owned(), "write 0 to 10");
        }
        let group = self.segment("context.group_tokens", raw.group_tokens.as_ref());
        if group.is_none() && groups > 1 {
            let problem = "are groups that add nothing".to_owned();
            self.0.report("context.groups", problem, "add group_tokens, or leave groups out");
        }
        Some(Context {
            global: self.segment("context.global_tokens", raw.global_tokens.as_ref()),
            group,
            groups,
            zipf,
            session: self.segment("context.session_tokens", raw.session_tokens.as_ref()),
            message: self.tokens("context.message_tokens", &raw.message_tokens)?,
        })
    }

    fn chance(&mut self, key: &str, chance: f64) -> f64 {
        if !(0.0..=1.0).contains(&chance) {
            self.0.report(key, format!("{chance} is no probability"), "write 0 to 1");
        }
        chance
    }

    /// The law of a count from 1 on with these chances.
    fn chances(&mut self, key: &str, chances: &[f64]) -> Option<Distribution> {
        let most = Agent::FAN_OUT_MAX;
        if chances.is_empty() || chances.len() > most {
            let problem = format!("has {} chances", chances.len());
            self.0.report(key, problem, &format!("list 1 to {most} of them"));
            return None;
        }
        self.sum_to_one(key, chances)?;
        let counts: Vec<f64> = (1..=chances.len()).map(|count| count as f64).collect();
        Distribution::empirical(&counts, chances).ok()
    }

    fn sum_to_one(&mut self, key: &str, chances: &[f64]) -> Option<()> {
        let sum: f64 = chances.iter().sum();
        let is_chance = |chance: &f64| (0.0..=1.0).contains(chance);
        if !chances.iter().all(is_chance) || (sum - 1.0).abs() > 1e-6 {
            let problem = format!("sum to {sum:.6} and not to 1");
            self.0.report(key, problem, "write probabilities that sum to 1");
            return None;
        }
        Some(())
    }

    fn thinking(&mut self, raw: &RawAgentThinking) -> Option<Thinking> {
        let probability = self.chance("thinking.probability", raw.probability.0);
        let tokens = self.tokens("thinking.tokens", &raw.tokens)?;
        (probability > 0.0).then_some(Thinking {
            when: Thinks::Often { probability },
            amount: ThinkingAmount::Tokens(tokens),
            budget: raw.budget,
            is_kept: raw.kept.unwrap_or(false),
        })
    }

    fn tools(&mut self, raw: &RawTools) -> Option<Tools> {
        let calls = self.chances("tools.calls", &raw.calls);
        let failure = self.chance("tools.failure", raw.failure.as_ref().map_or(0.0, |p| p.0));
        if failure >= 1.0 {
            let problem = "never lets a run end".to_owned();
            self.0.report("tools.failure", problem, "write a chance below 1");
        }
        if raw.class.is_empty() || raw.class.len() > Agent::FAN_OUT_MAX {
            let problem = format!("has {} entries", raw.class.len());
            self.0.report("tools.class", problem, "list 1 to 64 kinds of tools");
            return None;
        }
        let class = |checks: &mut Self, raw: &RawToolClass| {
            let latency = checks.time("tools.class.latency", &raw.latency)?;
            let result = checks.tokens("tools.class.result_tokens", &raw.result_tokens)?;
            Some(ToolClass { name: raw.name.clone(), latency, result })
        };
        let classes: Option<Vec<_>> = raw.class.iter().map(|raw| class(self, raw)).collect();
        let shares: Vec<f64> = raw.class.iter().map(|class| class.share.unwrap_or(1.0)).collect();
        self.sum_to_one("tools.class.share", &shares)?;
        let numbers: Vec<f64> = (0..shares.len()).map(|at| at as f64).collect();
        let error = match &raw.error_tokens {
            Some(raw) => self.tokens("tools.error_tokens", raw),
            None => Distribution::constant(100.0).ok(),
        };
        Some(Tools {
            calls: calls?,
            order: raw.order.unwrap_or_default(),
            failure,
            error: error?,
            classes: classes?,
            mix: Distribution::empirical(&numbers, &shares).ok()?,
        })
    }

    fn children(&mut self, raw: &RawChildren) -> Option<Children> {
        let probability = self.chance("children.probability", raw.probability.0);
        let fan_out = self.chances("children.fan_out", &raw.fan_out);
        let summary = self.tokens("children.summary_tokens", &raw.summary_tokens);
        let fan_out_max = raw.fan_out.len() as u32;
        let join = match &raw.join {
            None | Some(RawJoin::Word(RawJoinWord::All)) => Join::All,
            Some(RawJoin::Word(RawJoinWord::First)) => Join::AtLeast(1),
            Some(RawJoin::Some(RawJoinCount { at_least })) => {
                if !(1..=fan_out_max).contains(at_least) {
                    let problem = format!("waits for {at_least} of at most {fan_out_max}");
                    let fix = format!("wait for 1 to {fan_out_max} sub-agents");
                    self.0.report("children.join", problem, &fix);
                }
                Join::AtLeast(*at_least)
            }
        };
        let order = raw.order.unwrap_or_default();
        if order != ChildOrder::Parallel && join != Join::All {
            let problem = "waits for some of sub-agents that do not run side by side".to_owned();
            self.0.report(
                "children.join",
                problem,
                "write join = \"all\", or order = \"parallel\"",
            );
        }
        (probability > 0.0).then_some(Children {
            probability,
            fan_out: fan_out?,
            fan_out_max,
            agent: raw.agent.clone(),
            start: raw.start.unwrap_or_default(),
            order,
            join,
            summary: summary?,
        })
    }

    fn compaction(&mut self, raw: &RawCompaction) -> Option<Compaction> {
        let above = self.0.within("compaction.above_tokens", raw.above_tokens, 1, CONTEXT_MAX);
        let keep = self.tokens("compaction.keep_tokens", &raw.keep_tokens)?;
        let output = match &raw.output_tokens {
            Some(raw) => self.tokens("compaction.output_tokens", raw)?,
            None => keep.clone(),
        };
        Some(Compaction { above, keep, output })
    }

    fn limits(&mut self, raw: Option<&RawAgentLimits>) -> AgentLimits {
        let mut seconds = |key: &str, time: Option<&Duration>| {
            time.map(|time| self.0.positive(&format!("limits.{key}"), time.value))
        };
        let deadline_s = seconds("deadline", raw.and_then(|raw| raw.deadline.as_ref()));
        let patience_s = seconds("patience", raw.and_then(|raw| raw.patience.as_ref()));
        let timeout_s = seconds("timeout", raw.and_then(|raw| raw.timeout.as_ref()));
        let retries = raw.and_then(|raw| raw.retries).unwrap_or(RETRIES_DEFAULT);
        let depth = raw.and_then(|raw| raw.depth).unwrap_or(DEPTH_DEFAULT);
        AgentLimits {
            deadline_s,
            patience_s,
            timeout_s,
            retries: self.0.within("limits.retries", retries, 0, RETRIES_MAX),
            depth: self.0.within("limits.depth", depth, 0, Agent::DEPTH_MAX),
        }
    }
}
