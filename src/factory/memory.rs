//! KV blocks of a rank: what is left of a GPU's memory, term by term.
//!
//! Capacity is a first-order input (a quarter of the KV off moved the TTFT of
//! other simulators by 35-235 % near saturation), so each term is kept in bytes
//! with its reason, `validate` prints them, and the count can be set by hand.
//!
//! Of `gpu_memory_utilization` times the memory that CUDA reports, weights, the
//! peak of activations and buffers of the runtime are taken; the rest holds blocks,
//! one pool of them for all [groups of layers](super::kv_groups). What was calibrated: vLLM start-up
//! logs of 7 deployments on H100 published with llm-d-benchmark, where the peak
//! of activations follows vocabulary times `max_num_seqs` (the sampler's
//! profiling run: 38.4 to 39.6 bytes in 7 of 7), the runtime takes 0.13 GiB on
//! one GPU and 0.55 GiB on several, and CUDA graphs live outside the budget.
//! The forward pass's share of the peak has no public measurement here; it is
//! counted from the widest layer. Padding by kernels is not modeled: gpt-oss-120b
//! loaded 64.4 GiB of weights on H100 where its dimensions make 60.7.

use super::Parallelism;
use super::kv_groups::{BlockNeeds, KvGroups};
use super::roofline::BF16_BYTES;
use super::shard::Shard;
use crate::catalog::{Catalog, Hardware, Model, Precision};
use serde::Serialize;
use std::fmt;

/// Bytes that the sampler peaks at for one sequence and vocabulary entry:
/// logits in fp32 with their sorted, indexed and normalized copies.
const SAMPLER_BYTES: f64 = 39.0;
/// Runtime buffers of one GPU alone, and of one among several, bytes.
const RUNTIME_BYTES: [f64; 2] = [0.13 * GIB, 0.55 * GIB];
const GIB: f64 = (1u64 << 30) as f64;

/// A model on a GPU with the limits that memory depends on.
#[derive(Clone, Copy, Debug)]
pub struct Placement<'a> {
    /// The model served.
    pub model: &'a Model,
    /// The GPU it is served on.
    pub hardware: &'a Hardware,
    /// Number formats.
    pub precision: Precision,
    /// GPUs of a replica and what they split.
    pub parallelism: Parallelism,
    /// Share of the memory that the engine may use (0.9 by default in vLLM).
    pub gpu_memory_utilization: f64,
    /// Token budget of one step of one rank.
    pub max_num_batched_tokens: u32,
    /// Most sequences running at once on one rank.
    pub max_num_seqs: u32,
    /// Tokens in one block.
    pub block_tokens: u32,
    /// Blocks of one rank, where the user sets them.
    pub blocks: Option<u32>,
}

/// KV blocks of one data-parallel rank, term by term.
#[derive(Clone, Debug, Serialize)]
pub struct KvPlan {
    /// Tokens in one block.
    pub block_tokens: u32,
    /// Blocks of one rank.
    pub blocks: u32,
    /// Blocks that memory has room for; differs from `blocks` when set by hand.
    pub blocks_computed: u32,
    /// Bytes of one block on each GPU of the rank.
    pub block_bytes: u64,
    /// The groups of layers that share the blocks.
    pub groups: KvGroups,
    /// Memory of one GPU that the engine may use, then what is taken from it.
    pub terms: Vec<MemoryTerm>,
}

/// One term of a GPU's memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryTerm {
    /// What it is.
    pub name: &'static str,
    /// Its bytes on one GPU.
    pub bytes: u64,
    /// How it follows from the configuration, in one line.
    pub reason: String,
}

impl KvPlan {
    /// Plans the memory of one GPU of `placement`; `catalog` supplies the
    /// alternatives when the model does not fit.
    pub fn new(placement: &Placement<'_>, catalog: &Catalog) -> Result<KvPlan, Misfit> {
        assert!(placement.block_tokens > 0, "a block holds at least one token");
        let budget = Budget::new(placement);
        let blocks_computed = budget.blocks();
        // Blocks that were counted on a real deployment overrule the formula.
        if blocks_computed == 0 && placement.blocks.is_none() {
            return Err(Misfit::new(placement, &budget, catalog));
        }
        Ok(KvPlan {
            block_tokens: placement.block_tokens,
            blocks: placement.blocks.unwrap_or(blocks_computed),
            blocks_computed,
            block_bytes: budget.block_bytes,
            groups: budget.groups,
            terms: budget.terms,
        })
    }

    /// A plan of `blocks` blocks whatever the memory, for models of engines
    /// that belong to no GPU.
    pub fn fixed(block_tokens: u32, blocks: u32) -> KvPlan {
        let (block_bytes, groups) = (0, KvGroups::PLAIN);
        KvPlan { block_tokens, blocks, blocks_computed: blocks, block_bytes, groups, terms: vec![] }
    }

    /// What sequences need of the blocks where a step computes at most `step_tokens`
    /// tokens of a prompt.
    pub fn needs(&self, step_tokens: u32) -> BlockNeeds {
        BlockNeeds::new(self.groups, self.block_tokens, step_tokens)
    }

    /// Bytes on each GPU of what a tier keeps of `block_tokens` tokens: the KV of
    /// full attention, or of all layers where there is none.
    pub fn place_bytes(&self) -> u64 {
        let KvGroups { full, windowed, .. } = self.groups;
        self.block_bytes * u64::from(if full > 0 { full } else { windowed })
    }
}

/// One line a term, then the blocks.
impl fmt::Display for KvPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let sign = if index == 0 { ' ' } else { '-' };
            let gib = term.bytes as f64 / GIB;
            writeln!(f, "{sign}{gib:>9.2} GiB  {:<22} {}", term.name, term.reason)?;
        }
        write!(f, "= {} blocks of {} tokens", self.blocks, self.block_tokens)?;
        let KvGroups { layers, full, windowed, window } = self.groups;
        if windowed == 0 {
            let tokens = u64::from(self.blocks) * u64::from(self.block_tokens);
            write!(f, " ({tokens} tokens)")?;
        } else {
            write!(
                f,
                " in {layers} layers, for {full} groups of full attention and {windowed} with a \
                 window of {window} tokens"
            )?;
        }
        if self.blocks != self.blocks_computed {
            write!(f, ", set by the scenario; memory has room for {}", self.blocks_computed)?;
        }
        Ok(())
    }
}

/// The memory of one GPU, taken apart.
struct Budget {
    terms: Vec<MemoryTerm>,
    block_bytes: u64,
    groups: KvGroups,
}

impl Budget {
    fn new(placement: &Placement<'_>) -> Self {
        let shard = Shard::new(placement.model, placement.parallelism);
        let mut terms = vec![usable(placement), weights(placement, &shard), activations(placement)];
        terms.push(runtime(placement));
        let groups = KvGroups::of(placement.model);
        let elements = shard.kv_elements + shard.kv_elements_windowed;
        let token_bytes = elements / f64::from(placement.model.layers)
            * f64::from(groups.layers)
            * placement.precision.kv_cache.bytes();
        let block_bytes = (token_bytes * f64::from(placement.block_tokens)) as u64;
        Budget { terms, block_bytes, groups }
    }

    /// Bytes left for blocks; negative when there are too few.
    fn left(&self) -> i128 {
        let taken: i128 = self.terms[1..].iter().map(|term| i128::from(term.bytes)).sum();
        i128::from(self.terms[0].bytes) - taken
    }

    fn blocks(&self) -> u32 {
        let blocks = self.left().max(0) / i128::from(self.block_bytes.max(1));
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }
}

fn usable(placement: &Placement<'_>) -> MemoryTerm {
    let hardware = placement.hardware;
    MemoryTerm {
        name: "usable memory",
        bytes: (hardware.memory_bytes as f64 * placement.gpu_memory_utilization) as u64,
        reason: format!(
            "{} of the {:.2} GiB that {} can allocate",
            placement.gpu_memory_utilization,
            hardware.memory_bytes as f64 / GIB,
            hardware.name
        ),
    }
}

fn weights(placement: &Placement<'_>, shard: &Shard) -> MemoryTerm {
    let Placement { model, precision, parallelism, .. } = placement;
    let vocabularies = if model.tied_embeddings { 1.0 } else { 2.0 };
    let mut bytes = shard.dense_weights * precision.weights.dense_bytes()
        + vocabularies * shard.vocabulary_weights * BF16_BYTES;
    let share = |gpus: u32| if gpus > 1 { format!("1/{gpus} of ") } else { String::new() };
    let mut reason = format!(
        "{}attention, dense layers and shared experts in {}, embeddings in bf16",
        share(parallelism.tensor),
        precision.weights
    );
    if let Some(experts) = model.experts {
        let layers = f64::from(experts.layers);
        bytes +=
            layers * shard.experts_held * shard.expert_weights * precision.weights.expert_bytes();
        bytes += layers * f64::from(model.hidden) * f64::from(experts.routed) * BF16_BYTES;
        reason += &format!("; {}the routed experts", share(parallelism.gpus()));
    }
    MemoryTerm { name: "weights", bytes: bytes as u64, reason }
}

/// The larger of two peaks that do not coincide: layers, and the sampler.
fn activations(placement: &Placement<'_>) -> MemoryTerm {
    let tokens = placement.max_num_batched_tokens;
    let forward = f64::from(tokens) * token_activation_bytes(placement);
    let sequences = placement.max_num_seqs.min(tokens);
    let sampler = SAMPLER_BYTES * f64::from(sequences) * f64::from(placement.model.vocabulary);
    let reason = if forward > sampler {
        format!("the widest layer for {tokens} tokens (max_num_batched_tokens)")
    } else {
        format!("sampling {sequences} sequences (max_num_seqs) from the whole vocabulary")
    };
    MemoryTerm { name: "peak activations", bytes: forward.max(sampler) as u64, reason }
}

/// Bytes alive in the widest layer for one token: the hidden state, its residual
/// and its normalized copy, and what the layer makes of them.
fn token_activation_bytes(placement: &Placement<'_>) -> f64 {
    let Placement { model, parallelism, .. } = placement;
    let tensor = f64::from(parallelism.tensor);
    let hidden = f64::from(model.hidden);
    // Gate and up projections, and their product.
    let dense = model.dense.map_or(0.0, |dense| 3.0 * f64::from(dense.width) / tensor);
    let experts = model.experts.map_or(0.0, |experts| {
        // Each of a token's experts on one GPU of its group, on average.
        let copies =
            f64::from(experts.active) * f64::from(parallelism.data) / f64::from(parallelism.expert);
        copies * (3.0 * f64::from(experts.width) / parallelism.expert_tensor() + hidden)
    });
    BF16_BYTES * (3.0 * hidden + dense.max(experts).max(2.0 * hidden))
}

fn runtime(placement: &Placement<'_>) -> MemoryTerm {
    let gpus = placement.parallelism.gpus();
    let [alone, among_several] = RUNTIME_BYTES;
    let (bytes, what) = if gpus > 1 {
        (among_several, "runtime and communication buffers")
    } else {
        (alone, "runtime buffers")
    };
    MemoryTerm {
        name: "graphs and buffers",
        bytes: bytes as u64,
        reason: format!("{what}; CUDA graphs live in what utilization leaves free"),
    }
}

/// The model does not fit; says by how much and what would fit.
#[derive(Clone, Debug)]
pub struct Misfit {
    /// Bytes that each GPU is short of, one block included.
    pub short_by_bytes: u64,
    /// Where the memory goes.
    pub terms: Vec<MemoryTerm>,
    /// What is wrong, as a fragment.
    pub problem: String,
    /// What would fit, as a fragment.
    pub fix: String,
}

impl Misfit {
    fn new(placement: &Placement<'_>, budget: &Budget, catalog: &Catalog) -> Self {
        let short = (i128::from(budget.block_bytes) - budget.left()).max(0);
        let short_by_bytes = u64::try_from(short).unwrap_or(u64::MAX);
        let [usable, weights] = [0, 1].map(|index| budget.terms[index].bytes as f64 / 1e9);
        let problem = format!(
            "{} in {} does not fit {} with {}: {:.1} GB short on each GPU ({weights:.1} GB of \
             weights, {usable:.1} GB usable)",
            placement.model.name,
            placement.precision.weights,
            placement.hardware.name,
            placement.parallelism,
            short_by_bytes as f64 / 1e9,
        );
        let fixes = alternatives(placement, catalog);
        let fix = if fixes.is_empty() {
            "split it over more GPUs, or choose a smaller model".to_owned()
        } else {
            format!("would fit: {}", fixes.join("; "))
        };
        Misfit { short_by_bytes, terms: budget.terms.clone(), problem, fix }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

impl std::error::Error for Misfit {}

/// Changes of one thing that make the model fit, the gentlest of each kind.
fn alternatives(placement: &Placement<'_>, catalog: &Catalog) -> Vec<String> {
    let mut fixes = Vec::new();
    if let Some(tensor) = smallest_tensor_parallelism(placement) {
        fixes.push(format!("tensor_parallel = {tensor}"));
    }
    if let Some(sequences) = most_sequences(placement) {
        fixes.push(format!("max_num_seqs = {sequences}"));
    }
    if let Some(precision) = gentlest_precision(placement) {
        fixes.push(format!("precision = \"{}\"", precision.weights));
    }
    let larger: Vec<&str> = catalog
        .all_hardware()
        .filter(|hardware| fits(&Placement { hardware, ..*placement }))
        .map(|hardware| hardware.name.as_str())
        .collect();
    if !larger.is_empty() {
        fixes.push(format!("hardware = {}", larger.join(" or ")));
    }
    fixes
}

fn smallest_tensor_parallelism(placement: &Placement<'_>) -> Option<u32> {
    let before = placement.parallelism;
    let with = |tensor: u32| {
        // Experts that are spread over all GPUs stay so.
        let is_spread = before.expert > 1 && before.expert == before.gpus();
        let expert = if is_spread { tensor * before.data } else { before.expert };
        Placement { parallelism: Parallelism { tensor, expert, ..before }, ..*placement }
    };
    let mut candidates = (1..10).map(|power| 1 << power);
    candidates.find(|tensor| *tensor > before.tensor && fits(&with(*tensor)))
}

fn most_sequences(placement: &Placement<'_>) -> Option<u32> {
    let mut candidates = (4..14).rev().map(|power| 1 << power);
    candidates.find(|sequences| {
        *sequences < placement.max_num_seqs
            && fits(&Placement { max_num_seqs: *sequences, ..*placement })
    })
}

fn gentlest_precision(placement: &Placement<'_>) -> Option<Precision> {
    let before = placement.precision;
    let candidates = ["fp8", "nvfp4"].map(|name| name.parse::<Precision>().expect("a format"));
    candidates.into_iter().find(|candidate| {
        candidate.weights.dense_bytes() < before.weights.dense_bytes()
            && placement.hardware.dense_peak(*candidate).1
            && fits(&Placement { precision: *candidate, ..*placement })
    })
}

/// Whether a placement is worth suggesting: it runs, and its cache holds at
/// least the tokens of one full step.
fn fits(placement: &Placement<'_>) -> bool {
    let budget = Budget::new(placement);
    let step_tokens = placement.max_num_batched_tokens;
    let needs = BlockNeeds::new(budget.groups, placement.block_tokens, step_tokens);
    placement.parallelism.problems(placement.model, placement.hardware).is_empty()
        && needs.peak(step_tokens) <= u64::from(budget.blocks())
}

#[cfg(test)]
mod tests;
