//! `catalog`: what the program knows of hardware and models, with sources.

use super::columns::columns;
use super::{Globals, json};
use crate::catalog::{Catalog, CostSet, Hardware, Model, Unknown};
use crate::error::{Error, Mistake, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

/// Arguments of `catalog`.
#[derive(Debug, Args)]
pub(super) struct CatalogArgs {
    /// What to list [default: both]
    shelf: Option<Shelf>,
    /// One entry, with every value and its source
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shelf {
    /// GPUs
    Hardware,
    /// Models
    Models,
}

pub(super) fn catalog(args: &CatalogArgs, globals: &Globals) -> Result<String> {
    let catalog = Catalog::embedded();
    match (args.shelf, &args.name) {
        (Some(Shelf::Hardware), Some(name)) => {
            entry(&*catalog.hardware(name).map_err(mistake)?, globals.json)
        }
        (Some(Shelf::Models), Some(name)) => {
            entry(&*catalog.model(name).map_err(mistake)?, globals.json)
        }
        (shelf, _) => {
            let wants = |other: Shelf| shelf.is_none_or(|shelf| shelf == other);
            Ok(list(catalog, wants(Shelf::Hardware), wants(Shelf::Models), globals.json))
        }
    }
}

fn mistake(unknown: Unknown) -> Error {
    let fix = unknown.fix();
    Error::Invalid(vec![Mistake {
        file: "catalog".to_owned(),
        line: None,
        key: String::new(),
        value: Some(unknown.name),
        problem: format!("unknown {}", unknown.kind),
        fix,
    }])
}

/// Every value of one entry.
fn entry(entry: &impl Serialize, as_json: bool) -> Result<String> {
    let failed = |error: String| Error::Failed(format!("cannot print the entry: {error}"));
    if as_json {
        let document = serde_json::to_value(entry).map_err(|e| failed(e.to_string()))?;
        return Ok(json(&document));
    }
    toml::to_string(entry).map_err(|e| failed(e.to_string()))
}

fn list(catalog: &Catalog, hardware: bool, models: bool, as_json: bool) -> String {
    if as_json {
        let mut document = json!({});
        if hardware {
            document["hardware"] = catalog.all_hardware().map(|entry| json!(**entry)).collect();
        }
        if models {
            document["models"] =
                catalog.all_models().map(|entry| json!(**entry)).collect::<Value>();
        }
        return json(&document);
    }
    let mut tables = Vec::new();
    if hardware {
        let rows: Vec<_> = catalog.all_hardware().map(|entry| hardware_row(entry)).collect();
        let header = [
            "hardware",
            "step time",
            "memory GiB",
            "TB/s",
            "bf16 TFLOP/s",
            "fp8",
            "fp4",
            "W",
            "$/h",
        ];
        tables.push(columns(&header, &rows, 2));
    }
    if models {
        let rows: Vec<_> = catalog.all_models().map(|entry| model_row(entry)).collect();
        let header = ["model", "parameters B", "active B", "layers", "hidden", "context"];
        tables.push(columns(&header, &rows, 1));
    }
    tables.push("Values with their sources: tokenmill catalog hardware|models NAME\n".to_owned());
    tables.join("\n")
}

fn hardware_row(hardware: &Hardware) -> Vec<String> {
    let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
    let tera = |flops: f64| flops / 1e12;
    let price = hardware.gpu_hour(CostSet::B);
    let mark = if price.is_estimate { "*" } else { "" };
    vec![
        hardware.name.clone(),
        if hardware.step_time_is_transferred { "estimated" } else { "fitted" }.to_owned(),
        format!("{:.1}", hardware.memory_bytes as f64 / (1u64 << 30) as f64),
        format!("{:.2}", hardware.bandwidth / 1e12),
        format!("{:.0}", tera(hardware.peak_bf16)),
        or_dash(hardware.peak_fp8.map(|flops| tera(flops).round())),
        or_dash(hardware.peak_nvfp4.map(|flops| tera(flops).round())),
        or_dash(hardware.power(CostSet::B).watts),
        format!("{}{mark}", or_dash(price.usd)),
    ]
}

fn model_row(model: &Model) -> Vec<String> {
    vec![
        model.name.clone(),
        format!("{:.1}", model.total_parameters / 1e9),
        format!("{:.1}", model.active_parameters / 1e9),
        model.layers.to_string(),
        model.hidden.to_string(),
        model.max_context_tokens.to_string(),
    ]
}
