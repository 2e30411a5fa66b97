//! Fitted coefficients of the additive step-time model.
//!
//! Each multiplies a lower bound that follows from datasheet and dimensions
//! (see `factory::roofline`), so most are simply one over an efficiency.

use super::origin::Checker;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Coefficients of one GPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// On reading the dense weights at full memory bandwidth.
    pub dense_weights: f64,
    /// On reading the activated experts' weights at full memory bandwidth.
    pub expert_weights: f64,
    /// On the dense layers' FLOPs at the datasheet's peak.
    pub dense_flops: f64,
    /// On the experts' FLOPs at the datasheet's peak.
    pub expert_flops: f64,
    /// On the attention FLOPs of prompts at the bf16 peak.
    pub prefill_attention: f64,
    /// On reading the KV cache of decodes at full memory bandwidth.
    pub kv_read: f64,
    /// Passes over the hidden state in bf16, per layer: norms, residuals, quantization.
    pub activation_passes: f64,
    /// Microseconds a layer.
    pub layer_us: f64,
    /// Further microseconds a mixture-of-experts layer.
    pub expert_layer_us: f64,
    /// Microseconds an all-reduce.
    pub all_reduce_us: f64,
    /// On the bytes of ring all-reduces at full link bandwidth.
    pub all_reduce_bytes: f64,
    /// On the same, times (tensor parallelism - 2): contention on PCIe.
    pub all_reduce_pcie: f64,
    /// Microseconds a dispatch or combine of tokens to experts.
    pub all_to_all_us: f64,
    /// On the bytes of dispatch and combine at full link bandwidth.
    pub all_to_all_bytes: f64,
    /// Where the coefficients come from.
    pub source: Option<String>,
    /// How far to trust them.
    pub confidence: Option<super::Confidence>,
}

impl Coefficients {
    pub(super) fn check(&self, checker: &mut Checker) {
        for (key, value) in [
            ("dense_weights", self.dense_weights),
            ("expert_weights", self.expert_weights),
            ("dense_flops", self.dense_flops),
            ("expert_flops", self.expert_flops),
            ("prefill_attention", self.prefill_attention),
            ("kv_read", self.kv_read),
            ("activation_passes", self.activation_passes),
            ("layer_us", self.layer_us),
            ("expert_layer_us", self.expert_layer_us),
            ("all_reduce_us", self.all_reduce_us),
            ("all_reduce_bytes", self.all_reduce_bytes),
            ("all_reduce_pcie", self.all_reduce_pcie),
            ("all_to_all_us", self.all_to_all_us),
            ("all_to_all_bytes", self.all_to_all_bytes),
        ] {
            checker.not_negative(&format!("step_time.{key}"), value);
        }
    }
}
