//! What recorded prompts say: their block ids turned into strands.
//!
//! Ids of prefix blocks make a tree: what follows the same blocks is the same
//! text. The child of a block that was met first goes on with its strand, every
//! other starts a strand of its own, named by its node. A prompt is then the
//! few places where it leaves one strand for another, and two prompts hold the
//! same tokens exactly as far as their ids agree (and both go). A token that no
//! id covers, and all of the answer, is the call's own: a recording does not
//! say who repeats an answer, so answers are never hit.

use super::prefix_tree::IdHasher;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

/// No node: the parent of first blocks of the first scope; those of the others
/// lie below.
const ROOT: u32 = u32::MAX;

/// A prompt enters a strand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The strand, a number below the count of nodes.
    pub strand: u32,
    /// The first of its blocks in the prompt.
    pub block: u32,
}

/// An id that follows two different ones. It then names a block alone, and is
/// taken for another block behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The id.
    pub id: u64,
    /// Where it follows another than before.
    pub line: usize,
}

/// Turns the ids of prompts into strands, one prompt after the other; see the
/// module text.
#[derive(Clone, Debug, Default)]
pub struct Weaver {
    /// Nodes by parent and id.
    known: HashMap<(u32, u64), u32, BuildHasherDefault<IdHasher>>,
    nodes: Vec<Node>,
    /// Ids by scope.
    ids: HashSet<(u32, u64), BuildHasherDefault<IdHasher>>,
    contradiction: Option<Contradiction>,
}

/// A block.
#[derive(Clone, Copy, Debug)]
struct Node {
    id: u64,
    parent: u32,
    strand: u32,
    /// Whether a child goes on with its strand.
    goes_on: bool,
}

impl Weaver {
    /// Appends the strands of the next prompt to `forks` and returns how many of
    /// its blocks prompts before it had. Ids are known within `scope`, a number
    /// far below the most nodes; `line` is where the prompt stands.
    pub fn weave(&mut self, scope: u32, prompt: &[u64], line: usize, forks: &mut Vec<Fork>) -> u32 {
        let (mut at, mut last) = (ROOT - scope, ROOT);
        let before = self.nodes.len() as u32;
        let mut repeated = 0;
        for (block, &id) in prompt.iter().enumerate() {
            let next = self.child(at, id, scope, line);
            repeated += u32::from(next < before);
            let strand = self.nodes[next as usize].strand;
            if strand != last {
                forks.push(Fork { strand, block: block as u32 });
            }
            (at, last) = (next, strand);
        }
        repeated
    }

    /// The node of `id` behind `parent`, which may be new. Nodes are numbered as
    /// they are met, so it is nearly always the next one.
    #[inline]
    fn child(&mut self, parent: u32, id: u64, scope: u32, line: usize) -> u32 {
        let next = parent.wrapping_add(1);
        let guess = self.nodes.get(next as usize);
        if guess.is_some_and(|node| node.id == id && node.parent == parent) {
            return next;
        }
        let new = self.nodes.len() as u32;
        match self.known.entry((parent, id)) {
            Entry::Occupied(entry) => return *entry.get(),
            Entry::Vacant(entry) => _ = entry.insert(new),
        }
        let strand = match self.nodes.get_mut(parent as usize) {
            Some(parent) if !parent.goes_on => {
                parent.goes_on = true;
                parent.strand
            }
            _ => new,
        };
        self.nodes.push(Node { id, parent, strand, goes_on: false });
        if !self.ids.insert((scope, id)) {
            self.contradiction.get_or_insert(Contradiction { id, line });
        }
        new
    }

    /// Blocks that differ; 0 where there are no ids.
    pub fn nodes(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// The first contradiction.
    pub fn contradiction(&self) -> Option<Contradiction> {
        self.contradiction
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The forks of each prompt, and its blocks that those before it had.
    fn woven(weaver: &mut Weaver, prompts: &[&[u64]]) -> Vec<(Vec<Fork>, u32)> {
        let weave = |(line, prompt): (usize, &&[u64])| {
            let mut forks = Vec::new();
            let repeated = weaver.weave(0, prompt, line + 1, &mut forks);
            (forks, repeated)
        };
        prompts.iter().enumerate().map(weave).collect()
    }

    /// The strand of each block of a prompt.
    fn spell(forks: &[Fork], blocks: usize) -> Vec<(u32, u32)> {
        let strand = |block| forks.iter().rfind(|fork| fork.block <= block).unwrap().strand;
        (0..blocks as u32).map(|block| (strand(block), block)).collect()
    }

    #[test]
    fn a_prompt_is_the_places_where_it_leaves_others() {
        let prompts: [&[u64]; 5] = [&[1, 2, 3], &[1, 2, 3, 4], &[1, 5], &[], &[1, 2, 6, 3]];
        let mut weaver = Weaver::default();
        let woven = woven(&mut weaver, &prompts);
        let forks = |number: usize| {
            let forks = woven[number].0.iter();
            forks.map(|fork| (fork.strand, fork.block)).collect::<Vec<_>>()
        };
        assert_eq!(forks(0), [(0, 0)]);
        assert_eq!(forks(1), [(0, 0)]);
        assert_eq!(forks(2), [(0, 0), (4, 1)]);
        assert_eq!(forks(3), []);
        assert_eq!(forks(4), [(0, 0), (5, 2)]);
        assert_eq!([0, 1, 2, 3, 4].map(|number: usize| woven[number].1), [0, 3, 1, 0, 2]);
        assert_eq!(weaver.contradiction(), Some(Contradiction { id: 3, line: 5 }));
        assert_eq!(weaver.nodes(), 7);
    }

    #[test]
    fn scopes_know_their_ids_by_themselves() {
        let mut weaver = Weaver::default();
        let mut weave = |scope| {
            let mut forks = Vec::new();
            let repeated = weaver.weave(scope, &[1, 2], 1, &mut forks);
            (forks[0].strand, repeated)
        };
        assert_eq!([1, 2, 1, 0].map(&mut weave), [(0, 0), (2, 0), (0, 2), (4, 0)]);
        assert_eq!(weaver.contradiction(), None);
    }

    proptest! {
        /// Two prompts share the blocks that their strands share.
        #[test]
        fn strands_agree_exactly_as_far_as_ids_do(
            prompts in proptest::collection::vec(proptest::collection::vec(0..3u64, 0..8), 1..12),
        ) {
            let slices: Vec<&[u64]> = prompts.iter().map(Vec::as_slice).collect();
            let woven = woven(&mut Weaver::default(), &slices);
            let spelled: Vec<_> = prompts.iter().zip(&woven)
                .map(|(ids, (forks, _))| spell(forks, ids.len())).collect();
            for (one, said) in prompts.iter().zip(&spelled) {
                for (other, also) in prompts.iter().zip(&spelled) {
                    let ids = one.iter().zip(other).take_while(|(a, b)| a == b).count();
                    let common = said.iter().zip(also).take_while(|(a, b)| a == b).count();
                    prop_assert_eq!(ids, common);
                }
            }
        }
    }
}
