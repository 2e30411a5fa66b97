//! From a model on a GPU to the coefficients of [`StepTime`].
//!
//! Step time is a sum of lower bounds, each the time that one resource would
//! need at its datasheet peak, multiplied by a coefficient fitted per GPU (see
//! [`crate::catalog::Coefficients`]). The terms add: a maximum of compute and
//! memory time, the textbook roofline, predicts far worse (41 % against 10 % on
//! prefill), since kernels run one after another and each is bound differently.
//!
//! Details that follow how the coefficients were fitted:
//! - Logits are computed once a sequence, in bf16.
//! - Decode attention counts KV bytes, prompt attention FLOPs at the bf16 peak.
//! - A windowed layer's context is clipped to its window in decode as in
//!   prefill. Half of gpt-oss's layers are windowed; clipping those brings its
//!   decode error from 28 to 7 % at a context of 65,536 tokens and leaves short
//!   contexts as they were, so the clipped form is the measured one too.
//! - A latent (MLA) cache is read whole by each GPU of a tensor group, and the
//!   keys and values of a prompt's prefix are expanded from it anew.
//! - Dispatch to experts costs the smaller of an all-to-all between the GPUs
//!   that hold experts and a gather over the data-parallel ranks.
//! - A format that the GPU cannot compute in is stored compressed and computed
//!   in bf16, as weight-only kernels do; the catalog flags it.
//!
//! Cost: microseconds for dense models; a table of some hundred powers for
//! mixtures of experts. Done once per pool.

use super::Parallelism;
use super::shard::Shard;
use super::step_time::{Experts, StepTime};
use crate::catalog::{Attention, Experts as ExpertLayers, Hardware, LinkKind, Model, Precision};

/// Bytes of one element of activations, embeddings and logits.
pub(super) const BF16_BYTES: f64 = 2.0;
/// Bytes that an all-to-all moves for one element: fp8 out, bf16 back.
const ALL_TO_ALL_BYTES: f64 = 3.0;
/// Bytes that gather and scatter move for one element: bf16 both ways.
const GATHER_BYTES: f64 = 4.0;
const MICROSECOND: f64 = 1e-6;

/// The lower bounds of one configuration and the coefficients on them.
struct Roofline<'a> {
    model: &'a Model,
    hardware: &'a Hardware,
    precision: Precision,
    parallelism: Parallelism,
    shard: Shard,
    layers: f64,
    hidden: f64,
}

impl StepTime {
    /// Step time of one data-parallel rank of `model` on `hardware`.
    ///
    /// `step_scale` multiplies the GPU's time (software efficiency of the
    /// engine), `step_overhead_s` is host time added to every step. The split
    /// must be one that [`Parallelism::problems`] accepts.
    pub fn new(
        model: &Model,
        hardware: &Hardware,
        precision: Precision,
        parallelism: Parallelism,
        step_scale: f64,
        step_overhead_s: f64,
    ) -> StepTime {
        debug_assert!(parallelism.gpus() > 0 && parallelism.expert > 0);
        let roofline = Roofline {
            model,
            hardware,
            precision,
            parallelism,
            shard: Shard::new(model, parallelism),
            layers: f64::from(model.layers),
            hidden: f64::from(model.hidden),
        };
        let mut step_time = roofline.step_time();
        step_time.scale(step_scale);
        step_time.per_step += step_overhead_s;
        step_time
    }

    /// The same with what decodes add to a step multiplied by `scale`.
    pub fn with_decode_scale(self, scale: f64) -> StepTime {
        StepTime { decode_scale: (scale != 1.0).then_some(scale), ..self }
    }

    /// What a report must say about step times of this configuration: where
    /// they are estimates, and how far off the model is known to be.
    pub fn caveats(
        model: &Model,
        hardware: &Hardware,
        precision: Precision,
        parallelism: Parallelism,
    ) -> Vec<String> {
        let mut caveats = Vec::new();
        if hardware.step_time_is_transferred {
            caveats.push(format!(
                "step times of {} are estimated from other GPUs' coefficients: off by 8-13 % on \
                 decode and 11-20 % on prefill in the median",
                hardware.name
            ));
        }
        let is_native = hardware.dense_peak(precision).1
            && (model.experts.is_none() || hardware.expert_peak(precision).1);
        if !is_native {
            caveats.push(format!(
                "{} does not compute in {}: weights are stored in it and multiplied in bf16; \
                 nobody measured that here",
                hardware.name, precision.weights
            ));
        }
        if matches!(model.attention, Attention::Latent { .. }) {
            caveats.push(
                "models with latent attention: decode steps are off by about 20 % in the median, \
                 mostly too short"
                    .to_owned(),
            );
        }
        caveats.extend(parallelism.caveats(hardware));
        caveats
    }

    fn scale(&mut self, factor: f64) {
        for term in [
            &mut self.per_step,
            &mut self.per_token,
            &mut self.per_sequence,
            &mut self.per_decode_context,
            &mut self.per_decode_context_windowed,
            &mut self.per_pair,
            &mut self.per_pair_windowed,
            &mut self.per_prefix,
        ] {
            *term *= factor;
        }
        if let Some(experts) = &mut self.experts {
            experts.per_group_token *= factor;
            experts.weights.iter_mut().for_each(|weights| *weights *= factor);
        }
    }
}

impl Roofline<'_> {
    fn step_time(&self) -> StepTime {
        let coefficients = &self.hardware.step_time;
        let kv_byte =
            coefficients.kv_read * self.precision.kv_cache.bytes() / self.hardware.bandwidth;
        let attention_flop = coefficients.prefill_attention / self.hardware.peak_bf16;
        StepTime {
            per_step: self.per_step(),
            per_token: self.per_token(),
            per_sequence: coefficients.dense_flops * 2.0 * self.shard.vocabulary_weights
                / self.hardware.peak_bf16,
            per_decode_context: kv_byte * self.shard.kv_elements,
            per_decode_context_windowed: kv_byte * self.shard.kv_elements_windowed,
            per_pair: attention_flop * self.shard.pair_flops,
            per_pair_windowed: attention_flop * self.shard.pair_flops_windowed,
            per_prefix: attention_flop * self.shard.expand_flops,
            experts: self.model.experts.map(|experts| self.experts(experts)),
            window: self.model.window().map(|window| window.tokens),
            decode_scale: None,
        }
    }

    /// Weights, layers and collectives, counted once however large the batch.
    fn per_step(&self) -> f64 {
        let coefficients = &self.hardware.step_time;
        let weight_bytes = self.shard.dense_weights * self.precision.weights.dense_bytes()
            + self.shard.vocabulary_weights * BF16_BYTES;
        let mut microseconds = coefficients.layer_us * self.layers;
        if self.parallelism.tensor > 1 {
            microseconds += coefficients.all_reduce_us * 2.0 * self.layers;
        }
        if let Some(experts) = self.model.experts {
            let layers = f64::from(experts.layers);
            microseconds += coefficients.expert_layer_us * layers;
            if self.parallelism.data > 1 {
                microseconds += coefficients.all_to_all_us * 2.0 * layers;
            }
        }
        coefficients.dense_weights * weight_bytes / self.hardware.bandwidth
            + microseconds * MICROSECOND
    }

    /// Dense FLOPs, activations and the bytes of collectives.
    fn per_token(&self) -> f64 {
        let coefficients = &self.hardware.step_time;
        let (peak, _) = self.hardware.dense_peak(self.precision);
        let hidden_bytes = self.layers * self.hidden * BF16_BYTES;
        let mut seconds = coefficients.dense_flops * 2.0 * self.shard.dense_weights / peak
            + coefficients.activation_passes * hidden_bytes / self.hardware.bandwidth;
        let link = self.hardware.interconnect;
        let tensor = f64::from(self.parallelism.tensor);
        if tensor > 1.0 {
            // Two ring all-reduces a layer, each sending the hidden state twice
            // but for the own share.
            let bytes = 2.0 * 2.0 * (tensor - 1.0) / tensor * hidden_bytes;
            let mut factor = coefficients.all_reduce_bytes;
            if link.kind == LinkKind::Pcie {
                factor += coefficients.all_reduce_pcie * (tensor - 2.0);
            }
            seconds += factor * bytes / link.bandwidth;
        }
        if let (Some(experts), true) = (self.model.experts, self.parallelism.data > 1) {
            let bytes = self.exchanged_bytes(experts);
            seconds += coefficients.all_to_all_bytes * bytes / link.bandwidth;
        }
        seconds
    }

    /// Bytes that one token of a data-parallel rank sends to experts and back.
    fn exchanged_bytes(&self, experts: ExpertLayers) -> f64 {
        let elements = f64::from(experts.layers) * self.hidden;
        let [expert, data] = [self.parallelism.expert, self.parallelism.data].map(f64::from);
        let all_to_all = f64::from(experts.active) * (expert - 1.0) / expert * ALL_TO_ALL_BYTES;
        let gather = (data - 1.0) * GATHER_BYTES;
        elements * all_to_all.min(gather)
    }

    fn experts(&self, experts: ExpertLayers) -> Experts {
        let coefficients = &self.hardware.step_time;
        let (peak, _) = self.hardware.expert_peak(self.precision);
        let layers = f64::from(experts.layers);
        let [routed, active] = [experts.routed, experts.active].map(f64::from);
        let held_of_token = active / f64::from(self.parallelism.expert);
        let flops = 2.0 * layers * self.shard.expert_weights * held_of_token;
        let bytes = layers
            * self.shard.expert_weights
            * self.shard.experts_held
            * self.precision.weights.expert_bytes();
        let all = coefficients.expert_weights * bytes / self.hardware.bandwidth;
        Experts {
            per_group_token: coefficients.expert_flops * flops / peak,
            weights: activated(active / routed).map(|share| share * all).collect(),
        }
    }
}

/// Share of the experts that 0, 1, 2, ... tokens activate when each takes the
/// share `taken` of them at random; ends with all, once that is true to 1e-9.
fn activated(taken: f64) -> impl Iterator<Item = f64> {
    let idle = 1.0 - taken;
    (0..)
        .map(move |tokens| libm::pow(idle, f64::from(tokens)))
        .take_while(|idle| *idle > 1e-9)
        .map(|idle| 1.0 - idle)
        .chain(std::iter::once(1.0))
}

#[cfg(test)]
mod tests;
