//! Open-loop experiments: stages of constant load on one server, one row a
//! stage, with the latencies that the client measured.
//!
//! Columns: id, model, precision, hardware, tp, pp, ep, dp, pd_split, isl_mean,
//! osl_mean, arrival_kind, arrival_value (calls a second), confidence, then
//! e2e, ttft (mean, p90, p99) and itl_mean in ms, and notes. From the notes come
//! the number of the stage and its length, `max_num_batched_tokens`,
//! `gpu_mem_util` and how many distinct prompts cycle.

use super::cells::{count, degree, explain, seconds};
use crate::error::{Error, Mistake, Result};
use serde::Deserialize;
use std::io::Read;

/// Mistakes listed before the rest of a table is left unread.
const MISTAKES_MAX: usize = 20;
/// Length of a stage where the notes do not state it, s.
const LENGTH_S: f64 = 600.0;
/// Longest stage, s: a day.
const LENGTH_S_MAX: f64 = 86_400.0;

/// A table that has been read.
#[derive(Clone, Debug)]
pub struct Stages {
    /// Single stages of high confidence.
    pub rows: Vec<Stage>,
    /// Rows of other kinds: stages pooled, disaggregated, of lower confidence.
    pub other_rows: usize,
}

/// One stage of one experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Name of the row.
    pub id: String,
    /// Model, as published.
    pub model: String,
    /// Format of the weights, in the catalog's words; `None` for one it lacks.
    pub precision: Option<&'static str>,
    /// GPU, as published.
    pub hardware: String,
    /// Tensor parallelism.
    pub tensor: u32,
    /// Pipeline stages.
    pub pipeline: u32,
    /// Attention data parallelism.
    pub data: u32,
    /// Expert parallelism.
    pub expert: u32,
    /// Prompt tokens of every call.
    pub prompt: u32,
    /// Output tokens of every call.
    pub output: u32,
    /// Calls a second, evenly spaced.
    pub rate: f64,
    /// Stages that the server has been through before.
    pub index: u32,
    /// How long calls arrive, s.
    pub length_s: f64,
    /// Distinct prompts; `None`: none repeats.
    pub prompts: Option<u32>,
    /// Token budget of a step, where it is known.
    pub max_num_batched_tokens: Option<u32>,
    /// Share of a GPU's memory that the engine uses, where it is known.
    pub gpu_memory_utilization: Option<f64>,
    /// Mean gap between tokens, s.
    pub itl_s: f64,
    /// Call to last token, seen by the client.
    pub e2e: Measured,
    /// Call to first token, seen by the client.
    pub ttft: Measured,
}

/// A latency as measured, s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Mean over the calls of the stage.
    pub mean: f64,
    /// Percentiles, where they were recorded.
    pub p90: Option<f64>,
    /// See `p90`.
    pub p99: Option<f64>,
}

#[derive(Deserialize)]
struct Raw {
    id: String,
    model: String,
    precision: String,
    hardware: String,
    tp: Option<f64>,
    pp: Option<f64>,
    ep: Option<f64>,
    dp: Option<f64>,
    pd_split: String,
    isl_mean: Option<f64>,
    osl_mean: Option<f64>,
    arrival_kind: String,
    arrival_value: String,
    confidence: String,
    e2e_mean_ms: Option<f64>,
    e2e_p90_ms: Option<f64>,
    e2e_p99_ms: Option<f64>,
    ttft_mean_ms: Option<f64>,
    ttft_p90_ms: Option<f64>,
    ttft_p99_ms: Option<f64>,
    itl_mean_ms: Option<f64>,
    notes: String,
}

impl Stages {
    /// Reads the table in `input`; `name` stands for it in messages.
    pub fn read(input: impl Read, name: &str) -> Result<Stages> {
        let mut reader = csv::Reader::from_reader(input);
        let mut stages = Stages { rows: Vec::new(), other_rows: 0 };
        let mut mistakes = Vec::new();
        for (index, raw) in reader.deserialize::<Raw>().enumerate() {
            match raw.map_err(|error| explain(&error)).and_then(Raw::check) {
                Ok(Some(row)) => stages.rows.push(row),
                Ok(None) => stages.other_rows += 1,
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
        if mistakes.is_empty() { Ok(stages) } else { Err(Error::Invalid(mistakes)) }
    }
}

impl Raw {
    /// The row, or `None` for a kind that is not compared.
    fn check(self) -> std::result::Result<Option<Stage>, String> {
        // Pooled rows repeat the calls of their stages.
        let is_stage =
            self.arrival_kind.starts_with("open-loop") && !self.arrival_kind.contains("pooled");
        if !is_stage || !self.pd_split.is_empty() || self.confidence != "high" {
            return Ok(None);
        }
        let tokens = |key: &str, mean: Option<f64>| count(key, mean.map(f64::round));
        let rate =
            self.arrival_value.parse::<f64>().ok().filter(|rate| (1e-6..=1e6).contains(rate));
        let notes = Notes::read(&self.notes)?;
        Ok(Some(Stage {
            precision: match self.precision.to_ascii_lowercase().as_str() {
                "" | "fp16" | "bf16" => Some("bf16"),
                "fp8" => Some("fp8"),
                _ => None,
            },
            tensor: degree("tp", self.tp)?,
            pipeline: degree("pp", self.pp)?,
            data: degree("dp", self.dp)?,
            expert: degree("ep", self.ep)?,
            prompt: tokens("isl_mean", self.isl_mean)?,
            output: tokens("osl_mean", self.osl_mean)?,
            rate: rate.ok_or_else(|| format!("arrival_value {} is no rate", self.arrival_value))?,
            index: notes.index,
            length_s: notes.length_s,
            prompts: notes.prompts,
            max_num_batched_tokens: notes.max_num_batched_tokens,
            gpu_memory_utilization: notes.gpu_memory_utilization,
            itl_s: seconds("itl_mean_ms", self.itl_mean_ms)?,
            e2e: measured("e2e", [self.e2e_mean_ms, self.e2e_p90_ms, self.e2e_p99_ms])?,
            ttft: measured("ttft", [self.ttft_mean_ms, self.ttft_p90_ms, self.ttft_p99_ms])?,
            id: self.id,
            model: self.model,
            hardware: self.hardware,
        }))
    }
}

fn measured(
    name: &str,
    [mean, p90, p99]: [Option<f64>; 3],
) -> std::result::Result<Measured, String> {
    let optional = |percentile: &str, ms: Option<f64>| {
        ms.map(|ms| seconds(&format!("{name}_{percentile}_ms"), Some(ms))).transpose()
    };
    Ok(Measured {
        mean: seconds(&format!("{name}_mean_ms"), mean)?,
        p90: optional("p90", p90)?,
        p99: optional("p99", p99)?,
    })
}

/// What the notes of a row say.
#[derive(Debug, PartialEq)]
struct Notes {
    index: u32,
    length_s: f64,
    prompts: Option<u32>,
    max_num_batched_tokens: Option<u32>,
    gpu_memory_utilization: Option<f64>,
}

impl Notes {
    /// Takes what is stated; a question mark is nothing.
    fn read(notes: &str) -> std::result::Result<Notes, String> {
        let after = |key: &str| {
            let rest = notes.split_once(key)?.1;
            let end = rest.find([',', ';', ' ', ')', '/']).unwrap_or(rest.len());
            Some(&rest[..end]).filter(|text| *text != "?")
        };
        let number = |key: &str| {
            let Some(text) = after(key) else { return Ok(None) };
            let value = text.trim_end_matches('s').parse::<f64>();
            value.map(Some).map_err(|_| format!("notes: {key}{text} is no number"))
        };
        let index = number("stage ")?.unwrap_or(0.0);
        let length_s = number("(")?.unwrap_or(LENGTH_S);
        if !(0.0..=1e3).contains(&index) || !(1.0..=LENGTH_S_MAX).contains(&length_s) {
            return Err(format!("notes: stage {index} of {length_s} s is none"));
        }
        let budget = number("max_num_batched_tokens=")?;
        // "45-50 distinct prompts": the larger, of which fewer repeat soon.
        let prompts = notes.split_once(" distinct prompts").and_then(|(before, _)| {
            before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse::<f64>().ok()
        });
        Ok(Notes {
            index: index as u32,
            length_s,
            prompts: prompts.map(|n| count("distinct prompts", Some(n))).transpose()?,
            max_num_batched_tokens: budget
                .map(|tokens| count("max_num_batched_tokens", Some(tokens)))
                .transpose()?,
            gpu_memory_utilization: number("gpu_mem_util=")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id,model,precision,hardware,tp,pp,ep,dp,pd_split,isl_mean,osl_mean,\
                          arrival_kind,arrival_value,confidence,e2e_mean_ms,e2e_p90_ms,e2e_p99_ms,\
                          ttft_mean_ms,ttft_p90_ms,ttft_p99_ms,itl_mean_ms,notes";
    const ROW: &str = "a,01-ai/Yi-34B,FP16,h100_sxm,2.0,1.0,,1.0,,547,248.0,\"open-loop rps\",2.5,\
                       high,3780,3833,,46.6,50,75,15,\"stage 1 (600s/stage); workload x; \
                       max_num_batched_tokens=2048, cpu_offload=?, gpu_mem_util=0.9; only 45-50 \
                       distinct prompts cycle\"";

    fn read(rows: &[&str]) -> Result<Stages> {
        Stages::read(format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes(), "o.csv")
    }

    #[test]
    fn stages_are_read_with_what_their_notes_say() {
        let pooled = ROW.replace("open-loop rps", "open-loop rps, stages pooled");
        let unknown = ROW.replace("gpu_mem_util=0.9; only 45-50 ", "gpu_mem_util=?; no ");
        let stages = read(&[ROW, &pooled, &unknown, &ROW.replace("high", "low")]).unwrap();
        assert_eq!((stages.rows.len(), stages.other_rows), (2, 2));
        let row = &stages.rows[0];
        assert_eq!((row.precision, row.tensor, row.expert), (Some("bf16"), 2, 1));
        assert_eq!((row.prompt, row.output, row.rate), (547, 248, 2.5));
        assert_eq!((row.index, row.length_s, row.prompts), (1, 600.0, Some(50)));
        assert_eq!(row.max_num_batched_tokens, Some(2048));
        assert_eq!(row.ttft, Measured { mean: 0.0466, p90: Some(0.05), p99: Some(0.075) });
        assert_eq!((row.e2e.p99, row.gpu_memory_utilization), (None, Some(0.9)));
        let row = &stages.rows[1];
        assert_eq!((row.gpu_memory_utilization, row.prompts), (None, None));
    }

    #[test]
    fn broken_rows_are_named() {
        let rows = [
            ROW.to_owned(),
            ROW.replace(",2.5,", ",5/10,"),
            ROW.replace("46.6", "-1"),
            ROW.replace("=2048", "=many"),
            ROW.replace("600s", "0s"),
        ];
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let text = read(&rows).unwrap_err().to_string();
        for part in [
            "o.csv:3: arrival_value 5/10 is no rate",
            "o.csv:4: ttft_mean_ms -1 is no time",
            "o.csv:5: notes: max_num_batched_tokens=many is no number",
            "o.csv:6: notes: stage 1 of 0 s is none",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
