//! The columns of a step table: where they are, and what their cells say.

use super::{Deployment, PREDICTED, Work};
use crate::error::{Error, Mistake, Result};
use std::io::Write;

/// Longest sequence and largest batch a row may name.
const TOKENS_MAX: u64 = 1 << 27;

/// What a cell or a row says, or what is wrong with it.
type Cell<T> = std::result::Result<T, Box<Mistake>>;

/// Where the columns are.
pub(super) struct Columns {
    system: usize,
    model: usize,
    precision: usize,
    tp: usize,
    phase: usize,
    batch: usize,
    new_tokens: usize,
    prefix_tokens: usize,
    context: usize,
    kv_quant: Option<usize>,
    attn_dp: Option<usize>,
    moe_tp: Option<usize>,
    moe_ep: Option<usize>,
    predicted: Option<usize>,
}

impl Columns {
    pub(super) fn find(header: &csv::ByteRecord, name: &str) -> Result<Columns> {
        let at = |column: &str| header.iter().position(|cell| cell == column.as_bytes());
        let mut missing = Vec::new();
        let mut need = |column: &'static str| {
            at(column).unwrap_or_else(|| {
                missing.push(column);
                0
            })
        };
        let columns = Columns {
            system: need("system"),
            model: need("model"),
            precision: need("precision"),
            tp: need("tp"),
            phase: need("phase"),
            batch: need("batch_per_dp"),
            new_tokens: need("new_tokens"),
            prefix_tokens: need("prefix_tokens"),
            context: need("context"),
            kv_quant: at("kv_quant"),
            attn_dp: at("attn_dp"),
            moe_tp: at("moe_tp"),
            moe_ep: at("moe_ep"),
            predicted: at(PREDICTED),
        };
        if missing.is_empty() {
            return Ok(columns);
        }
        Err(Error::Invalid(vec![Mistake {
            file: name.to_owned(),
            line: Some(1),
            key: String::new(),
            value: None,
            problem: format!("the header lacks {}", missing.join(", ")),
            fix: "name the columns in the first line".to_owned(),
        }]))
    }

    /// One row; `width` is the number of columns of the header.
    pub(super) fn read(
        &self,
        record: &csv::ByteRecord,
        width: usize,
        name: &str,
    ) -> Cell<(Deployment, Work)> {
        let row = Row { record, name };
        if record.len() != width {
            let problem = format!("{} cells where the header has {width}", record.len());
            return Err(row.mistake("", None, problem, "give every column a cell"));
        }
        let deployment = Deployment {
            system: row.text(self.system, "system")?.to_owned(),
            model: row.text(self.model, "model")?.to_owned(),
            precision: row.text(self.precision, "precision")?.to_owned(),
            kv_quant: row.optional(self.kv_quant, "kv_quant")?.map(str::to_owned),
            tp: row.degree(Some(self.tp), "tp")?.unwrap_or(1),
            attn_dp: row.degree(self.attn_dp, "attn_dp")?.unwrap_or(1),
            moe_tp: row.degree(self.moe_tp, "moe_tp")?,
            moe_ep: row.degree(self.moe_ep, "moe_ep")?,
        };
        let batch = row.count(self.batch, "batch_per_dp", 1)?;
        let work = match row.text(self.phase, "phase")? {
            "prefill" => Work::Prefill {
                batch,
                new_tokens: row.count(self.new_tokens, "new_tokens", 1)?,
                prefix_tokens: row.count(self.prefix_tokens, "prefix_tokens", 0)?,
            },
            "decode" => Work::Decode { batch, context: row.count(self.context, "context", 1)? },
            other => {
                let problem = "is not a phase".to_owned();
                return Err(row.mistake("phase", Some(other), problem, "give prefill or decode"));
            }
        };
        Ok((deployment, work))
    }

    pub(super) fn write<W: Write>(
        &self,
        writer: &mut csv::Writer<W>,
        record: &csv::ByteRecord,
        cell: &str,
    ) -> csv::Result<()> {
        for (index, kept) in record.iter().enumerate() {
            writer.write_field(if self.predicted == Some(index) {
                cell.as_bytes()
            } else {
                kept
            })?;
        }
        if self.predicted.is_none() {
            writer.write_field(cell)?;
        }
        writer.write_record(None::<&[u8]>)
    }
}

/// Reads the cells of one row and says where they are wrong.
struct Row<'a> {
    record: &'a csv::ByteRecord,
    name: &'a str,
}

impl<'a> Row<'a> {
    fn mistake(&self, key: &str, value: Option<&str>, problem: String, fix: &str) -> Box<Mistake> {
        Box::new(Mistake {
            file: self.name.to_owned(),
            line: self.record.position().map(|position| position.line() as usize),
            key: key.to_owned(),
            value: value.map(str::to_owned),
            problem,
            fix: fix.to_owned(),
        })
    }

    fn text(&self, column: usize, key: &str) -> Cell<&'a str> {
        std::str::from_utf8(&self.record[column]).map(str::trim).map_err(|_| {
            self.mistake(key, None, "is not UTF-8 text".to_owned(), "save the table as UTF-8")
        })
    }

    fn optional(&self, column: Option<usize>, key: &str) -> Cell<Option<&'a str>> {
        let Some(column) = column else { return Ok(None) };
        Ok(Some(self.text(column, key)?).filter(|text| !text.is_empty()))
    }

    /// A degree of parallelism, or nothing where the cell is empty.
    fn degree(&self, column: Option<usize>, key: &str) -> Cell<Option<u32>> {
        let Some(text) = self.optional(column, key)? else { return Ok(None) };
        match text.parse() {
            Ok(degree) if degree > 0 => Ok(Some(degree)),
            _ => {
                let problem = "is not a number of GPUs".to_owned();
                Err(self.mistake(key, Some(text), problem, "give a whole number above 0"))
            }
        }
    }

    fn count(&self, column: usize, key: &str, low: u64) -> Cell<u64> {
        let text = self.text(column, key)?;
        match text.parse() {
            Ok(count) if (low..=TOKENS_MAX).contains(&count) => Ok(count),
            _ => {
                let fix = format!("give a whole number from {low} to {TOKENS_MAX}");
                Err(self.mistake(key, Some(text), "is not a usable count".to_owned(), &fix))
            }
        }
    }
}
