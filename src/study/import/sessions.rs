//! Sessions of a recording: turns, what each adds, the time between them, and
//! what all prompts begin with.
//!
//! A call belongs to a session by an id, by the chat that it answers, or because
//! its prompt begins with the full blocks of an earlier prompt. Sessions are followed
//! while there is room; then every other one is dropped and no longer followed,
//! again and again (by a hash of its name), so that those that remain are a fair
//! sample and memory does not grow.

use super::lengths::LengthCounts;
use crate::kernel::TICKS_PER_SECOND;
use crate::random::mix;
use crate::workload::{Link, Record};
use std::collections::HashMap;

/// Sessions that are followed at once, and names of chats or prompts that they
/// may go on from.
const OPEN_MAX: usize = 20_000;
const NAMES_MAX: usize = 8 * OPEN_MAX;
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
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Blocks that all prompts begin with.
    pub shared: usize,
    /// Tokens of a block.
    pub block_tokens: u32,
    /// Sessions are followed whose hash has no bit of this.
    dropped: u64,
    talks: HashMap<u64, Talk>,
    /// Sessions by the chats that go on, and by the last full block of a prompt.
    names: HashMap<u64, u64>,
    unnamed: u64,
    /// Calls of sessions that are followed, and those that are later turns.
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
    /// Sessions of prompts of which all begin with `shared` blocks.
    pub fn new(shared: usize, block_tokens: u32) -> Sessions {
        Sessions { shared, block_tokens, ..Sessions::default() }
    }

    /// Whether all sessions are followed.
    pub fn are_all(&self) -> bool {
        self.dropped == 0
    }

    /// Tokens that all prompts begin with.
    pub fn shared_tokens(&self) -> u32 {
        self.shared as u32 * self.block_tokens
    }

    /// A call.
    pub fn see(&mut self, record: &Record) -> Part {
        let Some((root, known)) = self.find(record) else { return Part::Unknown };
        if mix(root) & self.dropped != 0 {
            return Part::Unknown;
        }
        self.calls += 1;
        let key = known.unwrap_or_else(|| {
            self.unnamed += 1;
            mix(root ^ mix(self.unnamed))
        });
        let part = self.turn(key, root, record);
        self.name(key, record);
        if self.talks.len() > OPEN_MAX || self.names.len() > NAMES_MAX {
            self.drop_half();
        }
        part
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

    fn turn(&mut self, key: u64, root: u64, record: &Record) -> Part {
        let (at, prompt, output) = (record.at_ticks, record.prompt.max(1), record.output.max(1));
        let now = Talk { root, turns: 1, at, prompt, output };
        let before = match self.talks.get_mut(&key) {
            // One that has less to say than before began anew.
            Some(talk) if prompt >= talk.prompt => talk,
            other => {
                if let Some(ended) = other {
                    self.ended.add(ended.turns, 1);
                }
                self.talks.insert(key, now);
                let shared = self.shared_tokens();
                self.opening.add(prompt.saturating_sub(shared).max(1), 1);
                return Part::Start;
            }
        };
        let context = before.prompt.saturating_add(before.output);
        self.later += 1;
        self.clipped += u64::from(prompt <= context);
        self.fresh.add(prompt.saturating_sub(context).max(1), 1);
        if let (Some(at), Some(then)) = (at, before.at) {
            let ms = ((at - then) / TICKS_PER_MS).clamp(1, i128::from(u32::MAX / 4));
            self.think_ms.add(ms as u32, 1);
        }
        *before = Talk { turns: before.turns + 1, root: before.root, ..now };
        Part::Later
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
        self.dropped = self.dropped << 1 | 1;
        let dropped = self.dropped;
        self.talks.retain(|_, talk| mix(talk.root) & dropped == 0);
        let talks = &self.talks;
        self.names.retain(|_, key| talks.contains_key(key));
    }

    /// Turns of the sessions that are followed.
    pub fn turns(&self) -> LengthCounts {
        let mut turns = self.ended.clone();
        self.talks.values().for_each(|talk| turns.add(talk.turns, 1));
        turns
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
            let mut sessions = Sessions::new(1, BLOCK);
            // The first block is everyone's.
            assert_eq!(sessions.see(&call(first, 0, 40, 7, &[0, 1, 2])), Part::Start);
            assert_eq!(sessions.see(&call(other, 1, 50, 9, &[0, 7, 8, 9])), Part::Start);
            assert_eq!(sessions.see(&call(second, 4, 87, 5, &[0, 1, 3, 4, 5, 6])), Part::Later);
            assert_eq!((sessions.calls, sessions.later, sessions.clipped), (3, 1, 0));
            assert_eq!(sessions.fresh.table().quantile(0.5), 40.0);
            assert_eq!(sessions.think_ms.table().quantile(0.5), 4_000.0);
            assert_eq!(sessions.opening.table().quantile(0.1), f64::from(40 - BLOCK));
            let turns = sessions.turns().table();
            assert_eq!((turns.n, turns.mean), (2.0, 1.5));
        }
    }

    #[test]
    fn a_session_whose_prompt_shrinks_begins_anew() {
        let mut sessions = Sessions::new(0, BLOCK);
        for (prompt, part) in [(100, Part::Start), (150, Part::Later), (90, Part::Start)] {
            assert_eq!(sessions.see(&call(Link::Session(1), 0, prompt, 10, &[])), part);
        }
        assert_eq!(sessions.turns().table().n, 2.0);
    }

    #[test]
    fn a_fair_sample_is_followed_where_there_is_no_room() {
        let mut sessions = Sessions::new(0, BLOCK);
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
