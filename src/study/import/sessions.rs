//! Sessions of a recording: turns, what each adds, the time between them, and
//! what all prompts begin with.
//!
//! A call belongs to a session by an id, by the chat that it answers, or because
//! its prompt begins with the full blocks of an earlier prompt. Sessions are followed
//! while there is room; then every other one is dropped and no longer followed,
//! again and again (by a hash of its name). What is known of sessions is kept apart for
//! each share of them that may remain, half of all, a quarter and so on, from the
//! beginning: so what is told in the end is of one fair sample throughout, and memory
//! does not grow.

use super::clock::Clock;
use super::lengths::LengthCounts;
use crate::kernel::TICKS_PER_SECOND;
use crate::random::mix;
use crate::workload::{Link, Record};
use std::collections::HashMap;

/// Sessions that are followed at once, and names of chats or prompts that they
/// may go on from.
const OPEN_MAX: usize = 20_000;
const NAMES_MAX: usize = 8 * OPEN_MAX;
/// Shares of sessions that may be followed: half of all and so on, down to one in a
/// billion.
const LEVELS: usize = 31;
/// Share of prompts that has to begin alike for a prefix of all, and its most blocks.
const SHARED: f64 = 0.6;
const PREFIX_MAX: usize = 64;
const TICKS_PER_MS: i128 = TICKS_PER_SECOND as i128 / 1_000;

/// What a call is to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its first turn.
    Start,
    /// A later one.
    Later,
    /// Its session is not followed, or it has none.
    Unknown,
}

/// Sessions as they pass.
#[derive(Debug, Default)]
pub struct Sessions {
    /// Blocks that all prompts begin with.
    pub shared: usize,
    /// Tokens of a block.
    pub block_tokens: u32,
    /// Sessions are followed whose hash ends with so many bits of 0.
    level: usize,
    talks: HashMap<u64, Talk>,
    /// Sessions by the chats that go on, and by the last full block of a prompt.
    names: HashMap<u64, u64>,
    unnamed: u64,
    /// What is known of sessions whose hash ends with so many bits of 0 and more.
    samples: Vec<Sample>,
}

/// What is known of a sample of the sessions.
#[derive(Debug)]
pub struct Sample {
    /// Calls, and those that are later turns.
    pub calls: u64,
    /// See `calls`.
    pub later: u64,
    /// Later turns whose prompt is shorter than the one before and its answer.
    pub clipped: u64,
    /// Turns of sessions that ended within the recording by starting anew.
    ended: LengthCounts,
    /// Tokens of first prompts behind what all share, and of what later ones add.
    pub opening: LengthCounts,
    /// See `opening`.
    pub fresh: LengthCounts,
    /// Time from one turn to the next, ms.
    pub think_ms: LengthCounts,
    /// When sessions begin.
    pub starts: Clock,
}

impl Sample {
    fn new(tick: Option<u64>) -> Sample {
        let counts = LengthCounts::default;
        Sample {
            calls: 0,
            later: 0,
            clipped: 0,
            ended: counts(),
            opening: counts(),
            fresh: counts(),
            think_ms: counts(),
            starts: Clock::new(tick, 0),
        }
    }
}

/// What a call adds to what is known.
#[derive(Clone, Copy)]
struct Turn {
    /// Turns of the session that it ends by beginning anew.
    ended: Option<u32>,
    /// Tokens of its prompt that are new.
    tokens: u32,
    is_later: bool,
    is_clipped: bool,
    think_ms: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Talk {
    root: u64,
    turns: u32,
    at: Option<i128>,
    prompt: u32,
    output: u32,
}

impl Sessions {
    /// Sessions of prompts of which all begin with `shared` blocks, recorded by a
    /// clock with this tick.
    pub fn new(shared: usize, block_tokens: u32, tick: Option<u64>) -> Sessions {
        let samples = (0..LEVELS).map(|_| Sample::new(tick)).collect();
        Sessions { shared, block_tokens, samples, ..Sessions::default() }
    }

    /// Whether all sessions are followed.
    pub fn are_all(&self) -> bool {
        self.level == 0
    }

    /// What is known of those that are followed.
    pub fn sample(&self) -> &Sample {
        &self.samples[self.level]
    }

    /// No further call comes; `whole` has all of them.
    pub fn finish(&mut self, whole: &Clock) {
        self.samples[self.level].starts.finish_with(whole);
    }

    fn is_followed(&self, root: u64) -> bool {
        mix(root).trailing_zeros() as usize >= self.level
    }

    /// Tokens that all prompts begin with.
    pub fn shared_tokens(&self) -> u32 {
        self.shared as u32 * self.block_tokens
    }

    /// A call.
    pub fn see(&mut self, record: &Record) -> Part {
        let Some((root, known)) = self.find(record) else { return Part::Unknown };
        if !self.is_followed(root) {
            return Part::Unknown;
        }
        let key = known.unwrap_or_else(|| {
            self.unnamed += 1;
            mix(root ^ mix(self.unnamed))
        });
        let turn = self.turn(key, root, record);
        let most = (mix(root).trailing_zeros() as usize).min(LEVELS - 1);
        for sample in &mut self.samples[self.level..=most] {
            sample.add(turn, record);
        }
        self.name(key, record);
        if self.talks.len() > OPEN_MAX || self.names.len() > NAMES_MAX {
            self.drop_half();
        }
        if turn.is_later { Part::Later } else { Part::Start }
    }

    /// The name that decides whether a call's session is followed, and its key where
    /// that is known.
    fn find(&self, record: &Record) -> Option<(u64, Option<u64>)> {
        match record.link {
            Link::Session(id) => Some((id, Some(id))),
            Link::Chat { own, parent: None } => Some((own, Some(own))),
            Link::Chat { own, parent: Some(parent) } => match self.names.get(&parent) {
                Some(key) => Some((self.talks.get(key)?.root, Some(*key))),
                // Its session began before the recording, or is not followed.
                None => self.are_all().then_some((own, Some(own))),
            },
            Link::None => {
                let full = self.full(record);
                let root = *record.prefix_ids.get(self.shared.min(full.checked_sub(1)?))?;
                let ends = record.prefix_ids[..full].iter().skip(self.shared).rev();
                let known = ends.filter_map(|id| self.names.get(id)).next();
                Some((root, known.copied()))
            }
        }
    }

    /// Full blocks of a prompt.
    fn full(&self, record: &Record) -> usize {
        let full = record.prompt.checked_div(self.block_tokens).unwrap_or(0) as usize;
        full.min(record.prefix_ids.len())
    }

    fn turn(&mut self, key: u64, root: u64, record: &Record) -> Turn {
        let (at, prompt, output) = (record.at_ticks, record.prompt.max(1), record.output.max(1));
        let now = Talk { root, turns: 1, at, prompt, output };
        let before = match self.talks.get_mut(&key) {
            // One that has less to say than before began anew.
            Some(talk) if prompt >= talk.prompt => talk,
            other => {
                let ended = other.map(|ended| ended.turns);
                self.talks.insert(key, now);
                let tokens = prompt.saturating_sub(self.shared_tokens()).max(1);
                return Turn { ended, tokens, is_later: false, is_clipped: false, think_ms: None };
            }
        };
        let context = before.prompt.saturating_add(before.output);
        let since = at.zip(before.at).map(|(at, then)| (at - then) / TICKS_PER_MS);
        let think_ms = since.map(|ms| ms.clamp(1, i128::from(u32::MAX / 4)) as u32);
        *before = Talk { turns: before.turns + 1, root: before.root, ..now };
        Turn {
            ended: None,
            tokens: prompt.saturating_sub(context).max(1),
            is_later: true,
            is_clipped: prompt <= context,
            think_ms,
        }
    }

    /// Remembers what may go on from a call.
    fn name(&mut self, key: u64, record: &Record) {
        match record.link {
            Link::Chat { own, .. } => _ = self.names.insert(own, key),
            Link::None => {
                let full = self.full(record);
                if full > self.shared {
                    self.names.insert(record.prefix_ids[full - 1], key);
                }
            }
            Link::Session(_) => {}
        }
    }

    /// Follows half as many sessions from now on.
    fn drop_half(&mut self) {
        assert!(self.level + 1 < LEVELS, "more sessions at once than there are numbers for");
        self.samples[self.level] = Sample::new(None);
        self.level += 1;
        let level = self.level;
        self.talks.retain(|_, talk| mix(talk.root).trailing_zeros() as usize >= level);
        let talks = &self.talks;
        self.names.retain(|_, key| talks.contains_key(key));
    }

    /// Turns of the sessions that are followed.
    pub fn turns(&self) -> LengthCounts {
        let mut turns = self.sample().ended.clone();
        self.talks.values().for_each(|talk| turns.add(talk.turns, 1));
        turns
    }
}

impl Sample {
    fn add(&mut self, turn: Turn, record: &Record) {
        self.calls += 1;
        if let Some(turns) = turn.ended {
            self.ended.add(turns, 1);
        }
        if turn.is_later {
            self.later += 1;
            self.clipped += u64::from(turn.is_clipped);
            self.fresh.add(turn.tokens, 1);
        } else {
            self.opening.add(turn.tokens, 1);
            if let Some(at) = record.at_ticks {
                // One that is far too late was refused already.
                let _ = self.starts.call(at);
            }
        }
        if let Some(ms) = turn.think_ms {
            self.think_ms.add(ms, 1);
        }
    }
}

/// Counts what prompts begin with, of some of them.
#[derive(Clone, Debug, Default)]
pub struct Beginnings {
    prompts: Vec<Vec<u64>>,
    sessions: HashMap<u64, ()>,
}

impl Beginnings {
    /// A prompt; of a session the first alone. Ids that are known within a scope
    /// alone tell nothing of others.
    pub fn see(&mut self, record: &Record) {
        if let Link::Session(id) = record.link
            && self.sessions.insert(id, ()).is_some()
        {
            return;
        }
        if record.scope == 0 && !record.prefix_ids.is_empty() && self.prompts.len() < OPEN_MAX {
            let kept = record.prefix_ids.len().min(PREFIX_MAX);
            self.prompts.push(record.prefix_ids[..kept].to_vec());
        }
    }

    /// How many blocks most prompts begin with, and the share that does.
    pub fn shared(&self) -> (usize, f64) {
        let all = self.prompts.len() as f64;
        let mut alike: Vec<&Vec<u64>> = self.prompts.iter().collect();
        let mut share = 0.0;
        if alike.len() < 10 {
            return (0, 0.0);
        }
        for depth in 0..PREFIX_MAX {
            let mut counts: HashMap<u64, usize> = HashMap::new();
            alike.iter().filter_map(|ids| ids.get(depth)).for_each(|id| {
                *counts.entry(*id).or_default() += 1;
            });
            // More than half of all: there can be no other.
            let most = counts.into_iter().find(|(_, n)| *n as f64 >= SHARED * all);
            let Some((id, n)) = most else { return (depth, share) };
            share = n as f64 / all;
            alike.retain(|ids| ids.get(depth) == Some(&id));
        }
        (PREFIX_MAX, share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u32 = 16;

    fn call(link: Link, at_s: i128, prompt: u32, output: u32, ids: &[u64]) -> Record {
        let at_ticks = Some(at_s * i128::from(TICKS_PER_SECOND));
        Record { at_ticks, prompt, output, prefix_ids: ids.to_vec(), scope: 0, link }
    }

    /// Two turns of 20 tokens, 7 answered, 40 asked, in all three ways.
    #[test]
    fn sessions_are_found_by_ids_by_chats_and_by_prompts() {
        let chat = |own, parent| Link::Chat { own, parent };
        let ways = [
            [Link::Session(5), Link::Session(5), Link::Session(6)],
            [chat(1, None), chat(2, Some(1)), chat(3, None)],
            [Link::None; 3],
        ];
        for [first, second, other] in ways {
            let mut sessions = Sessions::new(1, BLOCK, None);
            // The first block is everyone's.
            assert_eq!(sessions.see(&call(first, 0, 40, 7, &[0, 1, 2])), Part::Start);
            assert_eq!(sessions.see(&call(other, 1, 50, 9, &[0, 7, 8, 9])), Part::Start);
            assert_eq!(sessions.see(&call(second, 4, 87, 5, &[0, 1, 3, 4, 5, 6])), Part::Later);
            let sample = sessions.sample();
            assert_eq!((sample.calls, sample.later, sample.clipped), (3, 1, 0));
            assert_eq!(sample.fresh.table().quantile(0.5), 40.0);
            assert_eq!(sample.think_ms.table().quantile(0.5), 4_000.0);
            assert_eq!(sample.opening.table().quantile(0.1), f64::from(40 - BLOCK));
            let turns = sessions.turns().table();
            assert_eq!((turns.n, turns.mean), (2.0, 1.5));
        }
    }

    #[test]
    fn a_session_whose_prompt_shrinks_begins_anew() {
        let mut sessions = Sessions::new(0, BLOCK, None);
        for (prompt, part) in [(100, Part::Start), (150, Part::Later), (90, Part::Start)] {
            assert_eq!(sessions.see(&call(Link::Session(1), 0, prompt, 10, &[])), part);
        }
        assert_eq!(sessions.turns().table().n, 2.0);
    }

    #[test]
    fn a_fair_sample_is_followed_where_there_is_no_room() {
        let mut sessions = Sessions::new(0, BLOCK, None);
        let mut starts = 0;
        for turn in 0..3 {
            for id in 0..100_000 {
                // Sessions take one, two or three turns.
                if id % 3 >= turn {
                    let prompt = 100 * (turn as u32 + 1);
                    let record = call(Link::Session(mix(id)), turn.into(), prompt, 1, &[]);
                    starts += u32::from(sessions.see(&record) == Part::Start);
                }
            }
        }
        assert!(!sessions.are_all() && sessions.talks.len() <= OPEN_MAX && starts > 20_000);
        let turns = sessions.turns().table();
        assert!((turns.mean - 2.0).abs() < 0.03, "{}", turns.mean);
        // What is told is of those sessions alone, whenever they began.
        let sample = sessions.sample();
        assert_eq!(sample.opening.table().n, turns.n);
        assert_eq!(sample.calls as f64, (turns.n * turns.mean).round());
        assert!(sessions.names.len() <= NAMES_MAX);
    }

    #[test]
    fn what_most_prompts_begin_with_is_shared() {
        let mut beginnings = Beginnings::default();
        for id in 0..100 {
            let ids = if id % 10 == 0 { vec![9, id] } else { vec![1, 2, 100 + id] };
            beginnings.see(&call(Link::None, 0, 100, 1, &ids));
        }
        assert_eq!(beginnings.shared(), (2, 0.9));
        assert_eq!(Beginnings::default().shared(), (0, 0.0));
    }
}
