//! What the agents of a recording do next.

use super::Crew;
use super::actor::{Actor, Base, Place, branch};
use crate::kernel::{Span, Time};
use crate::workload::content::{Author, Content, Strand};
use crate::workload::graph::{Graph, RecordedCall, Started};
use crate::workload::{Ask, Errand, Script};
use std::sync::Arc;

/// A recording as a use case replays it.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What was recorded.
    pub graph: Arc<Graph>,
    /// Who is in it: a member for each kind of thread.
    pub crew: Arc<Crew>,
    /// Which of the pools of the use case serve calls by the model they were recorded
    /// with, in the order of the models of the graph; `None`, and none at the end: as
    /// their kind.
    pub models: Vec<Option<u8>>,
    /// Shares of the sites, of [`Replay::site_of`], in all calls.
    pub shares: Vec<(Option<u8>, f64)>,
    /// When calls come.
    pub timing: Timing,
    /// Factor on recorded pauses and instants.
    pub time_scale: f64,
    /// Longest pause; `None`: as recorded.
    pub pause_max: Option<Span>,
    /// What sessions say after the last of the recording.
    pub repeats: Repeats,
}

/// When the calls of a replayed session come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Timing {
    /// A pause after what they wait for has ended.
    ThinkOnly,
    /// The same, but an answer counts as there no earlier than the recorded one
    /// would be, its time multiplied by this.
    ApiScaled(f64),
    /// At their recorded instants, or when what they wait for has ended.
    Recorded,
}

/// What a recorded session says when it is replayed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Another text of the same shape.
    Fresh,
    /// The same.
    Same,
}

/// Writes the sessions of one use case from a recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    use_case: u16,
    replay: Arc<Replay>,
    /// Share of each prompt that counts as found in the cache.
    cache_hit: Option<f64>,
    /// Strands begun so far that no recording names.
    begun: u64,
}

impl Recorded {
    /// The script of the use case at index `at` of the scenario.
    pub fn new(at: u16, replay: &Arc<Replay>, cache_hit: Option<f64>) -> Recorded {
        Recorded { use_case: at, replay: replay.clone(), cache_hit, begun: 0 }
    }

    /// Which of the pools of its use case serves the present call of an actor; `None`:
    /// whichever its user's calls are sent to.
    #[inline]
    pub fn site(&self, actor: &Actor) -> Option<u8> {
        let call = &self.replay.graph.calls_of(actor.place.thread)[self.at(actor) as usize];
        self.replay.site_of(actor.member, call).or(actor.errand.site)
    }

    /// What it replays.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// The number of a session that begins so many others before session 0, none of
    /// which says what one after that says: a large one, about `most`.
    pub fn number_before(&self, most: u64, earlier: u64) -> u64 {
        let sessions = self.replay.graph.sessions();
        let rounds = Script::NAMES_MAX / self.replay.graph.strands.max(1);
        let last = (rounds / 2).max(1).saturating_mul(sessions).min(most / sessions * sessions);
        // More rounds than there are names say the same again.
        last.max(sessions) - 1 - earlier % last.max(sessions)
    }

    /// Moves the actor of a session, before its first run, to call `at` of its thread.
    /// Returns whether that call begins a run, which is then yet to be begun.
    pub fn go_to(&self, actor: &mut Actor, at: u32) -> bool {
        self.begin_run(actor);
        while actor.place.first + actor.turns < at {
            actor.run += 1;
            self.begin_run(actor);
        }
        if at > 0 && actor.place.first + actor.turns == at {
            actor.run += 1;
            return true;
        }
        actor.turn = at - actor.place.first;
        false
    }

    /// Session `number`, before its first run. After the last recorded one comes the
    /// first again.
    pub fn session(&self, number: u64, blank: Content) -> Actor {
        let thread = self.replay.graph.session(number % self.replay.graph.sessions());
        self.actor(thread, 0, number, blank)
    }

    /// The actor of a thread that `parent` starts.
    pub fn child(&self, parent: &Actor, thread: u32, blank: Content) -> Actor {
        let child = self.actor(thread, parent.depth + 1, parent.number, blank);
        Actor { errand: parent.errand, ..child }
    }

    fn actor(&self, thread: u32, depth: u32, number: u64, blank: Content) -> Actor {
        let key = branch(number, u64::from(thread));
        let member = self.replay.graph.kind_of(thread);
        let calls = self.replay.graph.calls_of(thread);
        let ends = calls
            .split_last()
            .map_or(0, |(_, before)| before.iter().filter(|call| call.ends_run).count() as u32);
        Actor {
            use_case: self.use_case,
            member,
            depth,
            errand: Errand::default(),
            number,
            run: 0,
            runs: ends + 1,
            turn: 0,
            turns: 0,
            retries: 0,
            attempt: 0,
            compactions: 0,
            context: 0,
            forked_at: 0,
            base: Base { member, group: 0, tokens: 0 },
            conversation: branch(key, u64::from(self.use_case)) | 1,
            origin: key,
            key,
            own: Strand::NONE,
            content: Some(blank),
            place: Place { thread, first: 0 },
        }
    }

    /// The present run of an actor begins.
    pub fn begin_run(&self, actor: &mut Actor) {
        if actor.run > 0 {
            actor.place.first += actor.turns;
        }
        let left = &self.replay.graph.calls_of(actor.place.thread)[actor.place.first as usize..];
        let ends = left.iter().position(|call| call.ends_run).map(|end| end + 1);
        actor.turns = ends.unwrap_or(left.len()) as u32;
        actor.turn = 0;
        actor.key = branch(actor.origin, u64::from(actor.run));
    }

    /// The call in its thread that an actor makes next, from 0.
    pub fn at(&self, actor: &Actor) -> u32 {
        actor.place.first + actor.turn
    }

    /// What was recorded of it; `None` behind the last.
    pub fn call(&self, actor: &Actor) -> Option<&RecordedCall> {
        self.replay.graph.calls_of(actor.place.thread).get(self.at(actor) as usize)
    }

    /// Tokens of the present prompt that a cache has which never evicts; `keeps_answers`:
    /// and which keeps what was decoded.
    pub fn known(&self, actor: &Actor, keeps_answers: bool) -> u32 {
        let Replay { graph, repeats, .. } = &*self.replay;
        let call = &graph.calls_of(actor.place.thread)[self.at(actor) as usize];
        match repeats {
            // But for the text that no recording names.
            Repeats::Same if actor.number >= graph.sessions() => call.prompt.min(call.covered),
            _ => call.known(keeps_answers),
        }
    }

    /// The first call of the next run.
    pub fn call_after_run(&self, actor: &Actor) -> Option<&RecordedCall> {
        let next = actor.place.first + actor.turns;
        self.replay.graph.calls_of(actor.place.thread).get(next as usize)
    }

    /// What an actor asks for now, and what its call says; `None`: nobody is asked.
    pub fn ask(&mut self, actor: &mut Actor) -> Option<(Ask, Content)> {
        let replay = self.replay.clone();
        let calls = replay.graph.calls_of(actor.place.thread);
        let call = &calls[self.at(actor) as usize];
        if call.prompt == 0 {
            return None;
        }
        actor.context = call.prompt;
        let mut content = actor.content.take().expect("no call carries it");
        self.write(call, actor.number, &mut content);
        let given = self.cache_hit.map(|share| {
            // `as` truncates, so a half more rounds to the nearest.
            ((f64::from(call.prompt) * share + 0.5) as u32).min(call.prompt - 1)
        });
        Some((Ask { given, ..Ask::plain(call.prompt, call.output) }, content))
    }

    /// Writes what a call says: what is recorded, then a text of its own.
    fn write(&mut self, call: &RecordedCall, number: u64, content: &mut Content) {
        let Replay { graph, repeats, .. } = &*self.replay;
        let round = match repeats {
            Repeats::Fresh => {
                number / graph.sessions() % (Script::NAMES_MAX / graph.strands.max(1))
            }
            Repeats::Same => 0,
        };
        let first = round * graph.strands;
        self.begun += 1;
        let own = Strand::new(self.use_case, Author::Agent, self.begun);
        content.start(own);
        for entry in graph.text(call) {
            let strand = first + u64::from(entry.strand);
            content.turn_off(entry.from, Strand::new(self.use_case, Author::Trace, strand));
        }
        if call.covered < u32::MAX {
            content.turn_off(call.covered, own);
        }
    }

    /// A call was answered and gives back its paper.
    pub fn answered(&self, actor: &mut Actor, content: Content) {
        actor.content = Some(content);
    }

    /// What the thread of an actor starts before its first call.
    pub fn starts_first(&self, actor: &Actor) -> &[Started] {
        self.replay.graph.starts_of(actor.place.thread)
    }

    /// What the present call starts once it is answered.
    pub fn starts_after(&self, actor: &Actor) -> &[Started] {
        self.call(actor).map_or(&[], |call| self.replay.graph.starts_after(call))
    }
}

impl Replay {
    /// Which of the pools of the use case serves a call of a thread of this kind; `None`:
    /// whichever its user's calls are sent to.
    pub fn site_of(&self, kind: u16, call: &RecordedCall) -> Option<u8> {
        let model = usize::from(call.model).checked_sub(1);
        let of_model = model.and_then(|model| *self.models.get(model)?);
        of_model.or(self.crew.members[usize::from(kind)].site)
    }

    /// When a call comes that waits for nobody since `now`, in a session for `errand`.
    pub fn comes_for(&self, call: &RecordedCall, now: Time, errand: &Errand) -> Time {
        // On the clock of the session, as it began before the run that long ago.
        let shift = |time: Time| Time::from_ticks(time.ticks() - errand.began.ticks()) + errand.age;
        let comes = self.comes(call, shift(now), Time::ZERO);
        errand.began + comes.since(Time::ZERO + errand.age)
    }

    /// When a call comes that waits for nobody since `now`, in a session that began at
    /// `began`.
    pub fn comes(&self, call: &RecordedCall, now: Time, began: Time) -> Time {
        match self.timing {
            Timing::ThinkOnly | Timing::ApiScaled(_) => now + self.pause(call),
            Timing::Recorded => now.max(began + scaled(call.at, self.time_scale)),
        }
    }

    /// The pause before a call.
    fn pause(&self, call: &RecordedCall) -> Span {
        let pause = scaled(call.pause, self.time_scale);
        self.pause_max.map_or(pause, |most| pause.min(most))
    }

    /// How long an answer is held back after the call.
    pub fn hold(&self, call: &RecordedCall) -> Span {
        match self.timing {
            Timing::ApiScaled(factor) => scaled(call.api, factor),
            Timing::ThinkOnly | Timing::Recorded => Span::ZERO,
        }
    }
}

/// A factor of one must not pass through floating point.
fn scaled(span: Span, factor: f64) -> Span {
    if factor == 1.0 { span } else { Span::from_seconds(span.seconds() * factor) }
}
