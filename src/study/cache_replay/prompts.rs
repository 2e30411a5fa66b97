//! What a replay sees of each request.

use crate::workload::{PrefixTree, Request};

/// Which blocks of a prompt count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// Every id, that of a last block which is not full included.
    #[default]
    AllBlocks,
    /// Full blocks are kept, and so many hit that a token is left to compute.
    FullBlocks,
}

impl Variant {
    /// Both, by name.
    pub const ALL: [Variant; 2] = [Variant::AllBlocks, Variant::FullBlocks];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Variant::AllBlocks => "all-blocks",
            Variant::FullBlocks => "full-blocks",
        }
    }
}

/// A request, as far as a cache is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Prompt {
    /// When, s.
    pub at_s: f64,
    /// The last of its blocks that is kept.
    pub node: u32,
    /// Blocks that are kept.
    pub blocks: u32,
    /// Blocks that can hit.
    pub hits_max: u32,
    /// Tokens.
    pub tokens: u32,
}

/// The requests of a recording under a variant.
#[derive(Clone, Copy, Debug)]
pub struct Prompts<'t> {
    /// Their blocks.
    pub tree: &'t PrefixTree,
    variant: Variant,
}

/// Sums over all requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub requests: u64,
    pub blocks: u64,
    pub tokens: u64,
    /// Blocks of the largest request, and its number from 1.
    pub largest: (u32, u64),
}

impl<'t> Prompts<'t> {
    /// The requests of `tree`.
    pub fn new(tree: &'t PrefixTree, variant: Variant) -> Self {
        Prompts { tree, variant }
    }

    /// All requests in order of time.
    pub fn iter(&self) -> impl Iterator<Item = Prompt> + '_ {
        self.tree.requests.iter().map(|request| self.prompt(request))
    }

    fn prompt(&self, request: &Request) -> Prompt {
        let Request { at_s, node, prompt: tokens } = *request;
        let blocks = self.tree.blocks(node);
        match self.variant {
            Variant::AllBlocks => Prompt { at_s, node, blocks, hits_max: blocks, tokens },
            Variant::FullBlocks => {
                let blocks = blocks.min(tokens / self.tree.block_tokens);
                let hits_max = blocks.min(tokens.saturating_sub(1) / self.tree.block_tokens);
                let node = self.tree.cut(node, blocks);
                Prompt { at_s, node, blocks, hits_max, tokens }
            }
        }
    }

    /// Sums over all of them.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for prompt in self.iter() {
            totals.requests += 1;
            totals.blocks += u64::from(prompt.blocks);
            totals.tokens += u64::from(prompt.tokens);
            if prompt.blocks > totals.largest.0 {
                totals.largest = (prompt.blocks, totals.requests);
            }
        }
        totals
    }

    /// Tokens of the first `blocks` blocks of a prompt.
    pub fn tokens_of(&self, blocks: u32, prompt: &Prompt) -> u64 {
        u64::from(prompt.tokens).min(u64::from(blocks) * u64::from(self.tree.block_tokens))
    }
}
