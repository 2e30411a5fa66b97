//! What an engine does when it is told nothing: the defaults of `vllm serve`.
//!
//! Version 0.27 (August 2026, tag v0.27.0, commit 4bdc8a78). Each default and
//! where it stands there is in docs/engine-defaults.md, which a test holds
//! against this file; where ours differs, that page says why and by how much.
//! The default of the KV cache's format is `KvFormat::AUTO`.

use super::raw::{RawEngine, RawEviction, RawEvictionName};
use super::units::{Duration, Fraction};
use crate::catalog::Hardware;

/// The version whose defaults these are, as messages name it.
pub const ENGINE_VERSION: &str = "vLLM 0.27";

const GIB: u64 = 1 << 30;

/// Sequences that run at once and tokens of a step, for one rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most sequences running at once.
    pub max_num_seqs: u32,
    /// Token budget of one step.
    pub max_num_batched_tokens: u32,
}

impl BatchLimits {
    /// The limits of an API server on `hardware` (`EngineArgs.get_batch_defaults`
    /// in vllm/engine/arg_utils.py): large ones from 70 GiB of memory on, but not
    /// on an A100, where a large budget costs throughput (PR #17885).
    pub fn of(hardware: &Hardware) -> Self {
        match hardware.memory_bytes >= 70 * GIB && !is_a100(hardware) {
            true => BatchLimits { max_num_seqs: 1_024, max_num_batched_tokens: 8_192 },
            false => BatchLimits { max_num_seqs: 256, max_num_batched_tokens: 2_048 },
        }
    }
}

/// vLLM looks for the name in what the driver calls the device.
fn is_a100(hardware: &Hardware) -> bool {
    let mut names = hardware.aliases.iter().chain([&hardware.name, &hardware.title]);
    names.any(|name| name.to_ascii_lowercase().contains("a100"))
}

impl Default for RawEngine {
    fn default() -> Self {
        Self {
            max_num_seqs: None,
            max_num_batched_tokens: None,
            block_tokens: 16,
            max_model_len: None,
            reserve_full_prompt: true,
            kv_watermark: Fraction(0.0),
            prefix_caching: true,
            eviction: RawEviction::Name(RawEvictionName::Lru),
            dedup_in_flight: true,
            cache_decoded: true,
            // 0.92 there, but with an estimate of CUDA graphs inside, which we leave outside.
            gpu_memory_utilization: Fraction(0.9),
            kv_blocks: None,
            kv_memory: None,
            // Between 1.04 and 1.08 with 0.4 ms a step fits vLLM where nothing
            // was measured on the very deployment; docs/validation.md.
            step_scale: 1.06,
            decode_scale: 1.0,
            step_overhead: Duration::read("0.4 ms").expect("a duration"),
        }
    }
}

impl RawEngine {
    /// Writes down the limits that were left to the engine, so that what is
    /// resolved says them (`_set_default_max_num_seqs_and_batched_tokens_args`):
    /// a default budget holds no more than all sequences have at their longest,
    /// and a default count of sequences no more than the budget.
    pub(super) fn settle(&mut self, hardware: &Hardware, longest: u32) {
        let defaults = BatchLimits::of(hardware);
        let longest = *self.max_model_len.get_or_insert(longest);
        let seqs = self.max_num_seqs.unwrap_or(defaults.max_num_seqs);
        let most = seqs.saturating_mul(longest);
        let tokens =
            *self.max_num_batched_tokens.get_or_insert(defaults.max_num_batched_tokens.min(most));
        self.max_num_seqs.get_or_insert(seqs.min(tokens));
    }

    /// Limits of a step once they are settled.
    pub(super) fn batch_limits(&self) -> BatchLimits {
        BatchLimits {
            max_num_seqs: self.max_num_seqs.expect("settled"),
            max_num_batched_tokens: self.max_num_batched_tokens.expect("settled"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn limits(hardware: &str) -> (u32, u32) {
        let limits = BatchLimits::of(&Catalog::embedded().hardware(hardware).unwrap());
        (limits.max_num_seqs, limits.max_num_batched_tokens)
    }

    #[test]
    fn limits_follow_memory_and_name_of_the_gpu() {
        for large in ["h100-sxm", "h200-sxm", "b200-sxm", "gb200", "gb300", "rtx-pro-6000"] {
            assert_eq!(limits(large), (1_024, 8_192), "{large}");
        }
        for small in ["a100-sxm", "l40s"] {
            assert_eq!(limits(small), (256, 2_048), "{small}");
        }
    }

    /// The bounds of the rule, on GPUs of one's own.
    #[test]
    fn seventy_gib_are_enough_unless_it_is_an_a100_by_any_name() {
        let base = Catalog::embedded().hardware("h100-sxm").unwrap();
        let with = |memory_bytes, name: &str, title: &str, alias: &str| {
            let (name, title) = (name.to_owned(), title.to_owned());
            let aliases = vec![alias.to_owned()];
            BatchLimits::of(&Hardware { memory_bytes, name, title, aliases, ..(*base).clone() })
                .max_num_seqs
        };
        assert_eq!(with(70 * GIB, "mine", "Mine", "my"), 1_024);
        assert_eq!(with(70 * GIB - 1, "mine", "Mine", "my"), 256);
        assert_eq!(with(80 * GIB, "my-a100", "Mine", "my"), 256);
        assert_eq!(with(80 * GIB, "mine", "NVIDIA A100 PCIe", "my"), 256);
        assert_eq!(with(80 * GIB, "mine", "Mine", "A100-PCIE-80GB"), 256);
        assert_eq!(with(192 * GIB, "mi300x", "AMD Instinct MI300X", "my"), 1_024);
    }

    fn settled(seqs: Option<u32>, tokens: Option<u32>, longest: u32) -> (u32, u32) {
        let hardware = Catalog::embedded().hardware("h100-sxm").unwrap();
        let mut engine = RawEngine {
            max_num_seqs: seqs,
            max_num_batched_tokens: tokens,
            ..RawEngine::default()
        };
        engine.settle(&hardware, longest);
        let limits = engine.batch_limits();
        (limits.max_num_seqs, limits.max_num_batched_tokens)
    }

    #[test]
    fn what_is_written_stays_and_bounds_the_other() {
        assert_eq!(settled(None, None, 131_072), (1_024, 8_192));
        assert_eq!(settled(Some(2_000), Some(4_000), 131_072), (2_000, 4_000));
        assert_eq!(settled(None, Some(512), 131_072), (512, 512));
        assert_eq!(settled(None, Some(2_048), 131_072), (1_024, 2_048));
        // Two sequences of 1,000 tokens never need more than 2,000 a step.
        assert_eq!(settled(Some(2), None, 1_000), (2, 2_000));
        assert_eq!(settled(Some(2), Some(5_000), 1_000), (2, 5_000));
        // What is written is not mended: the check refuses it.
        assert_eq!(settled(Some(9_000), None, 131_072), (9_000, 8_192));
        assert_eq!(settled(None, None, u32::MAX), (1_024, 8_192));
    }
}
