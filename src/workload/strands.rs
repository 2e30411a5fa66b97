//! What recorded prompts say: their block ids turned into strands.
//!
//! Ids of prefix blocks make a tree: what follows the same blocks is the same
//! text. The child of a block that was met first goes on with its strand, every
//! other starts a strand of its own, named by its node. A prompt is then the
//! few places where it leaves one strand for another, and two prompts hold the
//! same tokens exactly as far as their ids agree (and both go). A token that no
//! id covers, and all of the answer, is the call's own: a recording does not
//! say who repeats an answer, so answers are never hit.

use std::collections::{HashMap, HashSet};

/// No node: the parent of first blocks.
const ROOT: u32 = u32::MAX;

/// A prompt enters a strand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The strand, a number below [`Strands::nodes`].
    pub strand: u32,
    /// The first of its blocks in the prompt.
    pub block: u32,
}

/// The prompts of a recording; see the module text.
#[derive(Clone, Debug, Default)]
pub struct Strands {
    forks: Vec<Fork>,
    /// Where the forks of each prompt end, and its blocks that prompts before
    /// it had.
    prompts: Vec<(u32, u32)>,
    nodes: u32,
    /// Ids that follow two different ones.
    is_contradictory: bool,
}

impl Strands {
    /// Reads the ids of prompts, one prompt after the other.
    pub fn new<'i>(prompts: impl Iterator<Item = &'i [u64]>) -> Self {
        let mut strands = Strands::default();
        let mut known: HashMap<(u32, u64), u32> = HashMap::new();
        // The strand of each node, and whether a child goes on with it.
        let mut nodes: Vec<(u32, bool)> = Vec::new();
        let mut ids: HashSet<u64> = HashSet::new();
        for prompt in prompts {
            let mut at = ROOT;
            let mut last = ROOT;
            let before = nodes.len() as u32;
            let mut repeated = 0;
            for (block, &id) in prompt.iter().enumerate() {
                let next = *known.entry((at, id)).or_insert_with(|| {
                    let node = nodes.len() as u32;
                    let parent = nodes.get_mut(at as usize);
                    let goes_on = parent.filter(|parent| !parent.1).map(|parent| {
                        parent.1 = true;
                        parent.0
                    });
                    nodes.push((goes_on.unwrap_or(node), false));
                    ids.insert(id);
                    node
                });
                repeated += u32::from(next < before);
                let strand = nodes[next as usize].0;
                if strand != last {
                    strands.forks.push(Fork { strand, block: block as u32 });
                }
                (at, last) = (next, strand);
            }
            strands.prompts.push((strands.forks.len() as u32, repeated));
        }
        strands.nodes = nodes.len() as u32;
        strands.is_contradictory = ids.len() < nodes.len();
        strands.forks.shrink_to_fit();
        strands
    }

    /// Blocks that differ; 0 where there are no ids.
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// Whether some id follows two different ones. It then names a block alone,
    /// and is taken for another block behind each.
    pub fn is_contradictory(&self) -> bool {
        self.is_contradictory
    }

    /// The strands of prompt `number` in order; none without ids.
    #[inline]
    pub fn forks(&self, number: usize) -> &[Fork] {
        let end = |number: usize| self.prompts.get(number).map_or(0, |prompt| prompt.0 as usize);
        let start = if number == 0 { 0 } else { end(number - 1) };
        &self.forks[start..end(number)]
    }

    /// Blocks of prompt `number` that prompts before it had.
    pub fn repeated(&self, number: usize) -> u32 {
        self.prompts.get(number).map_or(0, |prompt| prompt.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The strand of each block of a prompt.
    fn spell(strands: &Strands, number: usize, blocks: usize) -> Vec<(u32, u32)> {
        let forks = strands.forks(number);
        let strand = |block| forks.iter().rfind(|fork| fork.block <= block).unwrap().strand;
        (0..blocks as u32).map(|block| (strand(block), block)).collect()
    }

    #[test]
    fn a_prompt_is_the_places_where_it_leaves_others() {
        let prompts: [&[u64]; 5] = [&[1, 2, 3], &[1, 2, 3, 4], &[1, 5], &[], &[1, 2, 6, 3]];
        let strands = Strands::new(prompts.into_iter());
        let forks = |number| {
            let forks = strands.forks(number).iter();
            forks.map(|fork| (fork.strand, fork.block)).collect::<Vec<_>>()
        };
        assert_eq!(forks(0), [(0, 0)]);
        assert_eq!(forks(1), [(0, 0)]);
        assert_eq!(forks(2), [(0, 0), (4, 1)]);
        assert_eq!(forks(3), []);
        assert_eq!(forks(4), [(0, 0), (5, 2)]);
        assert_eq!([0, 1, 2, 3, 4].map(|number| strands.repeated(number)), [0, 3, 1, 0, 2]);
        assert!(strands.is_contradictory() && strands.nodes() == 7);
    }

    proptest! {
        /// Two prompts share the blocks that their strands share.
        #[test]
        fn strands_agree_exactly_as_far_as_ids_do(
            prompts in proptest::collection::vec(proptest::collection::vec(0..3u64, 0..8), 1..12),
        ) {
            let strands = Strands::new(prompts.iter().map(Vec::as_slice));
            let spelled: Vec<_> = prompts.iter().enumerate()
                .map(|(number, ids)| spell(&strands, number, ids.len())).collect();
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
