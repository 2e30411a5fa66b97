//! Agents: what a session of model calls, tools and sub-agents does.
//!
//! An entry is a program: a session is runs (what a user asks for), a run is
//! turns, a turn is a model call and then tools and sub-agents, whose results
//! join the context of the next call. docs/model.md has the rules.

use super::raw_agent::RawAgent;
use crate::random::Distribution;
use crate::scenario::Thinking;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// A checked program.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Canonical name.
    pub name: String,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// Name for people.
    pub title: String,
    /// Runs of a session.
    pub runs: Distribution,
    /// Seconds between the end of a run and the next; `None`: none.
    pub gap: Option<Distribution>,
    /// What its prompts begin with.
    pub context: Context,
    /// Turns of a run.
    pub turns: Distribution,
    /// Output tokens of a turn, thinking apart.
    pub output: Distribution,
    /// What a turn thinks before it answers.
    pub thinking: Option<Thinking>,
    /// Tools that a turn calls; `None`: none.
    pub tools: Option<Tools>,
    /// Sub-agents that a turn starts; `None`: none.
    pub children: Option<Children>,
    /// What happens to a context that grows too long; `None`: nothing.
    pub compaction: Option<Compaction>,
    /// What ends runs early.
    pub limits: AgentLimits,
    /// The entry as written, with what it took from its base.
    pub(super) written: RawAgent,
}

/// The segments that a prompt begins with, in this order.
#[derive(Clone, Debug)]
pub struct Context {
    /// Tools and system prompt, the same for all; `None`: nothing.
    pub global: Option<Distribution>,
    /// What a tenant or a repository adds; `None`: nothing.
    pub group: Option<Distribution>,
    /// Number of such groups.
    pub groups: u32,
    /// The k-th group is as popular as k to the power of minus this.
    pub zipf: f64,
    /// What a session adds; `None`: nothing.
    pub session: Option<Distribution>,
    /// What the user says at the start of a run.
    pub message: Distribution,
}

/// Tools.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Tool calls of a turn that is not the last.
    pub calls: Distribution,
    /// How they follow each other.
    pub order: ToolOrder,
    /// Chance that a tool call fails; the turn is then repeated.
    pub failure: f64,
    /// Tokens of the message of a failure, in place of a result.
    pub error: Distribution,
    /// Kinds of tools; each call is of one of them.
    pub classes: Vec<ToolClass>,
    /// Which class a call is of.
    pub mix: Distribution,
}

/// A kind of tool.
#[derive(Clone, Debug)]
pub struct ToolClass {
    /// Its name.
    pub name: String,
    /// Seconds that a call takes, queueing apart.
    pub latency: Distribution,
    /// Tokens of its result.
    pub result: Distribution,
}

/// How the tool calls of a turn follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ToolOrder {
    /// All at once: the turn waits for the longest.
    #[default]
    Parallel,
    /// One after the other: the turn waits for their sum.
    Sequence,
}

/// Sub-agents.
#[derive(Clone, Debug)]
pub struct Children {
    /// Chance that a turn that is not the last starts any.
    pub probability: f64,
    /// How many it then starts.
    pub fan_out: Distribution,
    /// Most that it ever starts.
    pub fan_out_max: u32,
    /// Which agent they are.
    pub agent: String,
    /// What they know at first.
    pub start: Start,
    /// How they follow each other.
    pub order: ChildOrder,
    /// What the parent waits for.
    pub join: Join,
    /// Tokens that each reports to its parent.
    pub summary: Distribution,
}

/// What a sub-agent knows at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The prefix of its own kind.
    #[default]
    Spawn,
    /// All that its parent knows.
    Fork,
}

/// How sub-agents of one turn follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChildOrder {
    /// All at once.
    #[default]
    Parallel,
    /// One after the other.
    Sequence,
    /// All at once, and the parent goes on: it waits for them before its last turn.
    Background,
}

/// How many sub-agents of a turn the parent waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// All of them.
    All,
    /// This many; the others are called off.
    AtLeast(u32),
}

/// Compaction of a context.
#[derive(Clone, Debug)]
pub struct Compaction {
    /// Contexts longer than this are summarized before the next turn, tokens.
    pub above: u32,
    /// Tokens of the summary that follows the global and the group's segment.
    pub keep: Distribution,
    /// Tokens that the extra call produces.
    pub output: Distribution,
}

/// Limits of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgentLimits {
    /// A run that takes longer has failed, s.
    pub deadline_s: Option<f64>,
    /// A user gives up a run that takes longer, and the session with it, s.
    pub patience_s: Option<f64>,
    /// A call that takes longer is called off and made again, s.
    pub timeout_s: Option<f64>,
    /// Repeated turns and calls that a run may have; one more ends it.
    pub retries: u32,
    /// Generations of sub-agents below this agent.
    pub depth: u32,
}

impl Agent {
    /// Most turns of a run.
    pub const TURNS_MAX: u32 = 10_000;
    /// Most runs of a session.
    pub const RUNS_MAX: u32 = 100_000;
    /// Most tool calls, or sub-agents, of a turn.
    pub const FAN_OUT_MAX: usize = 64;
    /// Most generations of sub-agents.
    pub const DEPTH_MAX: u32 = 8;

    /// A program in name only, of a recording that says what is done: `calls` of a
    /// session in the mean.
    pub fn recorded(name: &str, calls: f64) -> Agent {
        let constant = |value| Distribution::constant(value).expect("a finite number");
        let context = Context {
            global: None,
            group: None,
            groups: 1,
            zipf: 0.0,
            session: None,
            message: constant(1.0),
        };
        Agent {
            name: name.to_owned(),
            aliases: Vec::new(),
            title: name.to_owned(),
            runs: constant(1.0),
            gap: None,
            context,
            turns: constant(calls),
            output: constant(1.0),
            thinking: None,
            tools: None,
            children: None,
            compaction: None,
            limits: AgentLimits::default(),
            written: RawAgent { name: name.to_owned(), ..RawAgent::default() },
        }
    }

    /// Whether anything it does is drawn at random.
    pub fn is_random(&self) -> bool {
        let laws = [Some(&self.runs), self.gap.as_ref(), Some(&self.turns), Some(&self.output)];
        let Context { global, group, groups, session, message, .. } = &self.context;
        let context = [global.as_ref(), group.as_ref(), session.as_ref(), Some(message)];
        let drawn = |law: Option<&Distribution>| law.is_some_and(|law| !law.is_constant());
        let chance = |chance: f64| chance > 0.0 && chance < 1.0;
        laws.into_iter().chain(context).any(drawn)
            || *groups > 1
            || self.thinking.as_ref().is_some_and(Thinking::is_random)
            || self.tools.as_ref().is_some_and(Tools::is_random)
            || self.children.as_ref().is_some_and(|children| {
                chance(children.probability)
                    || drawn(Some(&children.fan_out))
                    || drawn(Some(&children.summary))
            })
            || self.compaction.as_ref().is_some_and(|compaction| {
                drawn(Some(&compaction.keep)) || drawn(Some(&compaction.output))
            })
    }
}

impl Tools {
    fn is_random(&self) -> bool {
        let class = |class: &ToolClass| !class.latency.is_constant() || !class.result.is_constant();
        self.failure > 0.0
            || !self.calls.is_constant()
            || self.classes.len() > 1
            || self.classes.iter().any(class)
    }
}

impl Serialize for Agent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}
