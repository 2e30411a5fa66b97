//! Throughput against interactivity of a pool, in closed form.
//!
//! At a steady concurrency of N sequences a rank, each step decodes N tokens
//! and computes, on average, the prompts of N / output calls. More sequences
//! share the weights' reading and slow each other down: that trade is the
//! curve. It assumes a full, evenly mixed batch and no queueing, so a simulated
//! pool lies on or below it.

use super::series::FrontierPoint;
use crate::factory::{Batch, StepTime};
use crate::scenario::Pool;

/// Points of the curve, one for each concurrency 1, 2, 3, 4, 6, 8, 12, 16, ... that the
/// batch limit and the KV blocks of a rank allow, for calls of these mean lengths.
pub fn frontier(pool: &Pool, prompt: f64, output: f64) -> Vec<FrontierPoint> {
    let held = f64::from(pool.kv.blocks) * f64::from(pool.kv.block_tokens);
    let limit = f64::from(pool.engine.max_num_seqs).min(held / (prompt + output));
    concurrencies(limit.max(1.0) as u64)
        .map(|sequences| {
            let step_s = mean_step_s(pool, sequences, prompt, output);
            let ranks = f64::from(pool.parallelism.data);
            FrontierPoint {
                concurrency: sequences as f64,
                tok_per_s_per_user: 1.0 / step_s,
                output_tok_per_s_per_gpu: sequences as f64 * ranks
                    / step_s
                    / f64::from(pool.parallelism.gpus()),
            }
        })
        .collect()
}

/// 1, 2, 3, 4, 6, 8, 12, ... up to `limit`, and `limit` itself.
fn concurrencies(limit: u64) -> impl Iterator<Item = u64> {
    let steps = (0..).flat_map(|octave: u32| [2u64 << octave, 3u64 << octave]);
    std::iter::once(1).chain(steps).take_while(move |&n| n < limit).chain([limit])
}

/// Mean duration of a step of a rank with `sequences` sequences.
fn mean_step_s(pool: &Pool, sequences: u64, prompt: f64, output: f64) -> f64 {
    let context = prompt + output / 2.0;
    let window = pool.step_time.window.map_or(0.0, f64::from);
    let decodes = Batch {
        decodes: sequences,
        decode_context: (sequences as f64 * context) as u64,
        decode_context_windowed: (sequences as f64 * context.min(window)) as u64,
        ..Batch::default()
    };
    let completed = sequences as f64 / output;
    let ranks = f64::from(pool.parallelism.data);
    let group = (sequences as f64 + completed * prompt) * ranks;
    pool.step_time.seconds(&decodes, group as u64)
        + completed * prefill_s(&pool.step_time, prompt, window)
}

/// What a prompt adds to the steps it is computed in.
fn prefill_s(step_time: &StepTime, prompt: f64, window: f64) -> f64 {
    let pairs = prompt * (prompt + 1.0) / 2.0;
    let windowed = if prompt < window {
        pairs
    } else {
        window * (window + 1.0) / 2.0 + (prompt - window) * window
    };
    step_time.per_token * prompt
        + step_time.per_sequence
        + step_time.per_pair * pairs
        + step_time.per_pair_windowed * windowed
}
