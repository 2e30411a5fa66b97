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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// The calls of the session so far: the site of who has one of its own, what was
    /// asked, tokens in the cache.
    made: Vec<(Option<u8>, Ask, u32)>,
    /// Seconds of the present run at which the agent of the session is stopped before
    /// its next call; whether it was.
    stop_s: f64,
    is_stopped: bool,
    /// When it was answered last, in seconds of its run.
    answered_s: f64,
}

/// The agent of a session, about to make a call.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The agent; its present run is yet to be begun if the call is the first of it.
    pub actor: Actor,
    /// When, in seconds after the session began.
    pub at_s: f64,
    /// Tokens of its prompt that a cache has which never evicts.
    pub known: u32,
    /// Seconds since its last answer.
    pub idle_s: f64,
    /// Seconds since the run began; `None`: the call is the first of it.
    pub run_s: Option<f64>,
}

impl Dry {
    /// Sessions of `script` at this pace.
    pub fn new(script: Script, pace: Pace) -> Dry {
        let plan = Plan::default();
        let made = Vec::new();
        let (keeps_answers, has_free_compactions) = (Vec::new(), false);
        let (stop_s, is_stopped, answered_s) = (f64::INFINITY, false, 0.0);
        Dry {
            script,
            pace,
            plan,
            keeps_answers,
            has_free_compactions,
            made,
            stop_s,
            is_stopped,
            answered_s,
        }
    }

    /// The script, which has begun all that was walked through.
    pub fn into_script(self) -> Script {
        self.script
    }

    /// Seconds of session `number` from its beginning to its last answer, pauses between
    /// runs included.
    pub fn length_s(&mut self, number: u64) -> f64 {
        let mut length_s = 0.0;
        let _ = self.walk(number, f64::INFINITY, &mut length_s);
        length_s
    }

    /// The agent of session `number` before the first call that it makes `after_s` after
    /// the session began, or later; `None`: it makes none.
    pub fn asks_after(&mut self, number: u64, after_s: f64) -> Option<Asking> {
        self.walk(number, after_s, &mut 0.0)
    }

    /// Walks through a session up to the first call at `after_s` or later, at which its
    /// agent is returned, or to the end, which `now_s` then tells.
    fn walk(&mut self, number: u64, after_s: f64, now_s: &mut f64) -> Option<Asking> {
        self.made.clear();
        let mut totals = DrySession::default();
        let mut actor = self.script.session(number, Content::new(Strand::NONE));
        let mut known = actor.base.tokens;
        let mut idle_s = 0.0;
        while actor.run < actor.runs {
            if *now_s >= after_s {
                return Some(Asking { actor, at_s: *now_s, known, idle_s, run_s: None });
            }
            self.script.begin_run(&mut actor);
            (self.stop_s, self.is_stopped, self.answered_s) = (after_s - *now_s, false, 0.0);
            let run_s = self.run(&mut actor, &mut known, &mut totals).latency_s;
            self.stop_s = f64::INFINITY;
            *now_s += run_s;
            if self.is_stopped {
                let idle_s = run_s - self.answered_s;
                return Some(Asking { actor, at_s: *now_s, known, idle_s, run_s: Some(run_s) });
            }
            actor.run += 1;
            if actor.run < actor.runs {
                // The pause after a run is keyed by that run, which the actor is still in.
                idle_s = self.script.gap(&actor).seconds();
                *now_s += idle_s;
            }
        }
        None
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

    /// Session `number` from start to end, with each call told to `visit`: the site of
    /// its agent, if that has one of its own, what it asks for, and the tokens of its
    /// prompt that the cache has.
    pub fn session_with(
        &mut self,
        number: u64,
        mut visit: impl FnMut(Option<u8>, Ask, u32),
    ) -> DrySession {
        let totals = self.session(number);
        self.made.iter().for_each(|&(site, ask, known)| visit(site, ask, known));
        totals
    }

    /// Session `number` from start to end.
    pub fn session(&mut self, number: u64) -> DrySession {
        self.made.clear();
        let mut totals = DrySession::default();
        let mut actor = self.script.session(number, Content::new(Strand::NONE));
        // What others of its kind have said.
        let mut known = actor.base.tokens;
        while actor.run < actor.runs {
            self.script.begin_run(&mut actor);
            let run = self.run(&mut actor, &mut known, &mut totals);
            totals.runs.push(run);
            actor.run += 1;
        }
        totals
    }

    /// A whole run; `known` prompt tokens are in the cache.
    fn run(&mut self, actor: &mut Actor, known: &mut u32, totals: &mut DrySession) -> DryRun {
        let mut run = DryRun::default();
        // When sub-agents in the background end.
        let mut background_s = 0.0f64;
        loop {
            if actor.is_in_last_turn() {
                run.latency_s = run.latency_s.max(background_s);
            }
            if actor.depth == 0 && run.latency_s >= self.stop_s {
                self.is_stopped = true;
                return run;
            }
            let (next, content) = self.script.next(actor);
            match next {
                Next::Compaction(ask) => {
                    totals.compactions += 1;
                    if self.has_free_compactions {
                        *known = self.script.global_tokens(actor);
                    } else {
                        run.latency_s += self.call(actor, ask, known, totals);
                        totals.summary_tokens += u64::from(ask.output);
                        *known = actor.base.tokens;
                    }
                    self.script.compacted(actor, content);
                    continue;
                }
                Next::Turn(ask) => {
                    run.latency_s += self.call(actor, ask, known, totals);
                    if actor.depth == 0 {
                        self.answered_s = run.latency_s;
                    }
                    totals.output_tokens += u64::from(ask.output);
                    totals.thinking_tokens += u64::from(ask.thinking);
                    self.script.answered(actor, ask, content, &mut self.plan);
                }
            }
            if actor.is_in_last_turn() {
                totals.turns += 1;
                return run;
            }
            run.failed = self.results(actor, &mut run, &mut background_s, totals);
            if run.failed {
                return run;
            }
        }
    }

    /// Tools and sub-agents of a turn. Returns whether the run has failed.
    fn results(
        &mut self,
        actor: &mut Actor,
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
        let (waited_s, summaries) = self.children(actor, *run, background_s, totals);
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
        so_far: DryRun,
        background_s: &mut f64,
        totals: &mut DrySession,
    ) -> (f64, u32) {
        let count = self.plan.children;
        if count == 0 {
            return (0.0, 0);
        }
        let mut times = Vec::new();
        let mut tokens = 0u32;
        for index in 0..count {
            let mut child = self.script.child(actor, index, Content::new(Strand::NONE));
            let spec = self.script.agent(actor).children.as_ref().expect("it has some");
            // A parent's last answer is not computed yet when it is repeated.
            let mut known = match spec.start {
                Start::Spawn => child.base.tokens,
                Start::Fork => actor.context,
            };
            totals.children += 1;
            times.push(self.run(&mut child, &mut known, totals).latency_s);
            tokens = tokens.saturating_add(self.script.summary(actor, &child));
        }
        let spec = self.script.agent(actor).children.as_ref().expect("it has some");
        let (join, order) = (spec.join, spec.order);
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

    /// A model call. Returns its seconds.
    fn call(&mut self, actor: &Actor, ask: Ask, known: &mut u32, totals: &mut DrySession) -> f64 {
        let site = self.script.site(actor);
        self.made.push((site, ask, *known));
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
