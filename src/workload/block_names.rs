//! Names for the blocks of prompts, so that other programs can tell what
//! prompts share.
//!
//! A strand and a position name one prefix, so a block is named by the strand
//! of its last token and by where it ends. Blocks that others may repeat keep
//! their number; the others, of one call or one session, take a new number
//! each. Memory goes by the shared blocks that differ.

use super::content::{Author, Content, Strand};
use std::collections::HashMap;

/// Numbers blocks in the order in which they come up, from 0.
#[derive(Clone, Debug)]
pub struct BlockNames {
    block_tokens: u32,
    next: u64,
    /// Numbers of shared blocks by strand and end; only ever looked up.
    shared: HashMap<(Strand, u32), u64>,
}

impl BlockNames {
    /// Names of blocks of so many tokens, at least one.
    pub fn new(block_tokens: u32) -> Self {
        assert!(block_tokens > 0, "a block without tokens");
        BlockNames { block_tokens, next: 0, shared: HashMap::new() }
    }

    /// Puts the names of all blocks of a prompt in `ids`, the last perhaps not
    /// full. A call that says nothing others may say has no `content`. `full`
    /// holds the names of the full blocks that its session has sent before, and
    /// takes those that it sends now.
    pub fn name(
        &mut self,
        content: Option<&Content>,
        prompt: u32,
        full: &mut Vec<u64>,
        ids: &mut Vec<u64>,
    ) {
        let whole = (prompt / self.block_tokens) as usize;
        full.truncate(whole);
        while full.len() < whole {
            let end = (full.len() as u32 + 1) * self.block_tokens;
            full.push(self.number(content, end));
        }
        ids.clone_from(full);
        if !prompt.is_multiple_of(self.block_tokens) {
            ids.push(self.number(content, prompt));
        }
    }

    /// The number of the block whose last token is the one before `end`.
    fn number(&mut self, content: Option<&Content>, end: u32) -> u64 {
        let stretches = content.map_or(&[][..], Content::stretches);
        let strand = stretches.iter().find(|stretch| end <= stretch.until).map(|s| s.strand);
        let is_shared =
            |strand: &Strand| strand.is_by(Author::Group) || strand.is_by(Author::Trace);
        let new = self.next;
        let number = match strand.filter(is_shared) {
            Some(strand) => *self.shared.entry((strand, end)).or_insert(new),
            None => new,
        };
        self.next += u64::from(number == new);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strand(author: Author, number: u64) -> Strand {
        Strand::new(0, author, number)
    }

    /// Behind 150 shared tokens, a block of 100 is shared and the next is not.
    #[test]
    fn shared_blocks_keep_their_names() {
        let mut names = BlockNames::new(100);
        let mut of = |call: u64, prompt: u32| {
            let mut content = Content::new(strand(Author::Group, 0));
            content.turn_off(150, strand(Author::Call, call));
            let (mut full, mut ids) = (Vec::new(), Vec::new());
            names.name(Some(&content), prompt, &mut full, &mut ids);
            ids
        };
        assert_eq!(of(0, 250), [0, 1, 2]);
        assert_eq!(of(1, 300), [0, 3, 4]);
        // A block that is not full is another one.
        assert_eq!(of(2, 60), [5]);
        assert_eq!(of(3, 60), [5]);
        assert_eq!(of(4, 100), [0]);
    }

    #[test]
    fn a_session_goes_on_with_the_full_blocks_of_the_turn_before() {
        let mut names = BlockNames::new(100);
        let content = Content::new(strand(Author::Session, 7));
        let (mut full, mut ids) = (Vec::new(), Vec::new());
        names.name(Some(&content), 250, &mut full, &mut ids);
        assert_eq!(ids, [0, 1, 2]);
        names.name(Some(&content), 420, &mut full, &mut ids);
        assert_eq!(ids, [0, 1, 3, 4, 5]);
        names.name(None, 50, &mut Vec::new(), &mut ids);
        assert_eq!(ids, [6]);
    }
}
