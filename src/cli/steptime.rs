//! `steptime`: latency of one engine step, and where the time goes; or of every
//! step of a CSV table.

use super::columns::columns;
use super::{Globals, blame, json};
use crate::catalog::{Catalog, KvFormat, Precision, Unknown};
use crate::error::{Error, Mistake, Result};
use crate::factory::{Batch, GroupTokens, Parallelism, StepTime};
use crate::study::StepTable;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `steptime`.
#[derive(Debug, Args)]
pub(super) struct SteptimeArgs {
    /// A table of steps to add `predicted_ms` to, in place of one step; `-` is
    /// standard input, and --out names the file to write
    #[arg(long, value_name = "IN", conflicts_with_all = ["model", "hardware"])]
    csv: Option<PathBuf>,
    /// Model, a name of the catalog
    #[arg(long, required_unless_present = "csv")]
    model: Option<String>,
    /// GPU, a name of the catalog
    #[arg(long, required_unless_present = "csv")]
    hardware: Option<String>,
    /// Number format of the weights
    #[arg(long, default_value = "bf16")]
    precision: String,
    /// Number format of the KV cache [default: follows the weights]
    #[arg(long)]
    kv_precision: Option<String>,
    /// GPUs that split every layer
    #[arg(long, value_name = "N", default_value_t = 1)]
    tensor_parallel: u32,
    /// Attention ranks, each with the batch given here
    #[arg(long, value_name = "N", default_value_t = 1)]
    data_parallel: u32,
    /// GPUs that split the experts
    #[arg(long, value_name = "N", default_value_t = 1)]
    expert_parallel: u32,
    /// Sequences that decode one token
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: u32,
    /// Tokens that each of them attends to
    #[arg(long, value_name = "N", default_value_t = 1024)]
    context: u32,
    /// Prompt tokens computed in the same step, as one prompt
    #[arg(long, value_name = "N", default_value_t = 0)]
    prefill: u32,
    /// Factor on the GPU's time
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    step_scale: f64,
}

pub(super) fn steptime(args: &SteptimeArgs, globals: &Globals) -> Result<String> {
    if let Some(input) = &args.csv {
        return annotate(input, globals);
    }
    let step = args.step()?;
    let seconds = step.time.seconds(&step.batch, step.group);
    let terms = step.terms();
    if globals.json {
        let terms: serde_json::Map<String, serde_json::Value> =
            terms.iter().map(|(name, seconds)| (format!("{name}_s"), json!(seconds))).collect();
        return Ok(json(&json!({ "step_s": seconds, "terms": terms, "notes": step.caveats })));
    }
    let mut rows: Vec<Vec<String>> =
        terms.iter().map(|(name, part)| row(name, *part, seconds)).collect();
    rows.push(row("step", seconds, seconds));
    let mut text = columns(&["term", "ms", "share"], &rows, 1);
    for caveat in &step.caveats {
        text += &format!("note: {caveat}\n");
    }
    Ok(text)
}

fn annotate(input: &Path, globals: &Globals) -> Result<String> {
    let Some(output) = &globals.out else {
        let problem = "is missing".to_owned();
        let fix = "name the file to write, or `-` for standard output".to_owned();
        return Err(Error::Invalid(vec![wrong("--out", problem, fix)]));
    };
    let done = StepTable::new(Catalog::embedded()).annotate_file(input, output);
    let done = done.map_err(|error| blame("steptime", error))?;
    super::tell(&format!("{} rows, {} predicted", done.rows, done.predicted));
    if globals.json && output != Path::new("-") {
        return Ok(json(&json!({ "rows": done.rows, "predicted": done.predicted })));
    }
    Ok(String::new())
}

fn row(name: &str, part: f64, whole: f64) -> Vec<String> {
    vec![
        name.replace('_', " "),
        format!("{:.3}", part * 1e3),
        format!("{:.1} %", 100.0 * part / whole),
    ]
}

/// A step and what it is made of.
struct Step {
    time: StepTime,
    batch: Batch,
    group: GroupTokens,
    caveats: Vec<String>,
}

impl SteptimeArgs {
    fn step(&self) -> Result<Step> {
        let catalog = Catalog::embedded();
        let mut mistakes = Vec::new();
        let model = known(
            "--model",
            catalog.model(self.model.as_deref().unwrap_or_default()),
            &mut mistakes,
        );
        let hardware = known(
            "--hardware",
            catalog.hardware(self.hardware.as_deref().unwrap_or_default()),
            &mut mistakes,
        );
        let precision = known("--precision", self.precision.parse::<Precision>(), &mut mistakes);
        let kv = self.kv_precision.as_ref().map(|kv| kv.parse::<KvFormat>());
        let kv = kv.and_then(|kv| known("--kv-precision", kv, &mut mistakes));
        let parallelism = Parallelism {
            tensor: self.tensor_parallel,
            data: self.data_parallel,
            expert: self.expert_parallel,
        };
        if let (Some(model), Some(hardware)) = (&model, &hardware) {
            let problems = parallelism.problems(model, hardware).into_iter();
            mistakes.extend(problems.map(|problem| {
                wrong(&format!("--{}", problem.key.replace('_', "-")), problem.problem, problem.fix)
            }));
        }
        if !(0.01..=100.0).contains(&self.step_scale) {
            let problem = format!("{} is out of range", self.step_scale);
            mistakes.push(wrong("--step-scale", problem, "give 0.01 to 100".to_owned()));
        }
        if self.batch == 0 && self.prefill == 0 {
            let problem = "the step is empty".to_owned();
            mistakes.push(wrong("--batch", problem, "give a batch or --prefill".to_owned()));
        }
        let (Some(model), Some(hardware), Some(precision), true) =
            (model, hardware, precision, mistakes.is_empty())
        else {
            return Err(Error::Invalid(mistakes));
        };
        let precision = kv.map_or(precision, |kv| precision.with_kv_cache(kv));
        let time = StepTime::new(&model, &hardware, precision, parallelism, self.step_scale, 0.0);
        let batch = self.batch(&time);
        let group = GroupTokens::of(&batch, parallelism.data.into());
        let caveats = StepTime::caveats(&model, &hardware, precision, parallelism);
        Ok(Step { time, batch, group, caveats })
    }

    fn batch(&self, time: &StepTime) -> Batch {
        let decodes = super::validate::decode_batch(time, self.batch.into(), self.context.into());
        let tokens = u64::from(self.prefill);
        let window = time.window.map_or(tokens, u64::from).min(tokens);
        Batch {
            prefills: u64::from(tokens > 0),
            prefill_tokens: tokens,
            prefill_pairs: tokens * (tokens + 1) / 2,
            // The first `window` queries see all before them, the rest a window.
            prefill_pairs_windowed: window * (window + 1) / 2 + (tokens - window) * window,
            ..decodes
        }
    }
}

impl Step {
    /// The step's parts; they add up to it.
    fn terms(&self) -> Vec<(&'static str, f64)> {
        let (time, batch) = (&self.time, &self.batch);
        let sequences = (batch.decodes + batch.prefills) as f64;
        let context = time.context_seconds(&Batch {
            decode_context: batch.decode_context,
            decode_context_windowed: batch.decode_context_windowed,
            ..Batch::default()
        });
        let mut terms = vec![
            ("fixed", time.per_step),
            ("tokens", time.per_token * batch.tokens() as f64),
            ("logits", time.per_sequence * sequences),
            ("decode_attention", context),
            ("prefill_attention", time.context_seconds(batch) - context),
        ];
        if let Some(experts) = &time.experts {
            terms.push(("expert_weights", time.expert_weights(self.group)));
            terms.push(("expert_tokens", experts.per_group_token * self.group.all() as f64));
        }
        terms
    }
}

fn known<T>(
    option: &str,
    found: std::result::Result<T, Unknown>,
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    found
        .map_err(|unknown| {
            let problem = format!("unknown {} \"{}\"", unknown.kind, unknown.name);
            mistakes.push(wrong(option, problem, unknown.fix()));
        })
        .ok()
}

fn wrong(option: &str, problem: String, fix: String) -> Mistake {
    let (file, key) = (option.to_owned(), String::new());
    Mistake { file, line: None, key, value: None, problem, fix }
}
