//! Sessions of agents without a factory: an infinite cache, and a formula for
//! the time of a call.
//!
//! A prompt hits all that an earlier prompt of its agent, the parent that it was
//! forked from, or others of its kind have said. Answers count as computed when
//! a later prompt repeats them, or when they are decoded on a pool that keeps
//! them. This is what forecasts and capacity estimates take for the demand of a
//! session.

use super::{Actor, Next, Plan, Script};
use crate::catalog::{ChildOrder, Join, Start, ToolOrder};
use crate::workload::Ask;
use crate::workload::content::{Content, Strand};

/// Seconds of a model call: a start, prompt tokens that are not in the cache,
/// output tokens.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Seconds before anything else.
    pub first_s: f64,
    /// Seconds for a prompt token that is computed.
    pub prefill_s: f64,
    /// Seconds for an output token.
    pub decode_s: f64,
}

/// What a session came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrySession {
    /// Model calls: turns, compactions and repeated turns, sub-agents included.
    pub calls: u64,
    /// Of these, compactions.
    pub compactions: u64,
    /// Of these, repeated turns.
    pub retries: u64,
    /// Turns that were done.
    pub turns: u64,
    /// Prompt tokens of all calls.
    pub prompt_tokens: u64,
    /// Of these, tokens that had to be computed.
    pub new_tokens: u64,
    /// Output tokens of turns, thinking included.
    pub output_tokens: u64,
    /// Of these, thinking tokens.
    pub thinking_tokens: u64,
    /// Output tokens of compactions.
    pub summary_tokens: u64,
    /// Tool calls.
    pub tools: u64,
    /// Sub-agents.
    pub children: u64,
    /// Time in model calls, each agent's added up, s.
    pub model_s: f64,
    /// Time of waiting for tools, each agent's added up, s.
    pub tool_s: f64,
    /// From its start to the end of its last run, gaps between runs included, s.
    pub length_s: f64,
    /// Its runs.
    pub runs: Vec<DryRun>,
}

/// A run of the agent of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DryRun {
    /// From its start to its last answer, s.
    pub latency_s: f64,
    /// It was given up after too many repeated turns.
    pub failed: bool,
}

/// Walks through sessions; see the module text.
#[derive(Clone, Debug)]
pub struct Dry {
    script: Script,
    pace: Pace,
    plan: Plan,
    /// Sites that keep the KV of answers, but for the last token, which has none yet.
    keeps_answers: Vec<bool>,
    /// Contexts are shortened by nobody, in no time.
    has_free_compactions: bool,
    /// The calls of the session so far.
    made: Vec<DryCall>,
}

/// A call of a session.
#[derive(Clone, Copy, Debug)]
pub struct DryCall {
    /// The site of its agent; `None`: the agent has none of its own.
    pub site: Option<u8>,
    /// What it asks for.
    pub ask: Ask,
    /// Tokens of its prompt that the cache has.
    pub known: u32,
    /// Time since the session began, s.
    pub age_s: f64,
}

impl Dry {
    /// Sessions of `script` at this pace.
    pub fn new(script: Script, pace: Pace) -> Dry {
        let plan = Plan::default();
        let made = Vec::new();
        Dry { script, pace, plan, keeps_answers: Vec::new(), has_free_compactions: false, made }
    }

    /// The same where a compaction is no call and leaves the global segment in the cache.
    #[cfg(test)]
    pub(super) fn with_free_compactions(self) -> Dry {
        Dry { has_free_compactions: true, ..self }
    }

    /// The same where these of the pools of its use case keep the KV of answers.
    pub fn keeping_answers(self, keeps_answers: Vec<bool>) -> Dry {
        Dry { keeps_answers, ..self }
    }

    /// Session `number` from start to end, with each of its calls told to `visit`.
    pub fn session_with(&mut self, number: u64, visit: impl FnMut(&DryCall)) -> DrySession {
        let totals = self.session(number);
        self.made.iter().for_each(visit);
        totals
    }

    /// Session `number` from start to end.
    pub fn session(&mut self, number: u64) -> DrySession {
        self.made.clear();
        let mut totals = DrySession::default();
        let mut actor = self.script.session(number, Content::new(Strand::NONE));
        // What others of its kind have said.
        let mut known = actor.base.tokens;
        let mut age_s = 0.0;
        loop {
            self.script.begin_run(&mut actor);
            let run = self.run(&mut actor, age_s, &mut known, &mut totals);
            totals.runs.push(run);
            age_s += run.latency_s;
            if actor.is_in_last_run() {
                break;
            }
            age_s += self.script.gap(&actor).seconds();
            actor.run += 1;
        }
        totals.length_s = age_s;
        totals
    }

    /// A whole run that begins at this age of the session; `known` prompt tokens are in
    /// the cache.
    fn run(
        &mut self,
        actor: &mut Actor,
        began_s: f64,
        known: &mut u32,
        totals: &mut DrySession,
    ) -> DryRun {
        let mut run = DryRun::default();
        // When sub-agents in the background end.
        let mut background_s = 0.0f64;
        loop {
            if actor.is_in_last_turn() {
                run.latency_s = run.latency_s.max(background_s);
            }
            let (next, content) = self.script.next(actor);
            match next {
                Next::Compaction(ask) => {
                    totals.compactions += 1;
                    if self.has_free_compactions {
                        *known = self.script.global_tokens(actor);
                    } else {
                        let age_s = began_s + run.latency_s;
                        run.latency_s += self.call(actor, ask, age_s, known, totals);
                        totals.summary_tokens += u64::from(ask.output);
                        *known = actor.base.tokens;
                    }
                    self.script.compacted(actor, content);
                    continue;
                }
                Next::Turn(ask) => {
                    let age_s = began_s + run.latency_s;
                    run.latency_s += self.call(actor, ask, age_s, known, totals);
                    totals.output_tokens += u64::from(ask.output);
                    totals.thinking_tokens += u64::from(ask.thinking);
                    self.script.answered(actor, ask, content, &mut self.plan);
                }
            }
            if actor.is_in_last_turn() {
                totals.turns += 1;
                return run;
            }
            run.failed = self.results(actor, began_s, &mut run, &mut background_s, totals);
            if run.failed {
                return run;
            }
        }
    }

    /// Tools and sub-agents of a turn. Returns whether the run has failed.
    fn results(
        &mut self,
        actor: &mut Actor,
        began_s: f64,
        run: &mut DryRun,
        background_s: &mut f64,
        totals: &mut DrySession,
    ) -> bool {
        let agent = self.script.agent(actor);
        let in_sequence =
            agent.tools.as_ref().is_some_and(|tools| tools.order == ToolOrder::Sequence);
        let most = agent.limits.retries;
        let seconds = self.plan.tools.iter().map(|tool| tool.latency.seconds());
        let tools_s = if in_sequence { seconds.sum() } else { seconds.fold(0.0, f64::max) };
        let mut tokens: u32 = self.plan.tools.iter().map(|tool| tool.tokens).sum();
        let failed = self.plan.tools.iter().any(|tool| tool.fails);
        totals.tools += self.plan.tools.len() as u64;
        totals.tool_s += tools_s;
        let (waited_s, summaries) = self.children(actor, began_s, *run, background_s, totals);
        tokens = tokens.saturating_add(summaries);
        run.latency_s += waited_s.max(tools_s);
        self.script.joined(actor, tokens, failed);
        totals.turns += u64::from(!failed);
        totals.retries += u64::from(failed && actor.retries <= most);
        actor.retries > most
    }

    /// The sub-agents of a turn: seconds of waiting for them, and the tokens they report.
    fn children(
        &mut self,
        actor: &mut Actor,
        began_s: f64,
        so_far: DryRun,
        background_s: &mut f64,
        totals: &mut DrySession,
    ) -> (f64, u32) {
        let count = self.plan.children;
        if count == 0 {
            return (0.0, 0);
        }
        let children = self.script.agent(actor).children.as_ref().expect("it has some");
        let (start, join, order) = (children.start, children.join, children.order);
        let mut times: Vec<f64> = Vec::new();
        let mut tokens = 0u32;
        for index in 0..count {
            let mut child = self.script.child(actor, index, Content::new(Strand::NONE));
            // A parent's last answer is not computed yet when it is repeated.
            let mut known = match start {
                Start::Spawn => child.base.tokens,
                Start::Fork => actor.context,
            };
            totals.children += 1;
            let before_s = match order {
                ChildOrder::Sequence => times.iter().sum(),
                ChildOrder::Parallel | ChildOrder::Background => 0.0,
            };
            let age_s = began_s + so_far.latency_s + before_s;
            times.push(self.run(&mut child, age_s, &mut known, totals).latency_s);
            tokens = tokens.saturating_add(self.script.summary(actor, &child));
        }
        times.sort_by(f64::total_cmp);
        let waited_s = match (order, join) {
            (ChildOrder::Sequence, _) => times.iter().sum(),
            (_, Join::AtLeast(enough)) => times[(enough.min(count) - 1) as usize],
            (_, Join::All) => times[(count - 1) as usize],
        };
        if order == ChildOrder::Background {
            *background_s = background_s.max(so_far.latency_s + waited_s);
            return (0.0, tokens);
        }
        (waited_s, tokens)
    }

    /// A model call at this age of the session. Returns its seconds.
    fn call(
        &mut self,
        actor: &Actor,
        ask: Ask,
        age_s: f64,
        known: &mut u32,
        totals: &mut DrySession,
    ) -> f64 {
        let site = self.script.site(actor);
        self.made.push(DryCall { site, ask, known: *known, age_s });
        let new = ask.prompt.saturating_sub(*known);
        // An answer that was parted from its thinking is computed anew.
        let is_kept = self.script.agent(actor).thinking.as_ref().is_some_and(|it| it.is_kept);
        let is_whole = ask.thinking == 0 || is_kept;
        let keeps = self.keeps_answers.get(usize::from(site.unwrap_or(0)));
        let keeps = is_whole && keeps.is_some_and(|&keeps| keeps);
        *known = if keeps { ask.prompt + ask.output - 1 } else { ask.prompt };
        totals.calls += 1;
        totals.prompt_tokens += u64::from(ask.prompt);
        totals.new_tokens += u64::from(new);
        let Pace { first_s, prefill_s, decode_s } = self.pace;
        let seconds = first_s + f64::from(new) * prefill_s + f64::from(ask.output) * decode_s;
        totals.model_s += seconds;
        seconds
    }
}
