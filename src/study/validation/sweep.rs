//! Published sweeps over concurrency: one row a configuration and number of
//! clients, with the TTFT and TPOT that were measured.
//!
//! Columns are those of AIConfigurator's `silicon_sample.csv` in one table: id,
//! model, precision, engine, hardware, tp, ep, dp, pd_split, isl_mean,
//! osl_mean, arrival_kind, arrival_value, confidence, ttft_ms, tpot_ms.

use super::cells::{count, degree, explain, seconds};
use crate::error::{Error, Mistake, Result};
use serde::{Deserialize, Serialize};
use std::io::Read;

/// Mistakes listed before the rest of a table is left unread.
const MISTAKES_MAX: usize = 20;

/// A table that has been read.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Aggregated closed-loop rows of high confidence.
    pub rows: Vec<SweepRow>,
    /// Rows of other kinds: disaggregated, or of lower confidence.
    pub other_rows: usize,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRow {
    /// Name of the row.
    pub id: String,
    /// Model, as published.
    pub model: String,
    /// Format of the weights, in the catalog's words; `None` for one it lacks.
    pub precision: Option<&'static str>,
    /// Serving software: vllm, trtllm, sglang.
    pub engine: String,
    /// GPU, as published.
    pub hardware: String,
    /// Tensor parallelism.
    pub tensor: u32,
    /// Attention data parallelism.
    pub data: u32,
    /// Expert parallelism.
    pub expert: u32,
    /// Nominal prompt tokens.
    pub prompt: u32,
    /// Nominal output tokens.
    pub output: u32,
    /// Clients.
    pub concurrency: u32,
    /// Who measured, which decides how lengths are drawn.
    pub harness: Harness,
    /// Mean time to first token over all calls, s.
    pub ttft_s: f64,
    /// Time per output token, s.
    pub tpot_s: f64,
}

/// Who measured a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harness {
    /// InferenceX: lengths uniform between 80 and 100 % of the nominal ones.
    InferenceX,
    /// NVIDIA's own runs: every call has the nominal lengths.
    Nvidia,
}

#[derive(Deserialize)]
struct Raw {
    id: String,
    model: String,
    precision: String,
    engine: String,
    hardware: String,
    tp: Option<f64>,
    ep: Option<f64>,
    dp: Option<f64>,
    pd_split: String,
    isl_mean: Option<f64>,
    osl_mean: Option<f64>,
    arrival_kind: String,
    arrival_value: Option<f64>,
    confidence: String,
    ttft_ms: Option<f64>,
    tpot_ms: Option<f64>,
}

impl Sweep {
    /// Reads the table in `input`; `name` stands for it in messages.
    pub fn read(input: impl Read, name: &str) -> Result<Sweep> {
        let mut reader = csv::Reader::from_reader(input);
        let mut sweep = Sweep { rows: Vec::new(), other_rows: 0 };
        let mut mistakes = Vec::new();
        for (index, raw) in reader.deserialize::<Raw>().enumerate() {
            match raw.map_err(|error| explain(&error)).and_then(|raw| raw.check()) {
                Ok(Some(row)) => sweep.rows.push(row),
                Ok(None) => sweep.other_rows += 1,
                Err(problem) => mistakes.push(Mistake {
                    file: name.to_owned(),
                    line: Some(index + 2),
                    key: String::new(),
                    value: None,
                    problem,
                    fix: "mend the row".to_owned(),
                }),
            }
            if mistakes.len() == MISTAKES_MAX {
                break;
            }
        }
        if mistakes.is_empty() { Ok(sweep) } else { Err(Error::Invalid(mistakes)) }
    }
}

impl Raw {
    /// The row, or `None` for a kind that is not compared.
    fn check(self) -> std::result::Result<Option<SweepRow>, String> {
        if !self.pd_split.is_empty()
            || self.confidence != "high"
            || self.arrival_kind != "closed-loop concurrency"
        {
            return Ok(None);
        }
        Ok(Some(SweepRow {
            precision: self.format(),
            tensor: degree("tp", self.tp)?,
            data: degree("dp", self.dp)?,
            expert: degree("ep", self.ep)?,
            prompt: count("isl_mean", self.isl_mean)?,
            output: count("osl_mean", self.osl_mean)?,
            concurrency: count("arrival_value", self.arrival_value)?,
            harness: self.harness(),
            ttft_s: seconds("ttft_ms", self.ttft_ms)?,
            tpot_s: seconds("tpot_ms", self.tpot_ms)?,
            id: self.id,
            model: self.model,
            engine: self.engine,
            hardware: self.hardware,
        }))
    }

    /// Unstated formats are those of the published bf16 weights; gpt-oss is
    /// published in mxfp4 only, whatever the row calls its four bits.
    fn format(&self) -> Option<&'static str> {
        let is_blackwell = self.hardware.starts_with('b') || self.hardware.starts_with("gb");
        match self.precision.split(' ').next().unwrap_or_default() {
            _ if self.model.contains("gpt-oss") && is_blackwell => Some("mxfp4-a8"),
            _ if self.model.contains("gpt-oss") => Some("mxfp4"),
            "" | "bf16" => Some("bf16"),
            "fp8" => Some("fp8"),
            "fp4" => Some("nvfp4"),
            _ => None,
        }
    }

    /// InferenceX measures 1k/1k, 1k/8k and 8k/1k; NVIDIA's runs of the same
    /// lengths are told by their ids.
    fn harness(&self) -> Harness {
        let is_nominal = |tokens| [Some(1024.0), Some(8192.0)].contains(&tokens);
        let is_nvidia = self.id.contains("epnone");
        if is_nominal(self.isl_mean) && is_nominal(self.osl_mean) && !is_nvidia {
            Harness::InferenceX
        } else {
            Harness::Nvidia
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id,model,precision,engine,hardware,tp,ep,dp,pd_split,isl_mean,osl_mean,\
                          arrival_kind,arrival_value,confidence,ttft_ms,tpot_ms";

    fn read(rows: &[&str]) -> Result<Sweep> {
        Sweep::read(format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes(), "s.csv")
    }

    const ROW: &str = "a,openai/gpt-oss-120b,fp4 (gemm=nvfp4),vllm,h100_sxm,2.0,0.0,1.0,,1024,\
                       8192.0,closed-loop concurrency,16,high,250,8.5";

    #[test]
    fn rows_of_one_kind_are_kept() {
        let fixed = ROW.replace("a,", "a_epnone,").replace("openai/gpt-oss-120b,fp4", "q,int4");
        let split = ROW.replace(",,1024", ",P[1x] D[1x],1024");
        let sweep = read(&[ROW, &fixed, &split, &ROW.replace("high", "medium")]).unwrap();
        assert_eq!((sweep.rows.len(), sweep.other_rows), (2, 2));
        let row = &sweep.rows[0];
        assert_eq!((row.tensor, row.expert, row.concurrency, row.ttft_s), (2, 1, 16, 0.25));
        assert_eq!((row.precision, row.harness), (Some("mxfp4"), Harness::InferenceX));
        let fixed = &sweep.rows[1];
        assert_eq!((fixed.precision, fixed.harness), (None, Harness::Nvidia));
    }

    #[test]
    fn broken_rows_are_named() {
        let error = read(&[ROW, &ROW.replace(",16,", ",many,"), &ROW.replace("250", "-1")]);
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("s.csv:3: ") && text.contains("\ns.csv:4: ttft_ms -1"), "{text}");
    }
}
