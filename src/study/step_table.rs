//! Step times for a table of configurations: one row in, one latency out.
//!
//! Reads a CSV table by its header, adds `predicted_ms` to each row and keeps
//! every other column as it was. A configuration that the catalog does not know
//! gets an empty cell; a row that cannot be read is a mistake with its line.
//! The prediction is the GPU's step alone: scale 1, no host overhead, every
//! data-parallel rank with the same batch.
//!
//! Cost: rows stream; the coefficients of each distinct configuration are kept.

mod columns;

use crate::catalog::{Catalog, KvFormat, Precision};
use crate::error::{Error, Result};
use crate::factory::{Batch, GroupTokens, Parallelism, StepTime};
use columns::Columns;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// The column that is added, or overwritten where the table has one.
const PREDICTED: &str = "predicted_ms";
/// Mistakes reported before the rest of a table is left unread.
const MISTAKES_MAX: usize = 20;

/// What runs a step: everything that decides its coefficients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    /// GPU, by any name the catalog knows.
    pub system: String,
    /// Model, by any name the catalog knows.
    pub model: String,
    /// Format of the weights.
    pub precision: String,
    /// Format of the KV cache; the one that goes with the weights when absent.
    pub kv_quant: Option<String>,
    /// Tensor parallelism.
    pub tp: u32,
    /// Attention data parallelism.
    pub attn_dp: u32,
    /// GPUs that share one expert, where stated.
    pub moe_tp: Option<u32>,
    /// Expert parallelism, where stated.
    pub moe_ep: Option<u32>,
}

/// What each data-parallel rank does in the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// `batch` prompts of `new_tokens` after `prefix_tokens` that are cached.
    Prefill {
        /// Prompts.
        batch: u64,
        /// Tokens computed in each.
        new_tokens: u64,
        /// Tokens cached before each.
        prefix_tokens: u64,
    },
    /// `batch` sequences that each attend to `context` tokens.
    Decode {
        /// Sequences.
        batch: u64,
        /// Tokens attended by each.
        context: u64,
    },
}

/// Predicts steps; keeps the coefficients of the deployments it has met.
pub struct StepTable<'a> {
    catalog: &'a Catalog,
    known: HashMap<Deployment, Option<Known>>,
}

struct Known {
    step_time: StepTime,
    ranks: u64,
}

/// What became of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotated {
    /// Rows read.
    pub rows: u64,
    /// Rows whose configuration is known.
    pub predicted: u64,
}

impl<'a> StepTable<'a> {
    /// A table over the entries of `catalog`.
    pub fn new(catalog: &'a Catalog) -> Self {
        StepTable { catalog, known: HashMap::new() }
    }

    /// Duration of one step in ms, or `None` for an unknown configuration.
    pub fn predict(&mut self, deployment: &Deployment, work: Work) -> Option<f64> {
        if !self.known.contains_key(deployment) {
            let known = know(self.catalog, deployment);
            self.known.insert(deployment.clone(), known);
        }
        let known = self.known[deployment].as_ref()?;
        let batch = work.batch(known.step_time.window);
        let group = GroupTokens::of(&batch, known.ranks);
        Some(known.step_time.seconds(&batch, group) * 1e3)
    }

    /// Copies a CSV table from `input` to `output` with `predicted_ms` added;
    /// `name` stands for the input in messages.
    pub fn annotate(
        &mut self,
        input: impl Read,
        output: impl Write,
        name: &str,
    ) -> Result<Annotated> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let mut writer = csv::Writer::from_writer(output);
        let header = reader.byte_headers().map_err(|error| unreadable(name, error))?.clone();
        let columns = Columns::find(&header, name)?;
        let write = |writer: &mut csv::Writer<_>, record: &csv::ByteRecord, cell: &str| {
            columns.write(writer, record, cell).map_err(|error| unwritable(name, error))
        };
        write(&mut writer, &header, PREDICTED)?;
        let mut done = Annotated::default();
        let mut mistakes = Vec::new();
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|error| unreadable(name, error))? {
            match columns.read(&record, header.len(), name) {
                Ok((deployment, work)) => {
                    let predicted = self.predict(&deployment, work);
                    done.rows += 1;
                    done.predicted += u64::from(predicted.is_some());
                    let cell = predicted.map_or(String::new(), |ms| format!("{ms:.5}"));
                    write(&mut writer, &record, &cell)?;
                }
                Err(mistake) => mistakes.push(*mistake),
            }
            if mistakes.len() == MISTAKES_MAX {
                break;
            }
        }
        writer.flush().map_err(|source| unwritable(name, source.into()))?;
        if mistakes.is_empty() { Ok(done) } else { Err(Error::Invalid(mistakes)) }
    }

    /// As [`StepTable::annotate`], from file to file; `-` stands for standard
    /// input or output. The output appears whole, or not at all.
    pub fn annotate_file(&mut self, input: &Path, output: &Path) -> Result<Annotated> {
        let name = input.display().to_string();
        let reader: Box<dyn Read> = if input == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(input).map_err(|source| Error::Io {
                action: "cannot read",
                path: input.to_owned(),
                source,
                fix: "check the path",
            })?;
            Box::new(file)
        };
        let unwritable = |source| Error::Io {
            action: "cannot write",
            path: output.to_owned(),
            source,
            fix: "choose a folder that exists and can be written",
        };
        let is_stdout = output == Path::new("-");
        let temporary = match output.parent() {
            Some(folder) if !is_stdout && folder != Path::new("") => {
                tempfile::NamedTempFile::new_in(folder)
            }
            Some(_) if !is_stdout => tempfile::NamedTempFile::new_in("."),
            _ => tempfile::NamedTempFile::new(),
        };
        let mut temporary = temporary.map_err(unwritable)?;
        let done = self.annotate(reader, io::BufWriter::new(temporary.as_file_mut()), &name)?;
        if is_stdout {
            let mut whole = temporary.reopen().map_err(unwritable)?;
            io::copy(&mut whole, &mut io::stdout().lock()).map_err(unwritable)?;
        } else {
            temporary.persist(output).map_err(|error| unwritable(error.error))?;
        }
        Ok(done)
    }
}

/// Coefficients of a deployment whose every part the catalog knows.
fn know(catalog: &Catalog, deployment: &Deployment) -> Option<Known> {
    let hardware = catalog.hardware(&deployment.system).ok()?;
    let model = catalog.model(&deployment.model).ok()?;
    let mut precision: Precision = deployment.precision.parse().ok()?;
    if let Some(kv_quant) = &deployment.kv_quant {
        precision = precision.with_kv_cache(kv_quant.parse::<KvFormat>().ok()?);
    }
    let gpus = deployment.tp.checked_mul(deployment.attn_dp)?;
    let expert = match (deployment.moe_tp, deployment.moe_ep) {
        (None, None) => 1,
        (None, Some(expert)) => expert,
        (Some(sharing), None) => gpus.checked_div(sharing)?,
        (Some(sharing), Some(expert)) if sharing.checked_mul(expert) == Some(gpus) => expert,
        _ => return None,
    };
    let parallelism = Parallelism { tensor: deployment.tp, data: deployment.attn_dp, expert };
    if !parallelism.problems(&model, &hardware).is_empty() {
        return None;
    }
    let step_time = StepTime::new(&model, &hardware, precision, parallelism, 1.0, 0.0);
    Some(Known { step_time, ranks: u64::from(deployment.attn_dp) })
}

impl Work {
    /// The batch of one rank of a model with this attention window.
    fn batch(self, window: Option<u32>) -> Batch {
        let window = u64::from(window.unwrap_or(u32::MAX));
        match self {
            Work::Prefill { batch, new_tokens, prefix_tokens } => {
                let pairs = |window| windowed_pairs(prefix_tokens, new_tokens, window);
                Batch {
                    prefills: batch,
                    prefill_tokens: batch.saturating_mul(new_tokens),
                    prefill_pairs: batch.saturating_mul(pairs(u64::from(u32::MAX))),
                    prefill_pairs_windowed: batch.saturating_mul(pairs(window)),
                    prefill_prefix: batch.saturating_mul(prefix_tokens),
                    ..Batch::default()
                }
            }
            Work::Decode { batch, context } => Batch {
                decodes: batch,
                decode_context: batch.saturating_mul(context),
                decode_context_windowed: batch.saturating_mul(context.min(window)),
                ..Batch::default()
            },
        }
    }
}

/// (query, key) pairs of `new` tokens after `prefix`, each query seeing at most
/// `window` tokens.
fn windowed_pairs(prefix: u64, new: u64, window: u64) -> u64 {
    let growing = window.saturating_sub(prefix).min(new);
    growing * prefix + growing * (growing + 1) / 2 + (new - growing) * window
}

fn unreadable(name: &str, error: csv::Error) -> Error {
    Error::Failed(format!("cannot read {name}: {error}"))
}

fn unwritable(name: &str, error: csv::Error) -> Error {
    Error::Failed(format!("cannot write the predictions for {name}: {error}"))
}

#[cfg(test)]
mod tests;
