//! Later turns of a session: whether they carry the whole prompt or only what
//! it grew by.
//!
//! Recordings with session ids come in both kinds, and nothing in a line says
//! which. A turn that starts with a block that its session started with before
//! is whole; a file in which no later turn does (of the first
//! [`UNDECIDED_MAX`]) carries what was added. Turns wait until that is settled,
//! so at most so many and what lies between them are held.
//!
//! A prompt put together from parts has the blocks of all parts in order and
//! the sum of their tokens; answers between them have no ids and are left out.

use super::read::{Builder, Link, Record, shorten};
use crate::random::entity;
use smallvec::SmallVec;
use std::collections::HashMap;

/// What later turns of a session carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// The whole prompt.
    Full,
    /// What was added to the prompt of the turn before.
    Delta,
}

impl Turns {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Turns::Full => "full",
            Turns::Delta => "delta",
        }
    }
}

/// Later turns seen before a file without a whole one counts as one of parts.
const UNDECIDED_MAX: u32 = 1_000;

/// A line that may be a turn of a session.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub line: usize,
    pub record: Record,
    pub session: Option<String>,
    /// Since the turn before, where the line says so.
    pub delay_ticks: Option<i128>,
}

/// Gives turns the prompts that were sent.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    turns: Option<Turns>,
    known: HashMap<String, Session>,
    /// Turns that wait, with their lines as messages show them.
    held: Vec<(Turn, String)>,
    later_turns: u32,
}

#[derive(Debug, Default)]
struct Session {
    /// First blocks of its turns.
    roots: SmallVec<[u64; 2]>,
    started: bool,
    at_ticks: Option<i128>,
    /// The prompt so far, where turns carry parts.
    ids: Vec<u64>,
    tokens: u32,
}

impl Sessions {
    pub fn new(turns: Option<Turns>) -> Self {
        Sessions { turns, ..Sessions::default() }
    }

    /// Takes the next line, which reads `bytes`.
    pub fn add(&mut self, turn: Turn, bytes: &[u8], builder: &mut Builder<'_>) {
        if let (None, Some(name)) = (self.turns, &turn.session) {
            self.look(name, turn.record.prefix_ids.first().copied());
        }
        let must_wait = self.turns.is_none() && (self.later_turns > 0 || !self.held.is_empty());
        if must_wait && self.later_turns < UNDECIDED_MAX {
            return self.held.push((turn, shorten(bytes)));
        }
        if must_wait {
            self.turns = Some(Turns::Delta);
        }
        self.release(builder);
        self.hand_on(turn, bytes, builder);
    }

    /// Hands on what still waits.
    pub fn finish(&mut self, builder: &mut Builder<'_>) {
        if self.turns.is_none() && self.later_turns > 0 {
            self.turns = Some(Turns::Delta);
        }
        self.release(builder);
        builder.tally.turns = self.turns.filter(|_| !self.known.is_empty());
    }

    /// Learns from a turn of session `name` that starts with block `first`.
    fn look(&mut self, name: &str, first: Option<u64>) {
        let is_later = self.known.contains_key(name);
        let session = self.known.entry(name.to_owned()).or_default();
        match first {
            Some(first) if session.roots.contains(&first) => self.turns = Some(Turns::Full),
            Some(first) => {
                session.roots.push(first);
                self.later_turns += u32::from(is_later);
            }
            None => {}
        }
    }

    fn release(&mut self, builder: &mut Builder<'_>) {
        for (turn, shown) in std::mem::take(&mut self.held) {
            self.hand_on(turn, shown.as_bytes(), builder);
        }
    }

    fn hand_on(&mut self, mut turn: Turn, bytes: &[u8], builder: &mut Builder<'_>) {
        let record = match turn.session.take() {
            None => Ok(turn.record),
            Some(name) => {
                turn.record.link = Link::Session(entity(&name));
                let turns = self.turns;
                self.known.entry(name).or_default().whole(turn.record, turn.delay_ticks, turns)
            }
        };
        builder.add(turn.line, bytes, record);
    }
}

impl Session {
    /// The call of a turn.
    fn whole(
        &mut self,
        mut record: Record,
        delay_ticks: Option<i128>,
        turns: Option<Turns>,
    ) -> Result<Record, String> {
        let after = || Some(self.at_ticks? + delay_ticks?);
        record.at_ticks = record.at_ticks.or_else(after);
        if self.started && turns == Some(Turns::Delta) {
            let total = self.tokens.checked_add(record.prompt);
            record.prompt = total.ok_or("makes a prompt of more than 2^32 tokens")?;
            self.ids.append(&mut record.prefix_ids);
            record.prefix_ids.clone_from(&self.ids);
        } else if turns != Some(Turns::Full) {
            self.ids.clone_from(&record.prefix_ids);
        }
        self.started = true;
        self.tokens = record.prompt;
        self.at_ticks = record.at_ticks.or(self.at_ticks);
        Ok(record)
    }
}
