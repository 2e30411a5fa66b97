//! The TOML mirror of a model entry, and its checks.

use super::model::{Attention, Experts, FeedForward, Model, Window};
use super::origin::{Checker, Confidence, Origin, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelFile {
    pub(super) model: Vec<RawModel>,
}

/// A model as written in TOML: a new one, or changes to one of the catalog.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawModel {
    /// Name; that of a catalog entry changes this entry.
    pub name: String,
    /// Catalog entry that supplies the keys left out here.
    pub base: Option<String>,
    /// Other names it answers to.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Transformer layers.
    pub layers: Option<u32>,
    /// Width of the hidden state.
    pub hidden: Option<u32>,
    /// Tokens in the vocabulary.
    pub vocabulary: Option<u32>,
    /// Whether the output projection shares the embedding's weights (default false).
    pub tied_embeddings: Option<bool>,
    /// Longest sequence the model accepts, tokens.
    pub max_context_tokens: Option<u32>,
    /// Parameters in all, billions; counted from the dimensions when absent.
    pub total_parameters_b: Option<f64>,
    /// Parameters one token uses, billions; counted from the dimensions when absent.
    pub active_parameters_b: Option<f64>,
    /// Attention that caches keys and values of some heads.
    pub grouped: Option<RawGrouped>,
    /// Attention that caches a latent (MLA).
    pub latent: Option<RawLatent>,
    /// Layers with a plain feed-forward part.
    pub dense: Option<RawFeedForward>,
    /// Layers with a mixture of experts.
    pub experts: Option<RawExperts>,
    /// Where the dimensions were read.
    pub source: Option<String>,
    /// How far to trust them.
    pub confidence: Option<Confidence>,
}

/// Grouped-query attention (multi-head and multi-query included).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawGrouped {
    /// Query heads.
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Width of one head.
    pub head_dim: u32,
    /// Tokens that a windowed layer sees.
    pub window_tokens: Option<u32>,
    /// How many layers are windowed.
    pub windowed_layers: Option<u32>,
}

/// Multi-head latent attention.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLatent {
    /// Query heads.
    pub heads: u32,
    /// Width of the compressed query.
    pub query_rank: u32,
    /// Width of the cached latent.
    pub kv_rank: u32,
    /// Width of a key that carries no position.
    pub nope_dim: u32,
    /// Width of the cached key that carries the position.
    pub rope_dim: u32,
    /// Width of a value.
    pub value_dim: u32,
}

/// Layers with a plain (gated) feed-forward part.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFeedForward {
    /// How many layers.
    pub layers: u32,
    /// Inner width.
    pub width: u32,
}

/// Layers with a mixture of experts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExperts {
    /// How many layers.
    pub layers: u32,
    /// Routed experts in a layer.
    pub routed: u32,
    /// Routed experts that one token uses.
    pub active: u32,
    /// Experts that every token uses (default 0).
    #[serde(default)]
    pub shared: u32,
    /// Inner width of one expert.
    pub width: u32,
}

/// No dimension of a layer is wider than this, nor a model deeper.
const WIDTH_MAX: u32 = 1 << 20;
const LAYERS_MAX: u32 = 10_000;
/// Bounds the table of activated experts.
const EXPERTS_MAX: u32 = 4096;
/// Keeps token counts and their products far from overflow.
const CONTEXT_MAX: u32 = 1 << 27;

impl RawModel {
    pub(super) fn check(&self, base: Option<&Model>) -> Result<Model, Vec<Problem>> {
        let mut checker = Checker::default();
        if self.name.trim().is_empty() {
            checker.report("name", "is empty".to_owned(), "give the entry a name");
        }
        let mut size = |key: &str, value: Option<u32>, base: Option<u32>, max: u32| {
            let value = checker.required(key, value.or(base))?;
            Some(checker.within(key, value, 1, max))
        };
        let layers = size("layers", self.layers, base.map(|base| base.layers), LAYERS_MAX);
        let hidden = size("hidden", self.hidden, base.map(|base| base.hidden), WIDTH_MAX);
        let vocabulary =
            size("vocabulary", self.vocabulary, base.map(|base| base.vocabulary), 1 << 24);
        let context = base.map(|base| base.max_context_tokens);
        let max_context_tokens =
            size("max_context_tokens", self.max_context_tokens, context, CONTEXT_MAX);
        let attention = self.attention(&mut checker, base);
        let has_parts = self.dense.is_some() || self.experts.is_some();
        let inherited = base.filter(|_| !has_parts);
        let dense = self.dense(&mut checker).or(inherited.and_then(|base| base.dense));
        let experts = self.experts(&mut checker).or(inherited.and_then(|base| base.experts));
        let total = self.total_parameters_b.map(|b| checker.positive("total_parameters_b", b));
        let active = self.active_parameters_b.map(|b| checker.positive("active_parameters_b", b));
        let parts = [dense.map(|dense| dense.layers), experts.map(|experts| experts.layers)];
        if let Some(layers) = layers {
            check_layers(&mut checker, layers, attention, parts);
        }
        let (
            Some(layers),
            Some(hidden),
            Some(vocabulary),
            Some(max_context_tokens),
            Some(attention),
            true,
        ) = (
            layers,
            hidden,
            vocabulary,
            max_context_tokens,
            attention,
            checker.problems.is_empty(),
        )
        else {
            return Err(checker.problems);
        };
        let replaced = base.filter(|base| base.name == self.name);
        let mut model = Model {
            name: self.name.trim().to_owned(),
            aliases: match replaced {
                Some(base) if self.aliases.is_empty() => base.aliases.clone(),
                _ => self.aliases.clone(),
            },
            layers,
            hidden,
            vocabulary,
            tied_embeddings: self
                .tied_embeddings
                .unwrap_or(base.is_some_and(|base| base.tied_embeddings)),
            attention,
            dense,
            experts,
            max_context_tokens,
            total_parameters: 0.0,
            active_parameters: 0.0,
            origin: Origin::new("dimensions", &self.source, self.confidence),
        };
        let counted = model.count_parameters();
        model.total_parameters = total.map_or(counted.0, |billions| billions * 1e9);
        model.active_parameters = active.map_or(counted.1, |billions| billions * 1e9);
        Ok(model)
    }

    fn attention(&self, checker: &mut Checker, base: Option<&Model>) -> Option<Attention> {
        match (&self.grouped, &self.latent) {
            (Some(_), Some(_)) => {
                let problem = "both grouped and latent attention are given".to_owned();
                checker.report("grouped", problem, "keep one of [grouped] and [latent]");
                None
            }
            (Some(raw), None) => Some(raw.check(checker)),
            (None, Some(raw)) => Some(raw.check(checker)),
            (None, None) => checker.required("grouped", base.map(|base| base.attention)),
        }
    }

    fn dense(&self, checker: &mut Checker) -> Option<FeedForward> {
        self.dense.as_ref().map(|raw| FeedForward {
            layers: checker.within("dense.layers", raw.layers, 1, LAYERS_MAX),
            width: checker.within("dense.width", raw.width, 1, WIDTH_MAX),
        })
    }

    fn experts(&self, checker: &mut Checker) -> Option<Experts> {
        self.experts.as_ref().map(|raw| Experts {
            layers: checker.within("experts.layers", raw.layers, 1, LAYERS_MAX),
            routed: checker.within("experts.routed", raw.routed, 1, EXPERTS_MAX),
            active: checker.within("experts.active", raw.active, 1, raw.routed.max(1)),
            shared: checker.within("experts.shared", raw.shared, 0, EXPERTS_MAX),
            width: checker.within("experts.width", raw.width, 1, WIDTH_MAX),
        })
    }
}

impl RawGrouped {
    fn check(&self, checker: &mut Checker) -> Attention {
        let heads = checker.within("grouped.heads", self.heads, 1, WIDTH_MAX);
        let kv_heads = checker.within("grouped.kv_heads", self.kv_heads, 1, heads.max(1));
        if kv_heads > 0 && !heads.is_multiple_of(kv_heads) {
            let problem = format!("{heads} heads cannot share {kv_heads} KV heads evenly");
            checker.report("grouped.kv_heads", problem, "give a divisor of heads");
        }
        let window = match (self.window_tokens, self.windowed_layers) {
            (Some(tokens), Some(layers)) => Some(Window {
                tokens: checker.within("grouped.window_tokens", tokens, 1, CONTEXT_MAX),
                layers: checker.within("grouped.windowed_layers", layers, 1, LAYERS_MAX),
            }),
            (None, None) => None,
            _ => {
                let problem = "window_tokens and windowed_layers go together".to_owned();
                checker.report("grouped.window_tokens", problem, "give both or neither");
                None
            }
        };
        let head_dim = checker.within("grouped.head_dim", self.head_dim, 1, WIDTH_MAX);
        Attention::Grouped { heads, kv_heads, head_dim, window }
    }
}

impl RawLatent {
    fn check(&self, checker: &mut Checker) -> Attention {
        let mut width = |key: &str, value| checker.within(key, value, 1, WIDTH_MAX);
        Attention::Latent {
            heads: width("latent.heads", self.heads),
            query_rank: width("latent.query_rank", self.query_rank),
            kv_rank: width("latent.kv_rank", self.kv_rank),
            nope_dim: width("latent.nope_dim", self.nope_dim),
            rope_dim: width("latent.rope_dim", self.rope_dim),
            value_dim: width("latent.value_dim", self.value_dim),
        }
    }
}

/// Each layer has one feed-forward part; windowed layers are among the layers.
fn check_layers(
    checker: &mut Checker,
    layers: u32,
    attention: Option<Attention>,
    parts: [Option<u32>; 2],
) {
    let [dense, experts] = parts.map(|layers| layers.unwrap_or(0));
    if dense.saturating_add(experts) != layers {
        let problem = format!("{dense} dense and {experts} expert layers do not make {layers}");
        checker.report("layers", problem, "make dense.layers + experts.layers equal layers");
    }
    if let Some(Attention::Grouped { window: Some(window), .. }) = attention
        && window.layers > layers
    {
        let problem = format!("{} of {layers} layers are windowed", window.layers);
        checker.report("grouped.windowed_layers", problem, "give at most layers");
    }
}
