//! The least of many keys that change one at a time, and those near it.
//!
//! A tournament: each node holds the place whose key is the lesser of its two
//! halves, so a change replays one match a level, the least key is at the root,
//! and a search leaves out every subtree whose least key is too large.

use smallvec::SmallVec;

/// Keys by place, with a tournament over them.
#[derive(Clone, Debug)]
pub struct MinTree<K> {
    keys: Vec<K>,
    /// Winners; node 1 is the root, the halves of node n are 2n and 2n + 1, the
    /// leaves are the upper half. `NOBODY` where there is no place.
    winners: Vec<u32>,
}

const NOBODY: u32 = u32::MAX;
const ROOT: u32 = 1;

impl<K: Ord + Copy> MinTree<K> {
    /// A tree of these keys, of which there is at least one.
    pub fn new(keys: Vec<K>) -> Self {
        let leaves = keys.len().next_power_of_two();
        let mut winners = vec![NOBODY; 2 * leaves];
        (0..keys.len()).for_each(|at| winners[leaves + at] = at as u32);
        let mut tree = MinTree { keys, winners };
        (1..leaves).rev().for_each(|node| tree.play(node));
        tree
    }

    #[inline]
    pub fn key(&self, at: u32) -> K {
        self.keys[at as usize]
    }

    /// Changes a key, in as many steps as the tree has levels.
    #[inline]
    pub fn set(&mut self, at: u32, key: K) {
        self.keys[at as usize] = key;
        let mut node = (self.leaves() + at as usize) / 2;
        while node >= 1 {
            self.play(node);
            node /= 2;
        }
    }

    /// The first place from `from` on whose key is below `bound`.
    pub fn first_below(&self, from: u32, bound: K) -> Option<u32> {
        let is_below = |node: usize| {
            let winner = self.winners[node];
            winner != NOBODY && self.keys[winner as usize] < bound
        };
        // Up and to the right until a subtree has one, then down to its first.
        let mut node = self.leaves() + from as usize;
        while !is_below(node) {
            while node % 2 == 1 {
                node /= 2;
                if node <= 1 {
                    return None;
                }
            }
            node += 1;
        }
        while node < self.leaves() {
            node = if is_below(2 * node) { 2 * node } else { 2 * node + 1 };
        }
        Some((node - self.leaves()) as u32)
    }

    /// A search from the least key on.
    pub fn search(&self) -> Search<'_, K> {
        Search { tree: self, nodes: SmallVec::from_slice(&[ROOT]) }
    }

    #[inline]
    fn play(&mut self, node: usize) {
        let (left, right) = (self.winners[2 * node], self.winners[2 * node + 1]);
        // Places fill from the left: whoever has no opponent there is on the left.
        let is_left = right == NOBODY || self.keys[left as usize] <= self.keys[right as usize];
        self.winners[node] = if is_left { left } else { right };
    }

    fn leaves(&self) -> usize {
        self.winners.len() / 2
    }
}

/// Places in depth-first order, the half with the lesser key first.
pub struct Search<'t, K> {
    tree: &'t MinTree<K>,
    nodes: SmallVec<[u32; 32]>,
}

impl<K: Ord + Copy> Search<'_, K> {
    /// The next place, past all subtrees whose least key is not `promising`;
    /// what is not promising makes no greater key promising.
    pub fn next(&mut self, promising: impl Fn(K) -> bool) -> Option<u32> {
        let leaves = self.tree.leaves() as u32;
        while let Some(node) = self.nodes.pop() {
            let winner = self.tree.winners[node as usize];
            if winner == NOBODY || !promising(self.tree.key(winner)) {
                continue;
            }
            if node >= leaves {
                return Some(winner);
            }
            let (left, right) = (2 * node, 2 * node + 1);
            let left_first = self.tree.winners[left as usize] == winner;
            let order = if left_first { [right, left] } else { [left, right] };
            self.nodes.extend_from_slice(&order);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(
            keys in proptest::collection::vec(0..9u32, 1..40),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..9u32), 0..60),
            bound in 0..10u32,
        ) {
            let mut keys = keys;
            let mut tree = MinTree::new(keys.clone());
            for (at, key) in changes {
                let at = at.index(keys.len());
                keys[at] = key;
                tree.set(at as u32, key);
                let below = |at: &usize| keys[*at] < bound;
                for from in 0..keys.len() {
                    let first = (from..keys.len()).find(below).map(|at| at as u32);
                    prop_assert_eq!(tree.first_below(from as u32, bound), first);
                }
                let mut search = tree.search();
                let mut found = Vec::new();
                while let Some(at) = search.next(|key| key < bound) {
                    found.push(at as usize);
                }
                prop_assert!(found.first().is_none_or(|&at| keys[at] == *keys.iter().min().unwrap()));
                found.sort();
                prop_assert_eq!(found, (0..keys.len()).filter(below).collect::<Vec<_>>());
            }
        }
    }
}
