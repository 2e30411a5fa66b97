//! Predicted engine steps against measured ones.
//!
//! The reference of a configuration is the fastest of the engines measured in
//! it, as in the fit: what the GPU can do, not what one engine makes of it.

use super::Errors;
use crate::catalog::Catalog;
use crate::error::{Error, Mistake, Result};
use crate::study::StepTable;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Read;

/// Errors of predicted steps in one phase on one GPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepErrors {
    /// `prefill` or `decode`.
    pub phase: String,
    /// The GPU as the table names it; `all` for all of them.
    pub system: String,
    /// The errors, one a configuration.
    pub errors: Errors,
}

/// Cells that tell configurations apart, where the table has them.
const KEYS: [&str; 13] = [
    "phase",
    "system",
    "model",
    "precision",
    "kv_quant",
    "tp",
    "attn_dp",
    "moe_tp",
    "moe_ep",
    "batch_per_dp",
    "new_tokens",
    "prefix_tokens",
    "context",
];

/// Errors by phase and GPU over the table in `input`, which needs the columns
/// of `steptime --csv` and `latency_ms`; `name` stands for it in messages.
/// Configurations that the catalog does not know are left out.
pub fn step_errors(input: impl Read, name: &str) -> Result<Vec<StepErrors>> {
    let mut annotated = Vec::new();
    StepTable::new(Catalog::embedded()).annotate(input, &mut annotated, name)?;
    let mut groups: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    for (key, (predicted, measured)) in configurations(&annotated, name)? {
        let error = predicted / measured - 1.0;
        let mut put = |system: &str| {
            groups.entry((key[0].clone(), system.to_owned())).or_default().push(error);
        };
        put("all");
        put(&key[1]);
    }
    let summarize = |((phase, system), errors)| {
        Some(StepErrors { phase, system, errors: Errors::new(errors)? })
    };
    Ok(groups.into_iter().filter_map(summarize).collect())
}

/// By configuration: what is predicted, and the fastest engine's time.
type Configurations = BTreeMap<Vec<String>, (f64, f64)>;

fn configurations(annotated: &[u8], name: &str) -> Result<Configurations> {
    let mut reader = csv::Reader::from_reader(annotated);
    let failed = |error: csv::Error| Error::Failed(format!("cannot read {name}: {error}"));
    let header = reader.headers().map_err(failed)?.clone();
    let column = |name: &str| header.iter().position(|cell| cell == name);
    let mistake = |line, problem: String| {
        Error::Invalid(vec![Mistake {
            file: name.to_owned(),
            line: Some(line),
            key: "latency_ms".to_owned(),
            value: None,
            problem,
            fix: "give the measured milliseconds of each step".to_owned(),
        }])
    };
    let measured = column("latency_ms").ok_or_else(|| mistake(1, "is missing".to_owned()))?;
    let predicted = column("predicted_ms").expect("just added");
    let keys = KEYS.map(column);
    let mut fastest = Configurations::new();
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let Ok(predicted) = record[predicted].parse::<f64>() else { continue };
        let line = || record.position().map_or(0, |position| position.line() as usize);
        let measured = match record[measured].trim().parse::<f64>() {
            Ok(ms) if ms > 0.0 && ms.is_finite() => ms,
            _ => return Err(mistake(line(), format!("`{}` is no time", &record[measured]))),
        };
        let cell = |column: &Option<usize>| column.map_or("", |column| &record[column]).to_owned();
        let known = fastest.entry(keys.iter().map(cell).collect()).or_insert((predicted, measured));
        known.1 = known.1.min(measured);
    }
    Ok(fastest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "system,model,precision,tp,phase,batch_per_dp,new_tokens,prefix_tokens,context,latency_ms";

    #[test]
    fn the_fastest_engine_is_the_reference_and_unknown_rows_are_left_out() {
        let row =
            |system: &str, ms: f64| format!("{system},llama-3.1-8b,bf16,1,decode,8,,,1024,{ms}");
        let table = |rows: &[String]| format!("{HEADER}\n{}\n", rows.join("\n"));
        let one = table(&[row("h100_sxm", 1e3)]);
        let predicted = 1e3 * (1.0 + step_errors(one.as_bytes(), "t").unwrap()[0].errors.median);
        let rows = [
            row("h100_sxm", 3.0 * predicted),
            row("h100_sxm", 2.0 * predicted),
            row("abacus", 1.0),
        ];
        let errors = step_errors(table(&rows).as_bytes(), "t").unwrap();
        assert_eq!(
            errors.iter().map(|e| e.system.as_str()).collect::<Vec<_>>(),
            ["all", "h100_sxm"]
        );
        assert!(errors.iter().all(|e| e.phase == "decode" && e.errors.count == 1));
        assert!((errors[1].errors.median + 0.5).abs() < 1e-9, "{errors:?}");
        let error = step_errors(table(&[row("h100_sxm", -1.0)]).as_bytes(), "t").unwrap_err();
        assert!(error.to_string().starts_with("t:2: latency_ms: `-1` is no time"), "{error}");
    }
}
