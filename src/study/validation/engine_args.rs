//! The engine arguments recorded beside a log, as the pool they describe.
//!
//! Arguments keep the names that vLLM gives them. One that is absent or null
//! is left to the scenario's default; one that the simulator has no model of
//! is a mistake, so that no log is replayed as something else.

use crate::catalog::{Catalog, Unknown};
use crate::error::Mistake;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write;

/// The part of `meta.json` that matters.
#[derive(Debug, Deserialize)]
pub(super) struct Meta {
    model: Option<String>,
    engine_kwargs: EngineArgs,
}

#[derive(Debug, Deserialize)]
struct EngineArgs {
    model: Option<String>,
    dtype: Option<String>,
    quantization: Option<String>,
    kv_cache_dtype: Option<String>,
    tensor_parallel_size: Option<u32>,
    data_parallel_size: Option<u32>,
    pipeline_parallel_size: Option<u32>,
    enable_expert_parallel: Option<bool>,
    speculative_config: Option<Value>,
    max_num_seqs: Option<u32>,
    max_num_batched_tokens: Option<u32>,
    max_model_len: Option<u32>,
    block_size: Option<u32>,
    num_gpu_blocks_override: Option<u32>,
    gpu_memory_utilization: Option<f64>,
}

/// Where an argument stands in the file, for messages.
pub(super) struct Place<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl Place<'_> {
    pub(super) fn mistake(
        &self,
        key: &str,
        value: Option<String>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Mistake {
        let quoted = format!("\"{key}\"");
        // The last one: a model is named outside of the arguments first.
        let line = self.text.lines().enumerate().filter(|(_, line)| line.contains(&quoted)).last();
        Mistake {
            file: self.file.to_owned(),
            line: line.map(|(index, _)| index + 1),
            key: key.to_owned(),
            value,
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    fn unknown(&self, key: &str, unknown: &Unknown) -> Mistake {
        let problem = format!("unknown {}", unknown.kind);
        self.mistake(key, Some(unknown.name.clone()), problem, unknown.fix())
    }
}

impl Meta {
    pub(super) fn parse(place: &Place<'_>) -> Result<Meta, Vec<Mistake>> {
        serde_json::from_str(place.text).map_err(|error| {
            let fix = "give the engine's arguments as JSON";
            let line = Some(error.line());
            vec![Mistake { line, ..place.mistake("", None, error.to_string(), fix) }]
        })
    }

    /// The pool as TOML, without `[pool.engine]` keys of step times.
    pub(super) fn pool(
        &self,
        hardware: &str,
        place: &Place<'_>,
    ) -> Result<(String, String), Vec<Mistake>> {
        let args = &self.engine_kwargs;
        let mut mistakes = self.unmodeled(place);
        let catalog = Catalog::embedded();
        let name = args.model.as_ref().or(self.model.as_ref());
        let Some(name) = name else {
            let fix = "name the model in engine_kwargs";
            mistakes.push(place.mistake("model", None, "is missing", fix));
            return Err(mistakes);
        };
        let model = catalog.model(name).map_err(|unknown| place.unknown("model", &unknown));
        let hardware = catalog
            .hardware(hardware)
            .map_err(|unknown| Mistake { line: None, ..place.unknown("hardware", &unknown) });
        let published = model.as_ref().map_or("bf16", |model| published_format(&model.name));
        let (weights, kv) = args.formats(published, place, &mut mistakes);
        let (model, hardware) = match (model, hardware) {
            (Ok(model), Ok(hardware)) if mistakes.is_empty() => (model, hardware),
            (model, hardware) => {
                mistakes.extend(model.err().into_iter().chain(hardware.err()));
                return Err(mistakes);
            }
        };
        let tensor = args.tensor_parallel_size.unwrap_or(1);
        let ranks = args.data_parallel_size.unwrap_or(1);
        let mut pool = format!(
            "model = {:?}\nhardware = {:?}\nprecision = {weights:?}\nkv_precision = {kv:?}\n\
             tensor_parallel = {tensor}\n",
            model.name, hardware.name
        );
        // Ranks of a dense model share nothing: they are replicas.
        if model.experts.is_none() {
            let _ = writeln!(pool, "replicas = {ranks}");
        } else {
            let is_spread = args.enable_expert_parallel.unwrap_or(false);
            let expert = if is_spread { tensor.saturating_mul(ranks) } else { 1 };
            let _ = writeln!(pool, "data_parallel = {ranks}\nexpert_parallel = {expert}");
        }
        Ok((pool, args.limits()))
    }

    fn unmodeled(&self, place: &Place<'_>) -> Vec<Mistake> {
        let args = &self.engine_kwargs;
        let mut mistakes = Vec::new();
        let stages = args.pipeline_parallel_size.filter(|stages| *stages > 1);
        if let Some(stages) = stages {
            mistakes.push(place.mistake(
                "pipeline_parallel_size",
                Some(stages.to_string()),
                "pipelines are not modeled",
                "replay runs of one stage",
            ));
        }
        if args.speculative_config.as_ref().is_some_and(|config| !config.is_null()) {
            mistakes.push(place.mistake(
                "speculative_config",
                None,
                "speculative decoding is not modeled",
                "replay runs without it",
            ));
        }
        mistakes
    }
}

impl EngineArgs {
    /// Formats of weights and KV cache. `auto` caches in the format of the
    /// activations, whatever the weights are.
    fn formats<'a>(
        &'a self,
        published: &'a str,
        place: &Place<'_>,
        mistakes: &mut Vec<Mistake>,
    ) -> (&'a str, &'static str) {
        let weights = match self.quantization.as_deref() {
            None => published,
            Some("modelopt") => "fp8",
            Some("modelopt_fp4") => "nvfp4",
            Some(other) => other,
        };
        if let Some(other) = self.dtype.as_deref()
            && !["auto", "bfloat16", "bf16", "float16", "half"].contains(&other)
        {
            let (problem, fix) = ("is not a modeled format", "give bfloat16, float16 or auto");
            mistakes.push(place.mistake("dtype", Some(other.to_owned()), problem, fix));
        }
        if let Err(unknown) = weights.parse::<crate::catalog::WeightFormat>() {
            mistakes.push(place.unknown("quantization", &unknown));
        }
        let kv = match self.kv_cache_dtype.as_deref() {
            None | Some("auto" | "bfloat16" | "bf16") => "bf16",
            Some(other) if other.starts_with("fp8") => "fp8",
            Some(other) => {
                let problem = "is not a modeled format";
                let value = Some(other.to_owned());
                mistakes.push(place.mistake("kv_cache_dtype", value, problem, "give auto or fp8"));
                "bf16"
            }
        };
        (weights, kv)
    }

    /// Keys of `[pool.engine]`.
    fn limits(&self) -> String {
        let mut keys = String::new();
        let counts = [
            ("max_num_seqs", self.max_num_seqs),
            ("max_num_batched_tokens", self.max_num_batched_tokens),
            ("max_model_len", self.max_model_len),
            ("block_tokens", self.block_size),
            ("kv_blocks", self.num_gpu_blocks_override),
        ];
        for (key, count) in counts {
            if let Some(count) = count {
                let _ = writeln!(keys, "{key} = {count}");
            }
        }
        if let Some(share) = self.gpu_memory_utilization {
            let _ = writeln!(keys, "gpu_memory_utilization = {share:?}");
        }
        keys
    }
}

/// The format that a model's weights are published in, which an engine takes
/// when it is told nothing.
fn published_format(model: &str) -> &'static str {
    match model {
        "gpt-oss-120b" => "mxfp4",
        "deepseek-r1" => "fp8",
        _ => "bf16",
    }
}

/// The engine argument that a key of the pool came from.
pub(super) fn argument(key: &str) -> &str {
    let last = key.rsplit('.').next().unwrap_or(key);
    match last {
        "tensor_parallel" => "tensor_parallel_size",
        "data_parallel" | "replicas" => "data_parallel_size",
        "expert_parallel" => "enable_expert_parallel",
        "block_tokens" => "block_size",
        "kv_blocks" => "num_gpu_blocks_override",
        "precision" => "quantization",
        "kv_precision" => "kv_cache_dtype",
        other => other,
    }
}
