//! What a sequence says, as far as a cache can tell.
//!
//! A [`Strand`] is an endless text with a name. A sequence follows one strand
//! up to some token, then another, and so on: a system prompt that all share,
//! then a tenant's instructions, then the session's own words. Two sequences
//! hold the same tokens exactly as far as they follow the same strands, so
//! nobody needs the tokens themselves: a prompt of a million tokens costs a
//! few words, and comparing two costs as many steps as they have stretches.
//!
//! Whoever makes strands keeps one rule: the text before the point where a
//! strand is entered belongs to its name. A strand is always entered after the
//! same tokens, so that a strand and a position name one prefix.
//!
//! Nothing forbids that several sequences decode one strand at the same time.
//! They say the same then, block for block: what one has decoded, another that
//! comes to it shares. Whoever asks again for an answer that may turn out
//! different gives the next attempt a strand of its own.

use smallvec::SmallVec;

/// Name of an endless text; see the module text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strand(u64);

/// Who wrote a strand; keeps the names of different writers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Author {
    /// A call, for itself alone.
    Call = 1,
    /// A session, over all its turns.
    Session = 2,
    /// A prefix shared by a group of sessions or calls.
    Group = 3,
    /// A recording.
    Trace = 4,
    /// A session, once it has dropped what it thought before an answer.
    Answer = 5,
    /// An agent, or agents that share it.
    Agent = 6,
}

/// The bit of a name that no [`Author`] needs.
const WINDOWED: u64 = 1 << 47;

impl Strand {
    /// No strand: a placeholder.
    pub const NONE: Strand = Strand(0);

    /// Strand `number` of its author within a use case; `number` is below 2^44.
    #[inline]
    pub fn new(use_case: u16, author: Author, number: u64) -> Self {
        debug_assert!(number < 1 << 44, "strand {number}");
        Strand(u64::from(use_case) << 48 | (author as u64) << 44 | number)
    }

    /// Whether `author` wrote it.
    #[inline]
    pub fn is_by(self, author: Author) -> bool {
        self.0 >> 44 & 0xf == author as u64
    }

    /// Whether it is no strand.
    #[inline]
    pub fn is_nameless(self) -> bool {
        self.0 & !WINDOWED == 0
    }

    /// Names what windowed layers cache of it, which is kept and dropped apart from
    /// what the others do.
    #[inline]
    pub fn windowed(self) -> Strand {
        Strand(self.0 | WINDOWED)
    }

    /// Whether it names what windowed layers cache.
    #[inline]
    pub fn is_windowed(self) -> bool {
        self.0 & WINDOWED != 0
    }

    /// The name as a number, for hashing.
    #[inline]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Part of a sequence: it follows `strand` up to token `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The strand.
    pub strand: Strand,
    /// Tokens from the start of the sequence to the end of this part.
    pub until: u32,
}

/// Strands that a sequence follows one after the other; the last has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content(SmallVec<[Stretch; 3]>);

impl Content {
    /// Follows one strand from the start.
    pub fn new(strand: Strand) -> Self {
        Content(SmallVec::from_elem(Stretch { strand, until: u32::MAX }, 1))
    }

    /// Forgets everything, and follows one strand from the start.
    pub fn start(&mut self, strand: Strand) {
        self.0.clear();
        self.0.push(Stretch { strand, until: u32::MAX });
    }

    /// Forgets everything, and follows what `other` follows.
    pub fn copy(&mut self, other: &Content) {
        self.0.clear();
        self.0.extend_from_slice(&other.0);
    }

    /// Leaves the last strand after `until` tokens, counted from the start of
    /// the sequence, and follows `strand` from there. A last strand without a
    /// token is left out.
    pub fn turn_off(&mut self, until: u32, strand: Strand) {
        let last = self.0.len() - 1;
        let entered = if last == 0 { 0 } else { self.0[last - 1].until };
        assert!(until >= entered, "turned off at {until} before {entered}");
        if until == entered {
            self.0[last].strand = strand;
        } else {
            self.0[last].until = until;
            self.0.push(Stretch { strand, until: u32::MAX });
        }
    }

    /// Leaves out the last strand: the one before goes on instead.
    pub fn turn_back(&mut self) {
        let left = self.0.len().checked_sub(2).expect("the first strand stays");
        self.0.pop();
        self.0[left].until = u32::MAX;
    }

    /// The parts in order; `until` grows, the last is `u32::MAX`.
    #[inline]
    pub fn stretches(&self) -> &[Stretch] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_turns_off_where_it_is_told() {
        let strand = |number| Strand::new(1, Author::Session, number);
        let mut content = Content::new(strand(1));
        content.turn_off(10, strand(2));
        content.turn_off(10, strand(3));
        content.turn_off(25, strand(4));
        let parts: Vec<_> = content.stretches().iter().map(|s| (s.strand, s.until)).collect();
        assert_eq!(parts, [(strand(1), 10), (strand(3), 25), (strand(4), u32::MAX)]);
    }

    #[test]
    fn authors_and_use_cases_do_not_share_names() {
        assert_ne!(Strand::new(1, Author::Call, 7), Strand::new(1, Author::Session, 7));
        assert_ne!(Strand::new(1, Author::Call, 7), Strand::new(2, Author::Call, 7));
    }
}
