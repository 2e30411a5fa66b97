//! Groups of layers that share one pool of KV blocks.
//!
//! Layers of full attention keep the KV of all tokens, windowed ones only that of
//! the latest. So that one pool serves both, layers of one kind are put into groups
//! of equal size, and a block holds `block_tokens` tokens of the layers of *one*
//! group: all blocks have the same size, and whatever group needs one takes it.
//! This is the hybrid KV cache manager of vLLM (docs/design/hybrid_kv_cache_manager,
//! `kv_cache_utils.py`): the group size is the number of layers of the rarer kind, or
//! of the more frequent one where that is less than 1.5 times as many; the last group
//! of a kind is padded.
//!
//! A *place* is what `block_tokens` tokens of a sequence take: a block in each group.
//! A sequence holds all places in its groups of full attention, and in a windowed
//! group those that the window of its next token reaches; what slides out is free
//! for others at once, or stays in the prefix cache until its turn to be evicted.

use crate::catalog::Model;
use serde::Serialize;

/// How the layers of a model are put into groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KvGroups {
    /// Layers of a group, padding included.
    pub layers: u32,
    /// Groups of full attention.
    pub full: u32,
    /// Groups of windowed layers.
    pub windowed: u32,
    /// Tokens that a windowed layer sees, the query's own included; 0 where there is
    /// none.
    pub window: u32,
}

impl KvGroups {
    /// One group of full attention.
    pub const PLAIN: KvGroups = KvGroups { layers: 0, full: 1, windowed: 0, window: 0 };

    /// The groups of `model`.
    pub fn of(model: &Model) -> Self {
        let layers = model.layers;
        let Some(window) = model.window().filter(|window| window.layers > 0) else {
            return KvGroups { layers, ..KvGroups::PLAIN };
        };
        let (full, windowed) = (layers - window.layers, window.layers);
        if full == 0 {
            return KvGroups { layers, full: 0, windowed: 1, window: window.tokens };
        }
        let (few, many) = (full.min(windowed), full.max(windowed));
        let size = if 2 * many < 3 * few { many } else { few };
        KvGroups {
            layers: size,
            full: full.div_ceil(size),
            windowed: windowed.div_ceil(size),
            window: window.tokens,
        }
    }

    /// All groups.
    pub fn all(&self) -> u32 {
        self.full + self.windowed
    }

    /// Layers that are only padding.
    pub fn padding(&self, model: &Model) -> u32 {
        self.all() * self.layers - model.layers
    }
}

/// Blocks that sequences need in all groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockNeeds {
    /// Tokens of a place.
    pub block_tokens: u32,
    /// Groups of full attention.
    pub full: u32,
    /// Groups of windowed layers.
    pub windowed: u32,
    /// Places before the one of the next token that its window reaches.
    pub reach: u32,
    /// Most places that a sequence holds in a windowed group: those of the window
    /// and of a whole step's prompt tokens.
    pub most: u32,
}

impl BlockNeeds {
    /// Needs of sequences in `groups` where a step computes at most `step_tokens`
    /// tokens of a prompt.
    pub fn new(groups: KvGroups, block_tokens: u32, step_tokens: u32) -> Self {
        let KvGroups { full, windowed, window, .. } = groups;
        if windowed == 0 {
            let never = u32::MAX;
            return BlockNeeds { block_tokens, full, windowed, reach: never, most: never };
        }
        // Longer than any sequence is long enough.
        let reach = (window.min(1 << 30) - 1).div_ceil(block_tokens);
        let most = reach.saturating_add(step_tokens.div_ceil(block_tokens)).saturating_add(1);
        BlockNeeds { block_tokens, full, windowed, reach, most }
    }

    /// Places of `tokens` tokens.
    #[inline]
    pub fn places(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.block_tokens)
    }

    /// Places that have slid out of the window when `tokens` tokens are computed.
    #[inline]
    pub fn slid(&self, tokens: u32) -> u32 {
        (tokens / self.block_tokens).saturating_sub(self.reach)
    }

    /// Blocks of one place in all groups.
    #[inline]
    pub fn of_place(&self) -> u32 {
        self.full + self.windowed
    }

    /// Blocks of a sequence of `places` places of which `slid` have slid out of the
    /// window.
    #[inline]
    pub fn blocks(&self, places: u32, slid: u32) -> u32 {
        self.full * places + self.windowed * (places - slid)
    }

    /// Blocks of a sequence that decodes with KV of `tokens` tokens, at most.
    pub fn decoding(&self, tokens: u32) -> u64 {
        self.at_most(tokens, self.reach.saturating_add(1))
    }

    /// Most blocks that a sequence of `tokens` tokens takes, while it is computed.
    pub fn peak(&self, tokens: u32) -> u64 {
        self.at_most(tokens, self.most)
    }

    fn at_most(&self, tokens: u32, windowed: u32) -> u64 {
        let places = self.places(tokens);
        u64::from(self.full) * u64::from(places)
            + u64::from(self.windowed) * u64::from(places.min(windowed))
    }

    /// Tokens of the longest sequence that `blocks` blocks serve alone, at most `limit`.
    pub fn longest(&self, blocks: u32, limit: u32) -> u32 {
        let fits = |tokens: u32| self.peak(tokens) <= u64::from(blocks);
        if fits(limit) {
            return limit;
        }
        let (mut enough, mut short) = (0, limit);
        while short - enough > 1 {
            let middle = enough + (short - enough) / 2;
            if fits(middle) { enough = middle } else { short = middle }
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Attention, Catalog, Window};

    /// `layers` layers, `windowed` of them with a window of `tokens`.
    fn groups(layers: u32, windowed: u32, tokens: u32) -> KvGroups {
        let mut model = (*Catalog::embedded().model("gpt-oss-120b").unwrap()).clone();
        model.layers = layers;
        if let Attention::Grouped { window, .. } = &mut model.attention {
            *window = (tokens > 0).then_some(Window { tokens, layers: windowed });
        }
        KvGroups::of(&model)
    }

    #[test]
    fn layers_are_grouped_by_the_rarer_kind() {
        let of = |layers, windowed| {
            let KvGroups { layers, full, windowed, .. } = groups(layers, windowed, 128);
            (layers, full, windowed)
        };
        assert_eq!(of(36, 18), (18, 1, 1), "gpt-oss");
        assert_eq!(of(62, 52), (10, 1, 6), "Gemma 3 27B: the last group has 2 layers of 10");
        assert_eq!(of(48, 36), (12, 1, 3), "Llama 4");
        assert_eq!(of(25, 12), (13, 1, 1), "12 and 13: padded, not split");
        assert_eq!(of(25, 10), (10, 2, 1), "15 is 1.5 times 10: split");
        assert_eq!(of(40, 10), (10, 3, 1), "mostly full attention");
        assert_eq!(of(32, 32), (32, 0, 1), "windows everywhere");
        assert_eq!(groups(36, 0, 0), KvGroups { layers: 36, ..KvGroups::PLAIN });
    }

    #[test]
    fn blocks_of_sequences_by_hand() {
        // Gemma 3 27B: a window of 1,024 reaches 64 blocks before the next token's.
        let gemma = BlockNeeds::new(groups(62, 52, 1024), 16, 8192);
        assert_eq!((gemma.reach, gemma.most), (64, 64 + 512 + 1));
        assert_eq!(gemma.decoding(1_000), 7 * 63);
        assert_eq!(gemma.decoding(100_000), 6_250 + 6 * 65);
        assert_eq!(gemma.peak(100_000), 6_250 + 6 * 577);
        assert_eq!([1_023, 1_024, 1_039, 1_040].map(|tokens| gemma.slid(tokens)), [0, 0, 0, 1]);
        // gpt-oss: one group of each kind, windows of 128.
        let oss = BlockNeeds::new(groups(36, 18, 128), 16, 2048);
        assert_eq!((oss.decoding(100), oss.decoding(10_000)), (14, 625 + 9));
        // A window of one token and of 100, in blocks of 16.
        assert_eq!(BlockNeeds::new(groups(36, 18, 1), 16, 16).reach, 0);
        assert_eq!(BlockNeeds::new(groups(36, 18, 100), 16, 16).reach, 7);
        // Windows everywhere hold a bounded number, none all.
        let all = BlockNeeds::new(groups(32, 32, 4096), 16, 2048);
        assert_eq!((all.decoding(1_000_000), all.peak(1_000_000)), (257, 256 + 128 + 1));
        assert_eq!(all.longest(385, 1_000_000), 1_000_000);
        assert_eq!(all.longest(300, 1_000_000), 300 * 16);
        let none = BlockNeeds::new(groups(36, 0, 0), 16, 2048);
        assert_eq!((none.decoding(1_000), none.peak(1_000), none.slid(1_000)), (63, 63, 0));
        assert_eq!(none.longest(100, 1_000_000), 1_600);
    }
}
