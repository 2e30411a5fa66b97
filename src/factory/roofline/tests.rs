//! Coefficients by hand for Llama-3.1-8B on one H100 in bf16, and properties
//! that hold for every configuration.

use super::*;
use crate::catalog::Catalog;
use crate::factory::{Batch, GroupTokens};
use crate::kernel::TICKS_PER_SECOND;
use proptest::prelude::*;

fn step_time(model: &str, hardware: &str, precision: &str, split: (u32, u32, u32)) -> StepTime {
    let catalog = Catalog::embedded();
    let parallelism = Parallelism { tensor: split.0, data: split.1, expert: split.2 };
    let (model, hardware) = (catalog.model(model).unwrap(), catalog.hardware(hardware).unwrap());
    assert_eq!(parallelism.problems(&model, &hardware), []);
    StepTime::new(&model, &hardware, precision.parse().unwrap(), parallelism, 1.0, 0.0)
}

fn assert_close(actual: f64, expected: f64) {
    let off = (actual / expected - 1.0).abs();
    assert!(off < 1e-12, "{actual:e} is not {expected:e}");
}

/// Weights of one Llama-3.1-8B layer: queries and output 4096 x 4096, keys and
/// values 4096 x 1024, three feed-forward matrices 4096 x 14336.
const LAYER_WEIGHTS: f64 = 2.0 * 4096.0 * 4096.0 + 2.0 * 4096.0 * 1024.0 + 3.0 * 4096.0 * 14336.0;
const LOGIT_WEIGHTS: f64 = 4096.0 * 128256.0;

#[test]
fn coefficients_of_llama_8b_on_one_h100_are_those_of_the_hand() {
    let step = step_time("llama-3.1-8b", "h100", "bf16", (1, 1, 1));
    let weights = 32.0 * LAYER_WEIGHTS;
    assert_eq!(weights, 6_979_321_856.0);
    // 15.0 GB at 3.35 TB/s x 1.0654, and 32 layers of 49.9 us: 6.37 ms.
    let bytes = 2.0 * (weights + LOGIT_WEIGHTS);
    assert_close(step.per_step, 1.0654 * bytes / 3.35e12 + 32.0 * 49.8997e-6);
    assert!((step.per_step - 6.37e-3).abs() < 0.01e-3);
    // 14 GFLOP and 65.6 passes over the hidden state: 18 us.
    let hidden_bytes = 4096.0 * 32.0 * 2.0;
    let per_token = 0.8948 * 2.0 * weights / 989e12 + 65.5576 * hidden_bytes / 3.35e12;
    assert_close(step.per_token, per_token);
    assert!((step.per_token - 17.8e-6).abs() < 0.1e-6);
    assert_close(step.per_sequence, 0.8948 * 2.0 * LOGIT_WEIGHTS / 989e12);
    // 131,072 bytes of keys and values a token.
    assert_close(step.per_decode_context, 1.1005 * 131_072.0 / 3.35e12);
    assert_close(step.per_pair, 1.376 * 4.0 * 4096.0 * 32.0 / 989e12);
    assert_eq!(step.per_decode_context_windowed, 0.0);
    assert_eq!(step.per_pair_windowed, 0.0);
    assert_eq!(step.per_prefix, 0.0);
    assert!(step.experts.is_none() && step.window.is_none());
}

#[test]
fn tensor_parallelism_divides_work_and_adds_all_reduces() {
    let [one, two] = [1, 2].map(|tensor| step_time("llama-3.1-8b", "h100", "bf16", (tensor, 1, 1)));
    let layers = 32.0 * 49.8997e-6;
    let all_reduces = 64.0 * 1.8407e-6;
    assert_close(two.per_step - layers - all_reduces, (one.per_step - layers) / 2.0);
    assert_close(two.per_decode_context, one.per_decode_context / 2.0);
    assert_close(two.per_pair, one.per_pair / 2.0);
    // Over PCIe the bytes count as well: two all-reduces a layer, each sending
    // half of the hidden state twice between two GPUs.
    let l40s = step_time("llama-3.1-8b", "l40s", "bf16", (2, 1, 1));
    let hidden_bytes = 4096.0 * 32.0 * 2.0;
    let flops = 1.1969 * 32.0 * LAYER_WEIGHTS / 362e12;
    let passes = 45.3239 * hidden_bytes / 0.864e12;
    assert_close(l40s.per_token, flops + passes + 1.5141 * 2.0 * hidden_bytes / 32e9);
}

#[test]
fn experts_are_activated_by_the_tokens_of_the_group() {
    let step = step_time("qwen3-30b-a3b", "h100", "bf16", (1, 1, 1));
    let experts = step.experts.unwrap();
    let expert_bytes = 48.0 * 3.0 * 2048.0 * 768.0 * 2.0;
    let read = |activated: f64| 1.2811 * activated * expert_bytes / 3.35e12;
    assert_eq!(experts.weights[0], 0.0);
    assert_close(experts.weights[1], read(8.0));
    assert_close(experts.weights[2], read(8.0 + 120.0 / 128.0 * 8.0));
    assert_close(*experts.weights.last().unwrap(), read(128.0));
    // (15/16)^n falls below 1e-9 at n = 322.
    assert_eq!(experts.weights.len(), 323);
    assert_close(experts.per_group_token, 2.5504 * 8.0 * expert_bytes / 989e12);
}

#[test]
fn experts_spread_over_ranks_cost_each_a_share_and_an_exchange() {
    let [one, four] =
        [1, 4].map(|data| step_time("qwen3-30b-a3b", "h100", "bf16", (1, data, data)));
    let (one_experts, four_experts) = (one.experts.unwrap(), four.experts.unwrap());
    assert_close(four_experts.weights[5], one_experts.weights[5] / 4.0);
    assert_close(four_experts.per_group_token, one_experts.per_group_token / 4.0);
    assert_close(four.per_step - one.per_step, 96.0 * 11.0062e-6);
    // Gathering from 3 other ranks (12 bytes) beats sending to 8 x 3/4 experts (18).
    assert_close(four.per_token - one.per_token, 6.9305 * 48.0 * 2048.0 * 12.0 / 450e9);
}

#[test]
fn latent_attention_reads_one_cache_and_expands_prefixes() {
    let [one, eight] = [1, 8].map(|tensor| step_time("deepseek-r1", "h200", "fp8", (tensor, 1, 1)));
    assert_close(one.per_decode_context, 1.1055 * 576.0 * 2.0 * 61.0 / 4.8e12);
    assert_eq!(eight.per_decode_context, one.per_decode_context);
    assert_close(eight.per_pair, 1.4215 * 2.0 * 16.0 * 320.0 * 61.0 / 989e12);
    assert_close(eight.per_prefix, 1.4215 * 2.0 * 512.0 * 16.0 * 256.0 * 61.0 / 989e12);
}

#[test]
fn windowed_layers_have_their_own_coefficients() {
    let step = step_time("gpt-oss-120b", "h100", "mxfp4", (1, 1, 1));
    assert_eq!(step.window, Some(128));
    assert_close(step.per_decode_context, 1.1005 * 36_864.0 / 3.35e12);
    assert_eq!(step.per_decode_context_windowed, step.per_decode_context);
    assert_eq!(step.per_pair_windowed, step.per_pair);
}

#[test]
fn scale_multiplies_the_gpu_and_overhead_adds_to_the_host() {
    let catalog = Catalog::embedded();
    let model = catalog.model("qwen3-30b-a3b").unwrap();
    let hardware = catalog.hardware("h100").unwrap();
    let precision = "bf16".parse().unwrap();
    let new = |scale, overhead| {
        StepTime::new(&model, &hardware, precision, Parallelism::SINGLE, scale, overhead)
    };
    let batch = Batch {
        decodes: 7,
        decode_context: 900,
        decode_context_windowed: 900,
        prefills: 1,
        prefill_tokens: 50,
        prefill_pairs: 1275,
        prefill_pairs_windowed: 1275,
        prefill_prefix: 0,
    };
    let [plain, scaled] = [new(1.0, 0.0), new(1.5, 1e-3)]
        .map(|step| step.seconds(&batch, GroupTokens::of(&batch, 1)));
    assert_close(scaled, 1.5 * plain + 1e-3);
}

#[test]
fn estimates_are_flagged() {
    let catalog = Catalog::embedded();
    let caveats = |model: &str, hardware: &str, precision: &str, split: (u32, u32, u32)| {
        let parallelism = Parallelism { tensor: split.0, data: split.1, expert: split.2 };
        let (model, hardware) =
            (catalog.model(model).unwrap(), catalog.hardware(hardware).unwrap());
        StepTime::caveats(&model, &hardware, precision.parse().unwrap(), parallelism)
    };
    assert_eq!(caveats("llama-3.1-8b", "h100", "fp8", (4, 1, 1)), Vec::<String>::new());
    assert!(
        caveats("llama-3.1-8b", "a100", "fp8", (1, 1, 1))[0].contains("does not compute in fp8")
    );
    assert!(caveats("llama-3.1-8b", "l40s", "bf16", (2, 1, 1))[0].contains("PCIe"));
    assert_eq!(caveats("deepseek-r1", "gb200", "fp8", (1, 16, 16)).len(), 2);
}

/// Ten percent faster decoding: all of a step without prompts, nothing of one without
/// decodes, and of a mixed one what the decodes add, growth of contexts included.
#[test]
fn a_decode_scale_multiplies_what_decodes_add() {
    let as_measured = step_time("gpt-oss-120b", "h100", "mxfp4", (2, 2, 2));
    let faster = as_measured.clone().with_decode_scale(0.9);
    let decodes = Batch {
        decodes: 40,
        decode_context: 90_000,
        decode_context_windowed: 5_120,
        ..Batch::default()
    };
    let mut prompt = Batch::default();
    prompt.add_chunk(3_000, 500, as_measured.window);
    let mixed =
        Batch { decodes: 40, decode_context: 90_000, decode_context_windowed: 5_120, ..prompt };
    let seconds = |step: &StepTime, batch: &Batch| step.seconds(batch, GroupTokens::of(batch, 2));
    let [decode, prefill, both] =
        [&decodes, &prompt, &mixed].map(|batch| seconds(&as_measured, batch));
    assert_close(seconds(&faster, &decodes), 0.9 * decode);
    assert_eq!(seconds(&faster, &prompt), prefill, "to the bit");
    assert_close(seconds(&faster, &mixed), prefill + 0.9 * (both - prefill));
    // Another rank's prompt makes the step take place anyway.
    let beside = GroupTokens { decodes: 40, prefill: 500 };
    let alone = as_measured.seconds(&Batch::default(), GroupTokens { prefill: 500, decodes: 0 });
    let whole = as_measured.seconds(&decodes, beside);
    assert_close(faster.seconds(&decodes, beside), alone + 0.9 * (whole - alone));
    // Every sequence and the prompt's chunk grow by themselves.
    let growth =
        Batch { decode_context: 40, prefill_pairs: 250_000, prefill_prefix: 500, ..prompt };
    let [measured, scaled] =
        [&as_measured, &faster].map(|step| step.line(&mixed, &growth, GroupTokens::of(&mixed, 2)));
    let of_decodes = 0.1 * as_measured.per_decode_context * 40.0 * TICKS_PER_SECOND as f64;
    let less = (measured.1 - scaled.1) as f64;
    assert!(of_decodes > 100.0 && (less - of_decodes).abs() <= 1.0, "{less} of {of_decodes}");
    assert_eq!(as_measured.clone().with_decode_scale(1.0).decode_scale, None);
}

/// In the mean over steps with and without prompts, the latter are scaled as a whole.
#[test]
fn a_mean_step_is_the_mean_of_its_kinds() {
    let faster = step_time("llama-3.1-70b", "h100", "fp8", (4, 1, 1)).with_decode_scale(0.7);
    let decodes = Batch { decodes: 60, decode_context: 120_000, ..Batch::default() };
    let prompt = Batch { prefills: 1, prefill_tokens: 800, prefill_pairs: 320_400, ..decodes };
    let seconds = |batch: &Batch| faster.seconds(batch, GroupTokens::of(batch, 1));
    // One step in four has a prompt.
    let kinds = 0.75 * seconds(&decodes) + 0.25 * seconds(&prompt);
    let tokens = Batch { prefill_tokens: 200, prefill_pairs: 80_100, ..decodes };
    let mean = faster.mean_seconds(&tokens, GroupTokens::of(&tokens, 1), 0.25);
    // The logits of a quarter of a prompt.
    assert_close(mean + 0.25 * faster.per_sequence, kinds);
}

proptest! {
    #[test]
    fn no_step_gets_shorter_with_more_to_do(
        configuration in 0usize..6,
        decodes in 0u64..600,
        context in 1u64..100_000,
        prompt in 0u64..8192,
        prefix in 0u64..100_000,
        more in 1u64..100,
    ) {
        let (model, hardware, precision, split) = [
            ("llama-3.1-8b", "h100", "bf16", (1, 1, 1)),
            ("llama-3.1-70b", "b200", "nvfp4", (4, 1, 1)),
            ("qwen3-30b-a3b", "rtx-pro-6000", "fp8", (1, 2, 2)),
            ("gpt-oss-120b", "l40s", "mxfp4", (8, 1, 1)),
            ("deepseek-r1", "gb300", "fp8", (1, 16, 16)),
            ("minimax-m2.5", "h200", "fp8", (4, 2, 8)),
        ][configuration];
        let step = step_time(model, hardware, precision, split);
        let window = u64::from(step.window.unwrap_or(u32::MAX));
        let batch = |decodes: u64, context: u64, prompt: u64| Batch {
            decodes,
            decode_context: decodes * context,
            decode_context_windowed: decodes * context.min(window),
            prefills: u64::from(prompt > 0),
            prefill_tokens: prompt,
            prefill_pairs: prompt * prefix + prompt * (prompt + 1) / 2,
            prefill_pairs_windowed: prompt * window.min(prefix),
            prefill_prefix: prefix,
        };
        let seconds = |batch: Batch| step.seconds(&batch, GroupTokens::of(&batch, split.1.into()));
        let base = seconds(batch(decodes, context, prompt));
        prop_assert!(base > 0.0 && base.is_finite());
        prop_assert!(seconds(batch(decodes + more, context, prompt)) > base);
        prop_assert!(seconds(batch(decodes, context + more, prompt)) >= base);
        prop_assert!(seconds(batch(decodes, context, prompt + more)) > base);
    }
}
