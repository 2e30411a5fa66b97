//! The calls that a replication generates, without a factory that serves them.
//!
//! Instants and lengths are those of the simulation, drawn from the same
//! streams. What depends on answers is not known here: the turns of a session
//! follow each other after the time to think alone, as if answers took no time,
//! and closed loops are left out. Calls come in order of time; what is held are
//! the sessions under way.

use crate::demand::{Past, PastArrival, Process, Source};
use crate::kernel::{Span, Time};
use crate::random::Streams;
use crate::scenario::{AtStart, Regime, Scenario};
use crate::simulation::FIRST_BEFORE_START;
use crate::workload::{Ask, BlockNames, Content, Script, Session, Strand};
use std::collections::BTreeMap;

/// Generates the calls of one replication.
pub struct Generated<'s> {
    scenario: &'s Scenario,
    sources: Vec<(Source, Script)>,
    /// Calls, or sessions, that have begun, by use case.
    issued: Vec<u64>,
    names: BlockNames,
    /// What comes next, by time and then in the order in which it was found.
    due: BTreeMap<(Time, u64), Due>,
    found: u64,
}

/// A call as it was generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratedCall {
    /// When it comes.
    pub at: Time,
    /// Index of its use case.
    pub use_case: usize,
    /// Turn of its session, from 0; 0 without sessions.
    pub turn: u32,
    /// Prompt tokens, all that is repeated included.
    pub prompt: u32,
    /// Output tokens, thinking included.
    pub output: u32,
}

/// What may be due.
enum Due {
    /// The next arrival of a use case.
    Arrival(usize),
    /// The next turn of a session, and the names of the full blocks it has sent.
    Turn(Box<(Session, Vec<u64>)>),
}

impl<'s> Generated<'s> {
    /// Replication number `replication` of `scenario`; blocks of prompts have so
    /// many tokens.
    pub fn new(scenario: &'s Scenario, replication: u64, block_tokens: u32) -> Self {
        let streams = Streams::new(scenario.seed, replication);
        let use_cases = scenario.use_cases.iter().enumerate();
        let source = |(at, use_case)| {
            (Source::new(use_case, streams, Time::ZERO), Script::new(at as u16, use_case, streams))
        };
        let mut generated = Generated {
            scenario,
            sources: use_cases.map(source).collect(),
            issued: vec![0; scenario.use_cases.len()],
            names: BlockNames::new(block_tokens),
            due: BTreeMap::new(),
            found: 0,
        };
        for use_case in 0..scenario.use_cases.len() {
            if scenario.at_start != AtStart::Nobody {
                generated.begin_before(streams, use_case);
            }
            generated.look(Time::ZERO, use_case);
        }
        generated
    }

    /// Puts in the sessions of a use case that are under way at time zero, each at its
    /// next turn.
    fn begin_before(&mut self, streams: Streams, use_case: usize) {
        let spec = &self.scenario.use_cases[use_case];
        if spec.session.is_none() {
            return;
        }
        let pool = &self.scenario.pools[spec.pool];
        let mut under_way = Vec::new();
        let script = &mut self.sources[use_case].1;
        Past::new(spec, streams, Time::ZERO).while_anybody_lasts(
            |later, PastArrival { age_s, .. }| {
                let mut talk =
                    script.session(FIRST_BEFORE_START + later, Content::new(Strand::NONE));
                let mut at_s = 0.0;
                let mut next = (age_s <= 0.0).then(|| (at_s, talk.clone()));
                while !talk.is_over() {
                    let ask = script.turn(&talk);
                    if !pool.accepts(ask.prompt, ask.output) {
                        break;
                    }
                    let content = talk.content.take();
                    script.answered(&mut talk, ask, content);
                    if talk.is_over() {
                        break;
                    }
                    at_s += script.think(&talk).seconds();
                    if next.is_none() && at_s >= age_s {
                        next = Some((at_s, talk.clone()));
                    }
                }
                under_way.extend(next.map(|(at_s, talk)| (at_s - age_s, talk)));
                Some(at_s)
            },
        );
        let end = self.scenario.duration.filter(|_| self.scenario.regime == Regime::Steady);
        for (at_s, talk) in under_way {
            let at = Time::ZERO + Span::from_seconds(at_s);
            self.expect(at, end, Due::Turn(Box::new((talk, Vec::new()))));
        }
    }

    /// Whether the calls of the use case at this index are known without answers.
    pub fn is_open(&self, use_case: usize) -> bool {
        matches!(self.sources[use_case].0, Source::Open(_)) && !self.has_agents(use_case)
    }

    /// What agents ask for next depends on when they are answered.
    fn has_agents(&self, use_case: usize) -> bool {
        self.scenario.use_cases[use_case].crew().is_some()
    }

    /// The next call, the names of whose blocks are put in `ids`.
    pub fn next(&mut self, ids: &mut Vec<u64>) -> Option<GeneratedCall> {
        let ((at, _), due) = self.due.pop_first()?;
        let use_case = match due {
            Due::Turn(session) => return Some(self.turn(at, session, ids)),
            Due::Arrival(use_case) => use_case,
        };
        let number = self.issued[use_case];
        self.issued[use_case] += 1;
        let script = &mut self.sources[use_case].1;
        let blank = || Content::new(Strand::NONE);
        let call = if script.has_sessions() {
            let session = script.session(number, blank());
            self.turn(at, Box::new((session, Vec::new())), ids)
        } else {
            let (ask, content) = script.call(number, blank);
            self.names.name(content.as_ref(), ask.prompt, &mut Vec::new(), ids);
            call(at, use_case, 0, ask)
        };
        self.look(at, use_case);
        Some(call)
    }

    /// A turn of a session, after which the next one is due.
    fn turn(
        &mut self,
        at: Time,
        mut session: Box<(Session, Vec<u64>)>,
        ids: &mut Vec<u64>,
    ) -> GeneratedCall {
        let (talk, full) = &mut *session;
        let use_case = usize::from(talk.use_case);
        let script = &mut self.sources[use_case].1;
        let ask = script.turn(talk);
        let turn = talk.turn;
        let content = talk.content.take();
        self.names.name(content.as_ref(), ask.prompt, full, ids);
        script.answered(talk, ask, content);
        // A prompt that its pool refuses ends a session, as when it is served.
        let pool = &self.scenario.pools[self.scenario.use_cases[use_case].pool];
        if !talk.is_over() && pool.accepts(ask.prompt, ask.output) {
            let next = at + script.think(talk);
            // An episode goes on until its last session is over.
            let end = self.scenario.duration.filter(|_| self.scenario.regime == Regime::Steady);
            self.expect(next, end, Due::Turn(session));
        }
        call(at, use_case, turn, ask)
    }

    /// Finds the next arrival of a use case.
    fn look(&mut self, now: Time, use_case: usize) {
        if self.has_agents(use_case) {
            return;
        }
        let Source::Open(process) = &mut self.sources[use_case].0 else { return };
        if let Some(next) = Process::next(process, now) {
            self.expect(next, self.scenario.duration, Due::Arrival(use_case));
        }
    }

    fn expect(&mut self, at: Time, end: Option<Span>, due: Due) {
        if end.is_none_or(|end| at < Time::ZERO + end) {
            self.due.insert((at, self.found), due);
            self.found += 1;
        }
    }
}

fn call(at: Time, use_case: usize, turn: u32, ask: Ask) -> GeneratedCall {
    GeneratedCall { at, use_case, turn, prompt: ask.prompt, output: ask.output }
}
