//! What one GPU of a replica holds and computes: the model cut by parallelism.
//!
//! Step time and memory both start from these counts, so they agree on what is
//! divided and what is replicated:
//! - tensor parallelism divides heads, feed-forward width and vocabulary; key
//!   and value heads stop dividing at one a GPU, and a latent KV cache and the
//!   projections into it are not divided at all;
//! - data-parallel ranks each hold all of that again;
//! - routed experts are divided over all GPUs of the replica.

use super::Parallelism;
use crate::catalog::{Attention, Model};

/// Counts of one GPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shard {
    /// Weights of attention, dense layers and shared experts.
    pub dense_weights: f64,
    /// Weights of the output projection (and of the embedding, the same size).
    pub vocabulary_weights: f64,
    /// Weights of the share of one routed expert that this GPU holds.
    pub expert_weights: f64,
    /// Routed experts of which this GPU holds that share, in one layer.
    pub experts_held: f64,
    /// Elements cached a token in layers of full attention, all such layers.
    pub kv_elements: f64,
    /// Elements cached a token in windowed layers, all such layers.
    pub kv_elements_windowed: f64,
    /// FLOPs of one (query, key) pair in layers of full attention, all such layers.
    pub pair_flops: f64,
    /// FLOPs of one (query, key) pair in windowed layers, all such layers.
    pub pair_flops_windowed: f64,
    /// FLOPs to expand one cached token into keys and values again, all layers.
    pub expand_flops: f64,
}

impl Shard {
    /// The share of `model` that one GPU has.
    pub(super) fn new(model: &Model, parallelism: Parallelism) -> Self {
        let tensor = f64::from(parallelism.tensor);
        let layers = f64::from(model.layers);
        let attention = attention(model, tensor);
        let mut dense_weights = layers * attention.weights;
        if let Some(dense) = model.dense {
            let width = model.feed_forward_weights(dense.width);
            dense_weights += f64::from(dense.layers) * width / tensor;
        }
        let (mut expert_weights, mut experts_held) = (0.0, 0.0);
        if let Some(experts) = model.experts {
            let expert = model.feed_forward_weights(experts.width);
            let shared = f64::from(experts.layers) * f64::from(experts.shared);
            dense_weights += shared * expert / tensor;
            expert_weights = expert / parallelism.expert_tensor();
            experts_held = f64::from(experts.routed) / f64::from(parallelism.expert);
        }
        let windowed = model.window().map_or(0.0, |window| f64::from(window.layers));
        let full = layers - windowed;
        Shard {
            dense_weights,
            vocabulary_weights: model.vocabulary_weights() / tensor,
            expert_weights,
            experts_held,
            kv_elements: full * attention.kv_elements,
            kv_elements_windowed: windowed * attention.kv_elements,
            pair_flops: full * attention.pair_flops,
            pair_flops_windowed: windowed * attention.pair_flops,
            expand_flops: layers * attention.expand_flops,
        }
    }
}

/// Counts of one attention layer on one GPU.
struct AttentionShard {
    weights: f64,
    kv_elements: f64,
    pair_flops: f64,
    expand_flops: f64,
}

fn attention(model: &Model, tensor: f64) -> AttentionShard {
    let hidden = f64::from(model.hidden);
    match model.attention {
        Attention::Grouped { heads, kv_heads, head_dim, .. } => {
            let heads = f64::from(heads) / tensor;
            let kv_heads = (f64::from(kv_heads) / tensor).max(1.0);
            let head_dim = f64::from(head_dim);
            AttentionShard {
                weights: hidden * head_dim * (2.0 * heads + 2.0 * kv_heads),
                kv_elements: 2.0 * kv_heads * head_dim,
                // A multiply and an add for the score, the same for the value.
                pair_flops: 4.0 * heads * head_dim,
                expand_flops: 0.0,
            }
        }
        Attention::Latent { heads, query_rank, kv_rank, nope_dim, rope_dim, value_dim } => {
            let [query_rank, kv_rank, nope, rope, value] =
                [query_rank, kv_rank, nope_dim, rope_dim, value_dim].map(f64::from);
            let heads = f64::from(heads) / tensor;
            let replicated = hidden * (query_rank + kv_rank + rope);
            let divided =
                heads * (query_rank * (nope + rope) + kv_rank * (nope + value) + value * hidden);
            AttentionShard {
                weights: replicated + divided,
                kv_elements: kv_rank + rope,
                pair_flops: 2.0 * heads * (nope + rope + value),
                expand_flops: 2.0 * kv_rank * heads * (nope + value),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn shard(model: &str, tensor: u32, data: u32, expert: u32) -> Shard {
        let model = Catalog::embedded().model(model).unwrap();
        Shard::new(&model, Parallelism { tensor, data, expert })
    }

    #[test]
    fn one_gpu_holds_all_parameters() {
        for model in Catalog::embedded().all_models() {
            let shard = Shard::new(model, Parallelism { tensor: 1, data: 1, expert: 1 });
            let layers = model.experts.map_or(0.0, |experts| f64::from(experts.layers));
            let routers = model.experts.map_or(0.0, |experts| {
                layers * f64::from(experts.routed) * f64::from(model.hidden)
            });
            let held = shard.dense_weights
                + 2.0 * shard.vocabulary_weights
                + layers * shard.experts_held * shard.expert_weights
                + routers;
            let off = (held / model.count_parameters().0 - 1.0).abs();
            assert!(off < 1e-12, "{}", model.name);
        }
    }

    #[test]
    fn tensor_parallelism_divides_all_but_the_latent_and_single_kv_heads() {
        let [one, eight] = [1, 8].map(|tensor| shard("llama-3.1-70b", tensor, 1, 1));
        assert_eq!(eight.dense_weights, one.dense_weights / 8.0);
        assert_eq!(eight.kv_elements, one.kv_elements / 8.0);
        // 4 KV heads over 8 GPUs: one a GPU, held twice.
        let [four, eight] = [4, 8].map(|tensor| shard("qwen3-30b-a3b", tensor, 1, 1));
        assert_eq!(eight.kv_elements, four.kv_elements);
        let [one, eight] = [1, 8].map(|tensor| shard("deepseek-r1", tensor, 1, 1));
        assert_eq!(eight.kv_elements, one.kv_elements);
        assert_eq!(one.kv_elements, 61.0 * 576.0);
        assert!(eight.dense_weights > one.dense_weights / 8.0);
    }

    #[test]
    fn experts_are_divided_over_all_gpus_however_they_are_cut() {
        let held = |tensor, data, expert| {
            let shard = shard("qwen3-30b-a3b", tensor, data, expert);
            shard.experts_held * shard.expert_weights
        };
        let all = held(1, 1, 1);
        assert_eq!(held(8, 1, 1), all / 8.0);
        assert_eq!(held(8, 1, 8), all / 8.0);
        assert_eq!(held(1, 8, 8), all / 8.0);
        assert_eq!(held(2, 4, 4), all / 8.0);
    }
}
