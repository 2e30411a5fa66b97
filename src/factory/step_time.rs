//! The duration of one engine step: an additive roofline, linear in the batch.
//!
//! `roofline` turns a model on a GPU into the coefficients below; this file
//! only evaluates them. Linear in everything that grows while a batch decodes
//! undisturbed, so the duration of consecutive steps is an arithmetic
//! progression and a replica can jump over them in closed form.
//!
//! A decode scale multiplies what a step takes longer for its decodes than the
//! same step without them. Without prompts there would be no step, so the whole
//! of it is scaled, weights and overheads too; beside prompts the step takes
//! place anyway, and what the decodes add to it is scaled. Both parts are lines
//! in the step number, and so is their sum.
//!
//! Cost: about twenty multiplications, no transcendental (the expert
//! activation curve is a table).

use crate::kernel::TICKS_PER_SECOND;

/// What one rank computes in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Sequences decoding, one token each.
    pub decodes: u64,
    /// Tokens attended by the decodes (each one's own token included), summed.
    pub decode_context: u64,
    /// The same with each sequence clipped to the model's attention window.
    pub decode_context_windowed: u64,
    /// Prompts with a chunk in this step.
    pub prefills: u64,
    /// Prompt tokens computed.
    pub prefill_tokens: u64,
    /// (query, key) pairs of the prompt chunks: a chunk of T tokens after P
    /// tokens has `T * P + T * (T + 1) / 2`.
    pub prefill_pairs: u64,
    /// The same with each query clipped to the model's attention window.
    pub prefill_pairs_windowed: u64,
    /// Tokens that precede the chunks, summed (latent attention expands them anew).
    pub prefill_prefix: u64,
}

impl Batch {
    /// Tokens computed in this step.
    #[inline]
    pub fn tokens(&self) -> u64 {
        self.decodes + self.prefill_tokens
    }

    /// Adds a chunk of `chunk` prompt tokens after `computed` tokens, on a model
    /// whose windowed layers attend `window` tokens.
    pub fn add_chunk(&mut self, computed: u32, chunk: u32, window: Option<u32>) {
        let (prefix, tokens) = (u64::from(computed), u64::from(chunk));
        self.prefills += 1;
        self.prefill_tokens += tokens;
        self.prefill_prefix += prefix;
        self.prefill_pairs += tokens * prefix + tokens * (tokens + 1) / 2;
        if let Some(window) = window {
            // Queries before the window's edge attend all, the others `window` tokens.
            let window = u64::from(window);
            let whole = window.saturating_sub(prefix).min(tokens);
            self.prefill_pairs_windowed +=
                whole * prefix + whole * (whole + 1) / 2 + (tokens - whole) * window;
        }
    }

    /// The step without its decodes.
    fn prompts(&self) -> Batch {
        Batch { decodes: 0, decode_context: 0, decode_context_windowed: 0, ..*self }
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.decodes == 0 && self.prefills == 0
    }
}

/// Tokens that the ranks of a replica compute in one step: a group of experts
/// serves them all, and they wait for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupTokens {
    /// Tokens of decodes, one a sequence.
    pub decodes: u64,
    /// Prompt tokens.
    pub prefill: u64,
}

impl GroupTokens {
    /// Those of `ranks` ranks that compute `batch` each.
    pub fn of(batch: &Batch, ranks: u64) -> Self {
        GroupTokens {
            decodes: batch.decodes.saturating_mul(ranks),
            prefill: batch.prefill_tokens.saturating_mul(ranks),
        }
    }

    /// Adds those of a rank that computes `batch`.
    pub fn add(&mut self, batch: &Batch) {
        self.decodes += batch.decodes;
        self.prefill += batch.prefill_tokens;
    }

    /// Both.
    pub fn all(&self) -> u64 {
        self.decodes.saturating_add(self.prefill)
    }

    fn prompts(&self) -> GroupTokens {
        GroupTokens { decodes: 0, ..*self }
    }
}

/// Coefficients of one rank's step duration, all in seconds.
#[derive(Clone, Debug, Default)]
pub struct StepTime {
    /// Each step: weights, layers, collectives, host.
    pub per_step: f64,
    /// Each token: dense FLOPs, activations, bytes on links.
    pub per_token: f64,
    /// Each sequence: logits.
    pub per_sequence: f64,
    /// Each token attended by a decode, layers of full attention.
    pub per_decode_context: f64,
    /// Each token attended by a decode, windowed layers.
    pub per_decode_context_windowed: f64,
    /// Each (query, key) pair of a prompt, layers of full attention.
    pub per_pair: f64,
    /// Each (query, key) pair of a prompt, windowed layers.
    pub per_pair_windowed: f64,
    /// Each token that precedes a prompt chunk.
    pub per_prefix: f64,
    /// Mixture-of-experts terms; they see the tokens of the whole expert group.
    pub experts: Option<Experts>,
    /// Attention window of the windowed layers, tokens.
    pub window: Option<u32>,
    /// Factor on what decodes add to a step; `None`: one.
    pub decode_scale: Option<f64>,
}

/// What computing prompt tokens adds to a step that takes place anyway: no
/// weights, no overhead of the step. The coefficients are those of [`StepTime`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PromptTime {
    /// Each token, experts included.
    pub per_token: f64,
    /// Each (query, key) pair, layers of full attention.
    pub per_pair: f64,
    /// Each (query, key) pair, windowed layers.
    pub per_pair_windowed: f64,
    /// Each token that precedes a chunk.
    pub per_prefix: f64,
    /// Attention window of the windowed layers, tokens.
    pub window: Option<u32>,
}

impl PromptTime {
    /// The same for who counts blocks of `block_tokens` tokens as one token each.
    /// Exact without an attention window, which is left out.
    pub fn of_blocks(&self, block_tokens: u32) -> PromptTime {
        let tokens = f64::from(block_tokens);
        // Block b has tokens^2 b + tokens (tokens + 1) / 2 pairs; counted as one
        // token it would have b + 1.
        let inside = tokens * (tokens + 1.0) / 2.0 - tokens * tokens;
        PromptTime {
            per_token: self.per_token * tokens + self.per_pair * inside,
            per_pair: self.per_pair * tokens * tokens,
            per_prefix: self.per_prefix * tokens,
            ..PromptTime::default()
        }
    }

    /// Tokens `from..to` of a prompt, in seconds.
    #[inline]
    pub fn seconds(&self, from: u32, to: u32) -> f64 {
        let mut batch = Batch::default();
        batch.add_chunk(from, to - from, self.window);
        let context = self.per_pair * batch.prefill_pairs as f64
            + self.per_pair_windowed * batch.prefill_pairs_windowed as f64
            + self.per_prefix * batch.prefill_prefix as f64;
        self.per_token * batch.tokens() as f64 + context
    }
}

/// Mixture-of-experts terms.
#[derive(Clone, Debug, Default)]
pub struct Experts {
    /// Each token of the expert group: expert FLOPs.
    pub per_group_token: f64,
    /// Reading the weights of the experts that `n` tokens activate, at index
    /// `n`; beyond the table all experts are active and the last entry holds.
    pub weights: Vec<f64>,
}

impl StepTime {
    /// Duration of a step in which this rank computes `batch` while the ranks of
    /// its replica compute `group`, in seconds.
    #[inline]
    pub fn seconds(&self, batch: &Batch, group: GroupTokens) -> f64 {
        self.mean_seconds(batch, group, 1.0)
    }

    /// The same in the mean of steps that compute `batch` and `group` in the mean,
    /// a share `with_prompts` of them with prompts, if there are any.
    #[inline]
    pub fn mean_seconds(&self, batch: &Batch, group: GroupTokens, with_prompts: f64) -> f64 {
        self.scaled(self.as_measured(batch, group), || match group.prefill {
            0 => 0.0,
            _ => {
                let group = group.prompts();
                let without = (1.0 - with_prompts) * (self.per_step + self.expert_weights(group));
                self.as_measured(&batch.prompts(), group) - without
            }
        })
    }

    /// Seconds of a step, of which `prompts` would be needed without its decodes,
    /// by the decode scale.
    #[inline]
    fn scaled(&self, seconds: f64, prompts: impl FnOnce() -> f64) -> f64 {
        match self.decode_scale {
            None => seconds,
            Some(scale) => {
                let prompts = prompts();
                prompts + scale * (seconds - prompts)
            }
        }
    }

    /// Duration of a step by the coefficients alone.
    #[inline]
    fn as_measured(&self, batch: &Batch, group: GroupTokens) -> f64 {
        let sequences = (batch.decodes + batch.prefills) as f64;
        let mut seconds = self.per_step
            + self.per_token * batch.tokens() as f64
            + self.per_sequence * sequences
            + self.context_seconds(batch);
        if let Some(experts) = &self.experts {
            seconds += experts.per_group_token * group.all() as f64 + self.expert_weights(group);
        }
        seconds
    }

    /// Reading the weights of the experts that `group` activates.
    #[inline]
    pub fn expert_weights(&self, group: GroupTokens) -> f64 {
        let weights = self.experts.as_ref().map(|experts| &experts.weights);
        weights.map_or(0.0, |weights| weights[(group.all() as usize).min(weights.len() - 1)])
    }

    /// Whether a rank's step depends on what the others compute.
    #[inline]
    pub fn minds_group(&self) -> bool {
        self.experts.is_some() || self.decode_scale.is_some()
    }

    /// What computing prompt tokens adds to a step.
    pub fn prompt_time(&self) -> PromptTime {
        let per_group_token = self.experts.as_ref().map_or(0.0, |experts| experts.per_group_token);
        PromptTime {
            per_token: self.per_token + per_group_token,
            per_pair: self.per_pair,
            per_pair_windowed: self.per_pair_windowed,
            per_prefix: self.per_prefix,
            window: self.window,
        }
    }

    /// The part of [`StepTime::seconds`] that follows from context lengths, before
    /// decodes are scaled.
    #[inline]
    pub fn context_seconds(&self, batch: &Batch) -> f64 {
        self.per_decode_context * batch.decode_context as f64
            + self.per_decode_context_windowed * batch.decode_context_windowed as f64
            + self.per_pair * batch.prefill_pairs as f64
            + self.per_pair_windowed * batch.prefill_pairs_windowed as f64
            + self.per_prefix * batch.prefill_prefix as f64
    }

    /// The step in ticks, and the ticks by which each further step of the same
    /// composition is longer when its contexts grow by `growth` a step. Both
    /// are rounded here, once per composition.
    #[inline]
    pub fn line(&self, batch: &Batch, growth: &Batch, group: GroupTokens) -> (u64, u64) {
        let base = ticks(self.seconds(batch, group)).max(1);
        let longer = self.context_seconds(growth);
        (base, ticks(self.scaled(longer, || self.context_seconds(&growth.prompts()))))
    }
}

#[inline]
fn ticks(seconds: f64) -> u64 {
    (seconds * TICKS_PER_SECOND as f64 + 0.5) as u64
}
