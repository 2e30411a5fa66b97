//! What windowed layers cache, in the store and the order of everything else.
//!
//! A windowed layer needs the latest tokens only. So a sequence uses a stretch of its
//! places there that moves on, what slides out falls idle long before the sequence
//! ends, and a later sequence can go on from any place before which a whole window is
//! there, whatever has become of the places before that. Their runs lie beside those
//! of full attention under [`Strand::windowed`] names: they continue nothing, may
//! have holes between them, and are evicted in the same order.

use super::policy::Policy;
use super::runs::{NONE, Run};
use super::store::{Published, Store, pieces};
use crate::workload::{Strand, Stretch};

impl<P: Policy> Store<P> {
    /// The last place, at most `places`, that a sequence can go on from: the `reach`
    /// places before it, or all there are, are here.
    pub fn reached(&self, content: &[Stretch], places: u32, reach: u32) -> u32 {
        if reach == 0 {
            return places;
        }
        // The stretch without a hole that the walk is in.
        let (mut best, mut since, mut end) = (0, 0, 0);
        self.walk(content, 0, places, |from, to, _| {
            if from > end {
                since = from;
            }
            end = to;
            if since == 0 || end - since >= reach {
                best = end;
            }
        });
        best
    }

    /// Blocks of memory of places `from..to` of a sequence that nobody uses.
    pub fn idle_windows(&self, content: &[Stretch], from: u32, to: u32) -> u32 {
        let mut idle = 0;
        self.walk(content, from, to, |from, to, run| {
            idle += if run.users == 0 { to - from } else { 0 };
        });
        idle * self.weight(Strand::NONE.windowed())
    }

    /// Uses places `from..to` of a sequence, and adds those that are not there.
    pub fn share_windows(&mut self, content: &[Stretch], from: u32, to: u32) -> Published {
        let weight = self.weight(Strand::NONE.windowed());
        let (resident, idle) = (self.resident, self.idle);
        for piece in pieces(content, self.block_tokens, to).filter(|piece| piece.end > from) {
            self.share_window(piece.strand.windowed(), piece.start.max(from), piece.end);
        }
        let duplicates = weight * (to - from) - (self.resident - resident);
        Published { duplicates, woken: idle - self.idle }
    }

    /// Ends the use of places `from..to` of a sequence, from the last to the first.
    /// Returns how many blocks of memory nobody uses now.
    pub fn release_windows(&mut self, content: &[Stretch], from: u32, to: u32) -> u32 {
        let before = self.idle;
        let mut path = std::mem::take(&mut self.path);
        for piece in pieces(content, self.block_tokens, to).filter(|piece| piece.end > from) {
            let start = piece.start.max(from);
            let mut at = self.find(piece.strand.windowed(), start);
            debug_assert!(at != NONE && self.runs[at].start <= start, "used, but not there");
            self.cut_before(at, start);
            while at != NONE && self.runs[at].start < piece.end {
                let within = self.cut_behind(at, piece.end);
                path.push(within);
                at = self.runs[within].behind;
            }
        }
        for at in path.drain(..).rev() {
            match self.runs[at].users {
                1 => self.rest(at),
                _ => self.runs[at].users -= 1,
            }
        }
        self.path = path;
        self.idle - before
    }

    /// Calls `visit` with what is here of places `from..to` of a sequence, in order.
    fn walk(&self, content: &[Stretch], from: u32, to: u32, mut visit: impl FnMut(u32, u32, &Run)) {
        for piece in pieces(content, self.block_tokens, to).filter(|piece| piece.end > from) {
            let start = piece.start.max(from);
            let mut at = self.find(piece.strand.windowed(), start);
            while at != NONE && self.runs[at].start < piece.end {
                let run = &self.runs[at];
                visit(run.start.max(start), run.end.min(piece.end), run);
                at = run.behind;
            }
        }
    }

    /// One more user for places `place..to` of a strand.
    fn share_window(&mut self, strand: Strand, mut place: u32, to: u32) {
        let mut before = NONE;
        let mut at = self.runs.head(strand);
        while at != NONE && self.runs[at].end <= place {
            (before, at) = (at, self.runs[at].behind);
        }
        while place < to {
            if at != NONE && self.runs[at].start <= place {
                self.cut_before(at, place);
                before = self.cut_behind(at, to);
                self.join(before);
                at = self.runs[before].behind;
            } else {
                let end = if at == NONE { to } else { self.runs[at].start.min(to) };
                before = self.add_window(strand, place, end, before);
            }
            place = self.runs[before].end;
        }
    }

    fn add_window(&mut self, strand: Strand, start: u32, end: u32, before: u32) -> u32 {
        self.resident += self.weight(strand) * (end - start);
        let at = self.runs.insert(Run {
            strand,
            start,
            end,
            users: 1,
            children: 0,
            parent: NONE,
            before,
            behind: NONE,
            older: NONE,
            newer: NONE,
        });
        self.order.add(at);
        at
    }

    /// Cuts run `at`, which reaches beyond `place`, so that it starts there or behind.
    fn cut_before(&mut self, at: u32, place: u32) {
        if self.runs[at].start < place {
            let head = self.runs.split_apart(at, place);
            self.order.split(&mut self.runs, head, at);
        }
    }

    /// Cuts run `at` so that it ends at `place` or before. Returns the part before.
    fn cut_behind(&mut self, at: u32, place: u32) -> u32 {
        if self.runs[at].end <= place {
            return at;
        }
        let head = self.runs.split_apart(at, place);
        self.order.split(&mut self.runs, head, at);
        head
    }
}
