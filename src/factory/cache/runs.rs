//! Runs of KV blocks: a radix tree with one edge a run.
//!
//! A run is a stretch of blocks of one strand whose history is the same: the
//! same users, idle since the same instant. A strand's runs form a list by
//! position. Every run knows the run it continues (of its own strand, or of the
//! strand that its strand turned off from) and how many resident runs continue
//! it, so that a fork always lies between runs.

use crate::workload::Strand;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Index, IndexMut};

pub const NONE: u32 = u32::MAX;

/// Blocks `start..end` of a strand, counted from the start of its sequences.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub strand: Strand,
    pub start: u32,
    pub end: u32,
    /// Sequences that use it.
    pub users: u32,
    /// Resident runs that continue it.
    pub children: u32,
    /// The run it continues.
    pub parent: u32,
    /// Neighbors in the strand, by position.
    pub before: u32,
    pub behind: u32,
    /// Neighbors in the order of eviction, while idle.
    pub older: u32,
    pub newer: u32,
}

impl Run {
    pub fn blocks(&self) -> u32 {
        self.end - self.start
    }
}

/// All runs of a store.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    runs: Vec<Run>,
    free: Vec<u32>,
    /// First run of each strand. Never iterated but for sums.
    heads: HashMap<Strand, u32, BuildHasherDefault<StrandHasher>>,
}

impl Runs {
    /// First run of `strand`.
    #[inline]
    pub fn head(&self, strand: Strand) -> u32 {
        self.heads.get(&strand).copied().unwrap_or(NONE)
    }

    /// Run `at`, unless it is none, or in use, or continued.
    pub fn idle_end(&self, at: u32) -> Option<&Run> {
        let is_end = |run: &&Run| run.users == 0 && run.children == 0;
        (at != NONE).then(|| &self[at]).filter(is_end)
    }

    /// Number of runs.
    pub fn len(&self) -> usize {
        self.runs.len() - self.free.len()
    }

    /// All runs, in no order that may be relied on.
    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.blocks() > 0)
    }

    /// Adds a run behind `before`, a run of its strand or `NONE`.
    pub fn insert(&mut self, mut run: Run) -> u32 {
        run.behind = match run.before {
            NONE => self.head(run.strand),
            before => self[before].behind,
        };
        let at = self.place(run);
        self.link(at);
        if run.parent != NONE {
            self[run.parent].children += 1;
        }
        at
    }

    /// Adds `blocks` idle blocks that have no name, those of `strand`: nobody will
    /// look for them.
    pub fn insert_nameless(&mut self, strand: Strand, blocks: u32) -> u32 {
        self.place(Run {
            strand,
            start: 0,
            end: blocks,
            users: 0,
            children: 0,
            parent: NONE,
            before: NONE,
            behind: NONE,
            older: NONE,
            newer: NONE,
        })
    }

    fn place(&mut self, run: Run) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.runs[at as usize] = run;
                at
            }
            None => {
                self.runs.push(run);
                (self.runs.len() - 1) as u32
            }
        }
    }

    /// Run `at` is no more.
    fn vacate(&mut self, at: u32) {
        // No blocks: that is how free places are told from runs.
        self[at].end = self[at].start;
        self.free.push(at);
    }

    /// Makes the neighbors of `at` point to it.
    fn link(&mut self, at: u32) {
        let Run { strand, before, behind, .. } = self[at];
        match before {
            NONE => {
                self.heads.insert(strand, at);
            }
            before => self[before].behind = at,
        }
        if behind != NONE {
            self[behind].before = at;
        }
    }

    /// Takes out a run that nothing continues.
    pub fn remove(&mut self, at: u32) {
        let run = self[at];
        debug_assert!(run.children == 0, "a run is removed from under another");
        match (run.before, run.behind) {
            (NONE, NONE) if run.strand.is_nameless() => {}
            (NONE, NONE) => {
                self.heads.remove(&run.strand);
            }
            (NONE, behind) => {
                self.heads.insert(run.strand, behind);
            }
            (before, behind) => self[before].behind = behind,
        }
        if run.behind != NONE {
            self[run.behind].before = run.before;
        }
        if run.parent != NONE {
            self[run.parent].children -= 1;
        }
        self.vacate(at);
    }

    /// Cuts run `at` before block `cut`, which lies inside of it: it keeps what
    /// comes after, and with it everything that continues it. Returns the new
    /// run before the cut.
    pub fn split(&mut self, at: u32, cut: u32) -> u32 {
        let rest = self[at];
        debug_assert!(rest.start < cut && cut < rest.end);
        let head = self.insert(Run { end: cut, children: 0, ..rest });
        // `insert` has counted the new run with the parent, in place of this one.
        if rest.parent != NONE {
            self[rest.parent].children -= 1;
        }
        self[head].behind = at;
        self[head].children = 1;
        let run = &mut self[at];
        (run.start, run.parent, run.before) = (cut, head, head);
        head
    }

    /// [`Runs::split`] for a run that neither continues another nor is continued.
    pub fn split_apart(&mut self, at: u32, cut: u32) -> u32 {
        let head = self.split(at, cut);
        self[head].children = 0;
        self[at].parent = NONE;
        head
    }

    /// Takes `head` into `at`, the only run that continues it.
    pub fn merge(&mut self, head: u32, at: u32) {
        let first = self[head];
        debug_assert!(first.children == 1 && first.behind == at && first.end == self[at].start);
        let run = &mut self[at];
        (run.start, run.parent, run.before) = (first.start, first.parent, first.before);
        self.link(at);
        self.vacate(head);
    }
}

impl Index<u32> for Runs {
    type Output = Run;
    #[inline]
    fn index(&self, at: u32) -> &Run {
        &self.runs[at as usize]
    }
}

impl IndexMut<u32> for Runs {
    #[inline]
    fn index_mut(&mut self, at: u32) -> &mut Run {
        &mut self.runs[at as usize]
    }
}

/// Strand names are small structured numbers: one multiplication spreads them.
#[derive(Clone, Debug, Default)]
pub struct StrandHasher(u64);

impl Hasher for StrandHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a strand is one number");
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
