//! The prompts of a recording as paths in a tree of blocks.
//!
//! An id names a block with everything before it, so it has one parent, and the
//! last block of a prompt says all of it. A request is then its last node and a
//! few numbers, however long the prompt: reading peaks at about 100 bytes for
//! each block that differs, of which 8 stay, and takes 16 bytes a request.
//!
//! Nodes are numbered as they are met, so the next block of a prompt is nearly
//! always the next node: reading looks there before it asks the hash map.

use super::Format;
use super::read::{BadLine, ReadOptions, Record, Sink, Tally, read_calls};
use super::read_trace::TICKS_MAX;
use crate::error::Mistake;
use crate::kernel::TICKS_PER_SECOND;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::BufRead;

/// No node: the parent of first blocks, the last block of an empty prompt.
pub const NO_NODE: u32 = u32::MAX;

/// What the ids of a recording name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdsName {
    /// A block with everything before it: the same id always follows the same.
    #[default]
    Prefixes,
    /// A block alone: behind another prefix, the same id is another block.
    Blocks,
}

/// A request: when it came and what it asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// When, in seconds of the recording's own time.
    pub at_s: f64,
    /// Last block of the prompt, or [`NO_NODE`].
    pub node: u32,
    /// Prompt tokens.
    pub prompt: u32,
}

/// A recording's blocks and requests; see the module text.
#[derive(Clone, Debug, Default)]
pub struct PrefixTree {
    /// The block before each, or [`NO_NODE`]; always a smaller number.
    pub parent: Vec<u32>,
    /// Blocks from the start of the prompt up to and with each.
    pub depth: Vec<u32>,
    /// In order of time, those of one instant in the order of the file.
    pub requests: Vec<Request>,
    /// Tokens of a block.
    pub block_tokens: u32,
    /// What the recording says of itself.
    pub tally: Tally,
    /// Requests that the file has behind a later one.
    pub unsorted: u64,
    /// Requests without ids.
    pub without_ids: u64,
    /// Requests with fewer ids than full blocks in their prompt (and some).
    pub too_few_ids: u64,
    /// Requests with more ids than blocks, the last one begun, in their prompt.
    pub too_many_ids: u64,
}

impl PrefixTree {
    /// Reads a recording; `file` is its name in messages.
    pub fn read(
        format: Format,
        input: impl BufRead,
        file: &str,
        options: ReadOptions,
        ids_name: IdsName,
    ) -> Result<PrefixTree, Vec<Mistake>> {
        let mut planter = Planter { ids_name, ..Planter::default() };
        let tally = read_calls(format, input, file, options, &mut planter)?;
        Ok(planter.finish(tally))
    }

    /// Blocks of a prompt that ends with `node`.
    #[inline]
    pub fn blocks(&self, node: u32) -> u32 {
        if node == NO_NODE { 0 } else { self.depth[node as usize] }
    }

    /// The first `blocks` blocks of a prompt that ends with `node`, by their last.
    #[inline]
    pub fn cut(&self, mut node: u32, blocks: u32) -> u32 {
        for _ in blocks..self.blocks(node) {
            node = self.parent[node as usize];
        }
        node
    }
}

/// A tree as it grows.
#[derive(Default)]
struct Planter {
    tree: PrefixTree,
    ids_name: IdsName,
    ids: Vec<u64>,
    /// Where each block was met first.
    lines: Vec<u32>,
    index: HashMap<(u32, u64), u32, BuildHasherDefault<IdHasher>>,
    /// Time of the first call of the file.
    first_ticks: i128,
}

impl Sink for Planter {
    fn take(&mut self, line: usize, record: Record) -> Result<(), BadLine> {
        let at_s = self.time(&record)?;
        let known = self.ids.len();
        let mut node = NO_NODE;
        for &id in &record.prefix_ids {
            match self.child(node, id, record.scope, line) {
                Ok(next) => node = next,
                Err(bad) => {
                    self.forget(known, record.scope);
                    return Err(bad);
                }
            }
        }
        self.tree.unsorted += u64::from(at_s < self.last_s().unwrap_or(at_s));
        self.tree.requests.push(Request { at_s, node, prompt: record.prompt });
        Ok(())
    }
}

impl Planter {
    /// When the call before this one came.
    fn last_s(&self) -> Option<f64> {
        self.tree.requests.last().map(|request| request.at_s)
    }

    /// When the call came. One that does not say comes with the one before it.
    fn time(&mut self, record: &Record) -> Result<f64, BadLine> {
        let Some(at_ticks) = record.at_ticks else {
            return Ok(self.last_s().unwrap_or(0.0));
        };
        if self.tree.requests.is_empty() {
            self.first_ticks = at_ticks;
        }
        if (at_ticks - self.first_ticks).abs() > TICKS_MAX {
            return Err(BadLine {
                problem: "is more than ten years from the first call".to_owned(),
                fix: "correct its time, or leave such lines out with --skip-bad-lines",
            });
        }
        Ok(at_ticks as f64 / TICKS_PER_SECOND as f64)
    }

    /// The block `id` behind `node`, which may be new.
    #[inline]
    fn child(&mut self, node: u32, id: u64, scope: u32, line: usize) -> Result<u32, BadLine> {
        let next = node.wrapping_add(1) as usize;
        if node != NO_NODE && self.ids.get(next) == Some(&id) && self.tree.parent[next] == node {
            return Ok(next as u32);
        }
        let new = self.ids.len() as u32;
        match self.index.entry(key(self.ids_name, node, id, scope)) {
            Entry::Occupied(entry) => {
                let found = *entry.get();
                match self.tree.parent[found as usize] == node {
                    true => Ok(found),
                    false => Err(self.contradiction(node, found, line)),
                }
            }
            Entry::Vacant(entry) if new < NO_NODE => {
                entry.insert(new);
                self.ids.push(id);
                self.lines.push(line as u32);
                self.tree.parent.push(node);
                let depth = if node == NO_NODE { 1 } else { self.tree.depth[node as usize] + 1 };
                self.tree.depth.push(depth);
                Ok(new)
            }
            Entry::Vacant(_) => Err(BadLine {
                problem: "brings the trace above four billion different blocks".to_owned(),
                fix: "split the trace",
            }),
        }
    }

    /// Block `found` comes behind `node` here, and behind another elsewhere.
    fn contradiction(&self, node: u32, found: u32, line: usize) -> BadLine {
        let after = |node: u32| match node {
            NO_NODE => "nothing".to_owned(),
            node => self.ids[node as usize].to_string(),
        };
        let met = self.lines[found as usize] as usize;
        let met = if met == line { "before".to_owned() } else { format!("in line {met}") };
        BadLine {
            problem: format!(
                "id {} follows {} here, but {} {met}: ids name prefixes, so each follows one other",
                self.ids[found as usize],
                after(node),
                after(self.tree.parent[found as usize]),
            ),
            fix: "correct the ids, leave such lines out with --skip-bad-lines, or say with \
                  --hash-ids blocks that ids name blocks alone",
        }
    }

    /// Takes back all blocks but the first `known`.
    fn forget(&mut self, known: usize, scope: u32) {
        for node in known..self.ids.len() {
            let parent = self.tree.parent[node];
            self.index.remove(&key(self.ids_name, parent, self.ids[node], scope));
        }
        self.ids.truncate(known);
        self.lines.truncate(known);
        self.tree.parent.truncate(known);
        self.tree.depth.truncate(known);
    }

    fn finish(self, tally: Tally) -> PrefixTree {
        let mut tree = self.tree;
        tree.tally = tally;
        tree.block_tokens = tally.block_tokens;
        let block = tree.block_tokens.max(1);
        for request in &tree.requests {
            let blocks =
                if request.node == NO_NODE { 0 } else { tree.depth[request.node as usize] };
            let (full, begun) = (request.prompt / block, request.prompt.div_ceil(block));
            tree.without_ids += u64::from(blocks == 0 && full > 0);
            tree.too_few_ids += u64::from(0 < blocks && blocks < full);
            tree.too_many_ids += u64::from(blocks > begun);
        }
        if tree.unsorted > 0 {
            tree.requests.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        }
        tree.parent.shrink_to_fit();
        tree.depth.shrink_to_fit();
        tree
    }
}

/// What tells a block from others.
fn key(ids_name: IdsName, node: u32, id: u64, scope: u32) -> (u32, u64) {
    match ids_name {
        IdsName::Prefixes => (scope, id),
        // Below the first blocks of all scopes, which are far fewer than blocks.
        IdsName::Blocks if node == NO_NODE => (NO_NODE - scope, id),
        IdsName::Blocks => (node, id),
    }
}

/// Multiplies and folds; ids are counters or hashes, nobody's attack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers");
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(0xd1b5_4a32_d192_ed03_u64);
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Turns;

    fn read(text: &str, options: ReadOptions, ids_name: IdsName) -> Result<PrefixTree, String> {
        PrefixTree::read(Format::Mooncake, text.as_bytes(), "t.jsonl", options, ids_name)
            .map_err(|mistakes| mistakes.iter().map(|m| format!("{m}\n")).collect())
    }

    fn line(at_ms: u32, prompt: u32, rest: &str) -> String {
        format!("{{\"timestamp\": {at_ms}, \"input_length\": {prompt}, {rest}}}\n")
    }

    /// Depths of all nodes and the last node of each request.
    fn shape(tree: &PrefixTree) -> (Vec<u32>, Vec<u32>) {
        (tree.depth.clone(), tree.requests.iter().map(|request| request.node).collect())
    }

    #[test]
    fn prompts_share_the_blocks_of_their_prefix_and_come_in_order_of_time() {
        let text = line(9, 1500, "\"hash_ids\": [5, 6, 7]")
            + &line(4, 600, "\"hash_ids\": [5, 8]")
            + &line(9, 100, "\"hash_ids\": []");
        let tree = read(&text, ReadOptions::default(), IdsName::Prefixes).unwrap();
        assert_eq!(shape(&tree), (vec![1, 2, 3, 2], vec![3, 2, NO_NODE]));
        assert_eq!((tree.unsorted, tree.without_ids, tree.parent[3]), (1, 0, 0));
        assert_eq!(tree.requests[1].at_s, 0.009);
        assert_eq!((tree.cut(2, 1), tree.cut(2, 0), tree.cut(2, 9)), (0, NO_NODE, 2));
    }

    #[test]
    fn an_id_behind_two_others_is_a_mistake_with_its_line() {
        let text = line(0, 1500, "\"hash_ids\": [5, 6, 7]")
            + &line(1, 1500, "\"hash_ids\": [9, 10, 7]")
            + &line(2, 1024, "\"hash_ids\": [11, 11]")
            + &line(3, 1024, "\"hash_ids\": [6]");
        let error = read(&text, ReadOptions::default(), IdsName::Prefixes).unwrap_err();
        let has = |part: &str| assert!(error.contains(part), "{part}: {error}");
        has("t.jsonl:2: ");
        has("id 7 follows 10 here, but 6 in line 1");
        has("t.jsonl:3: ");
        has("id 11 follows 11 here, but nothing before");
        has("id 6 follows nothing here, but 5 in line 1");
        let skip = ReadOptions { skip_bad_lines: true, ..ReadOptions::default() };
        let tree = read(&text, skip, IdsName::Prefixes).unwrap();
        assert_eq!((tree.tally.skipped_lines, shape(&tree)), (3, (vec![1, 2, 3], vec![2])));
        let tree = read(&text, ReadOptions::default(), IdsName::Blocks).unwrap();
        assert_eq!(shape(&tree), (vec![1, 2, 3, 1, 2, 3, 1, 2, 1], vec![2, 5, 7, 8]));
    }

    #[test]
    fn sessions_of_whole_prompts_and_of_parts_are_told_apart() {
        let turn = |at, prompt, session: &str, ids: &str| {
            line(at, prompt, &format!("\"session_id\": \"{session}\", \"hash_ids\": [{ids}]"))
        };
        let whole = turn(0, 512, "a", "1")
            + &turn(1, 512, "a", "40")
            + &turn(2, 512, "b", "1")
            + &turn(3, 1024, "a", "1, 2");
        let tree = read(&whole, ReadOptions::default(), IdsName::Prefixes).unwrap();
        assert_eq!(tree.tally.turns, Some(Turns::Full));
        assert_eq!(shape(&tree).1, [0, 1, 0, 2]);
        let parts = turn(0, 512, "a", "1")
            + &turn(1, 512, "b", "1")
            + "{\"delay\": 7, \"input_length\": 20, \"session_id\": \"a\", \"hash_ids\": [2]}\n"
            + &turn(3, 512, "a", "3");
        let tree = read(&parts, ReadOptions::default(), IdsName::Prefixes).unwrap();
        assert_eq!(tree.tally.turns, Some(Turns::Delta));
        // The turn after a delay of 7 ms comes last.
        assert_eq!(shape(&tree), (vec![1, 2, 3], vec![0, 0, 2, 1]));
        let prompts: Vec<u32> = tree.requests.iter().map(|request| request.prompt).collect();
        assert_eq!(prompts, [512, 512, 1044, 532]);
        let full = ReadOptions { turns: Some(Turns::Full), ..ReadOptions::default() };
        let tree = read(&parts, full, IdsName::Prefixes).unwrap();
        assert_eq!(shape(&tree).0, [1, 1, 1]);
    }

    #[test]
    fn ids_that_do_not_match_their_prompts_are_counted() {
        let text = line(0, 1500, "\"hash_ids\": [5]")
            + &line(1, 5, "\"hash_ids\": [5, 6]")
            + &line(2, 5_000, "\"output_length\": 1");
        let tree = read(&text, ReadOptions::default(), IdsName::Prefixes).unwrap();
        assert_eq!((tree.too_few_ids, tree.too_many_ids, tree.without_ids), (1, 1, 1));
    }
}
