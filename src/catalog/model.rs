//! A model as the factory sees it: dimensions, checked.

use super::Origin;
use serde::Serialize;

/// A model: the dimensions that its step time and memory follow from.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    /// Name in the catalog.
    pub name: String,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// Transformer layers.
    pub layers: u32,
    /// Width of the hidden state.
    pub hidden: u32,
    /// Tokens in the vocabulary.
    pub vocabulary: u32,
    /// Whether the output projection shares the embedding's weights.
    pub tied_embeddings: bool,
    /// Attention and what it caches.
    pub attention: Attention,
    /// Layers with a plain feed-forward part, if any.
    pub dense: Option<FeedForward>,
    /// Layers with a mixture of experts, if any.
    pub experts: Option<Experts>,
    /// Longest sequence the model accepts, tokens.
    pub max_context_tokens: u32,
    /// Parameters in all.
    pub total_parameters: f64,
    /// Parameters that one token uses.
    pub active_parameters: f64,
    /// Where the dimensions were read.
    pub origin: Origin,
}

/// Attention and what it caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// Keys and values of `kv_heads` heads, each shared by several query heads.
    Grouped {
        /// Query heads.
        heads: u32,
        /// Key and value heads.
        kv_heads: u32,
        /// Width of one head.
        head_dim: u32,
        /// Layers that see only the latest tokens.
        window: Option<Window>,
    },
    /// One compressed latent per token, expanded into keys and values of all heads.
    Latent {
        /// Query heads.
        heads: u32,
        /// Width of the compressed query.
        query_rank: u32,
        /// Width of the cached latent.
        kv_rank: u32,
        /// Width of a key that carries no position.
        nope_dim: u32,
        /// Width of the cached key that carries the position.
        rope_dim: u32,
        /// Width of a value.
        value_dim: u32,
    },
}

/// Layers that see only the latest tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Tokens seen, the query's own included.
    pub tokens: u32,
    /// How many layers are windowed.
    pub layers: u32,
}

/// Layers with a plain (gated) feed-forward part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FeedForward {
    /// How many layers.
    pub layers: u32,
    /// Inner width.
    pub width: u32,
}

/// Layers with a mixture of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Experts {
    /// How many layers.
    pub layers: u32,
    /// Routed experts in a layer.
    pub routed: u32,
    /// Routed experts that one token uses.
    pub active: u32,
    /// Experts that every token uses.
    pub shared: u32,
    /// Inner width of one expert.
    pub width: u32,
}

impl Model {
    /// Query heads.
    pub fn heads(&self) -> u32 {
        match self.attention {
            Attention::Grouped { heads, .. } | Attention::Latent { heads, .. } => heads,
        }
    }

    /// Layers that see only the latest tokens.
    pub fn window(&self) -> Option<Window> {
        match self.attention {
            Attention::Grouped { window, .. } => window,
            Attention::Latent { .. } => None,
        }
    }

    /// Weights of attention in one layer.
    pub fn attention_weights(&self) -> f64 {
        let hidden = f64::from(self.hidden);
        match self.attention {
            Attention::Grouped { heads, kv_heads, head_dim, .. } => {
                hidden * f64::from(head_dim) * (2.0 * f64::from(heads) + 2.0 * f64::from(kv_heads))
            }
            Attention::Latent { heads, query_rank, kv_rank, nope_dim, rope_dim, value_dim } => {
                let [heads, query_rank, kv_rank, nope, rope, value] =
                    [heads, query_rank, kv_rank, nope_dim, rope_dim, value_dim].map(f64::from);
                hidden * (query_rank + kv_rank + rope)
                    + heads
                        * (query_rank * (nope + rope) + kv_rank * (nope + value) + value * hidden)
            }
        }
    }

    /// Weights of one gated feed-forward part of inner width `width`.
    pub fn feed_forward_weights(&self, width: u32) -> f64 {
        3.0 * f64::from(self.hidden) * f64::from(width)
    }

    /// Weights of the embedding, and of the output projection.
    pub fn vocabulary_weights(&self) -> f64 {
        f64::from(self.hidden) * f64::from(self.vocabulary)
    }

    /// Parameters that follow from the dimensions: in all, and used by one token.
    pub fn count_parameters(&self) -> (f64, f64) {
        let mut common = f64::from(self.layers) * self.attention_weights();
        common += self.vocabulary_weights() * if self.tied_embeddings { 1.0 } else { 2.0 };
        if let Some(dense) = self.dense {
            common += f64::from(dense.layers) * self.feed_forward_weights(dense.width);
        }
        let Some(experts) = self.experts else { return (common, common) };
        let layers = f64::from(experts.layers);
        let expert = self.feed_forward_weights(experts.width);
        common += layers * f64::from(experts.shared) * expert;
        common += layers * f64::from(self.hidden) * f64::from(experts.routed);
        let with = |used: u32| common + layers * f64::from(used) * expert;
        (with(experts.routed), with(experts.active))
    }
}
