//! `catalog`: what the program knows of hardware, models, memory tiers and
//! demand, with sources.

use super::columns::columns;
use super::{Globals, json};
use crate::catalog::{
    Agent, Calendar, Catalog, CostSet, Hardware, Model, Profile, Reasoning, Tier, ToolWorker,
    Unknown,
};
use crate::error::{Error, Mistake, Result};
use crate::random::Distribution;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

/// Arguments of `catalog`.
#[derive(Debug, Args)]
pub(super) struct CatalogArgs {
    /// What to list [default: all]
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
    /// Memory tiers for KV offload
    Tiers,
    /// Courses of day and week
    Profiles,
    /// Days that are unlike others
    Calendars,
    /// Agents
    Agents,
    /// Workers that run the tools of agents
    ToolWorkers,
    /// How much of their output models think
    Reasoning,
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
        (Some(Shelf::Tiers), Some(name)) => {
            entry(&*catalog.tier(name).map_err(mistake)?, globals.json)
        }
        (Some(Shelf::Profiles), Some(name)) => {
            entry(&*catalog.profile(name).map_err(mistake)?, globals.json)
        }
        (Some(Shelf::Calendars), Some(name)) => {
            entry(&*catalog.calendar(name).map_err(mistake)?, globals.json)
        }
        (Some(Shelf::Reasoning), Some(name)) => {
            entry(&*catalog.reasoning(name).map_err(mistake)?, globals.json)
        }
        (Some(Shelf::Agents), Some(name)) => {
            entry(&*catalog.agent(name).map_err(mistake)?, globals.json)
        }
        (Some(Shelf::ToolWorkers), Some(name)) => {
            entry(&*catalog.tool_worker(name).map_err(mistake)?, globals.json)
        }
        (shelf, _) => Ok(list(catalog, shelf, globals.json)),
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

fn list(catalog: &Catalog, shelf: Option<Shelf>, as_json: bool) -> String {
    let wants = |other: Shelf| shelf.is_none_or(|shelf| shelf == other);
    if as_json {
        let mut document = json!({});
        if wants(Shelf::Hardware) {
            document["hardware"] = catalog.all_hardware().map(|entry| json!(**entry)).collect();
        }
        if wants(Shelf::Models) {
            document["models"] =
                catalog.all_models().map(|entry| json!(**entry)).collect::<Value>();
        }
        if wants(Shelf::Tiers) {
            document["tiers"] = catalog.all_tiers().map(|entry| json!(**entry)).collect();
        }
        if wants(Shelf::Profiles) {
            document["profiles"] = catalog.all_profiles().map(|entry| json!(**entry)).collect();
        }
        if wants(Shelf::Calendars) {
            document["calendars"] = catalog.all_calendars().map(|entry| json!(**entry)).collect();
        }
        if wants(Shelf::Reasoning) {
            document["reasoning"] = catalog.all_reasoning().map(|entry| json!(**entry)).collect();
        }
        if wants(Shelf::Agents) {
            document["agents"] = catalog.all_agents().map(|entry| json!(**entry)).collect();
        }
        if wants(Shelf::ToolWorkers) {
            document["tool_workers"] =
                catalog.all_tool_workers().map(|entry| json!(**entry)).collect();
        }
        return json(&document);
    }
    let mut tables = Vec::new();
    if wants(Shelf::Hardware) {
        let rows: Vec<_> = catalog.all_hardware().map(|entry| hardware_row(entry)).collect();
        tables.push(columns(&HARDWARE, &rows, 2));
    }
    if wants(Shelf::Models) {
        let rows: Vec<_> = catalog.all_models().map(|entry| model_row(entry)).collect();
        tables.push(columns(&MODELS, &rows, 1));
    }
    if wants(Shelf::Tiers) {
        let rows: Vec<_> = catalog.all_tiers().map(|entry| tier_row(entry)).collect();
        tables.push(columns(&TIERS, &rows, 3));
    }
    if wants(Shelf::Profiles) {
        let rows: Vec<_> = catalog.all_profiles().map(|entry| profile_row(entry)).collect();
        tables.push(columns(&PROFILES, &rows, 2));
    }
    if wants(Shelf::Calendars) {
        let rows: Vec<_> = catalog.all_calendars().map(|entry| calendar_row(entry)).collect();
        tables.push(columns(&CALENDARS, &rows, 2));
    }
    if wants(Shelf::Reasoning) {
        let rows: Vec<_> = catalog.all_reasoning().map(|entry| reasoning_row(entry)).collect();
        tables.push(columns(&REASONING, &rows, 2));
    }
    if wants(Shelf::Agents) {
        let rows: Vec<_> = catalog.all_agents().map(|entry| agent_row(entry)).collect();
        tables.push(columns(&AGENTS, &rows, 2));
    }
    if wants(Shelf::ToolWorkers) {
        let rows: Vec<_> = catalog.all_tool_workers().map(|entry| tool_worker_row(entry)).collect();
        tables.push(columns(&TOOL_WORKERS, &rows, 2));
    }
    let hint = "Values with their sources: tokenmill catalog \
                hardware|models|tiers|profiles|calendars|reasoning|agents|tool-workers NAME\n";
    tables.push(hint.to_owned());
    tables.join("\n")
}

const HARDWARE: [&str; 9] =
    ["hardware", "step time", "memory GiB", "TB/s", "bf16 TFLOP/s", "fp8", "fp4", "W", "$/h"];
const MODELS: [&str; 6] = ["model", "parameters B", "active B", "layers", "hidden", "context"];
const TIERS: [&str; 8] =
    ["tier", "shared by", "way per", "read GB/s", "write GB/s", "latency us", "GB per GPU", "$/GB"];

const PROFILES: [&str; 5] = ["profile", "what for", "peak hour", "peak / mean", "best day / mean"];
const CALENDARS: [&str; 4] = ["calendar", "what for", "days of their own", "largest multiple"];
const REASONING: [&str; 3] = ["reasoning", "what of", "mean share"];

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

fn tier_row(tier: &Tier) -> Vec<String> {
    let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
    let word = |word: Value| word.as_str().unwrap_or_default().to_owned();
    let (read, write) = tier.bandwidths();
    vec![
        tier.name.clone(),
        word(json!(tier.scope)),
        word(json!(tier.transfer.per)),
        format!("{:.0}", read / 1e9),
        format!("{:.0}", write / 1e9),
        format!("{:.0}", tier.transfer.latency_s * 1e6),
        or_dash(tier.capacity_per_gpu.map(|bytes| bytes / 1e9)),
        or_dash(tier.price.map(|price| price.usd_per_gb)),
    ]
}

fn profile_row(profile: &Profile) -> Vec<String> {
    let hours = profile.weekday.hours().iter().enumerate();
    let (hour, peak) = hours.fold(
        (0, 0.0),
        |best, (hour, &value)| {
            if value > best.1 { (hour, value) } else { best }
        },
    );
    vec![
        profile.name.clone(),
        profile.title.clone(),
        if peak > 1.0 { format!("{hour} h") } else { "-".to_owned() },
        format!("{peak:.2}"),
        format!("{:.2}", profile.days.iter().copied().fold(0.0, f64::max)),
    ]
}

const AGENTS: [&str; 5] = ["agent", "what for", "runs", "turns a run", "sub-agents"];
const TOOL_WORKERS: [&str; 6] = ["tool worker", "what for", "cores", "slots", "W", "$/h"];

fn agent_row(agent: &Agent) -> Vec<String> {
    let law = |law: &Distribution| match law.mean() {
        Some(mean) => format!("{mean:.1}"),
        None => "-".to_owned(),
    };
    vec![
        agent.name.clone(),
        agent.title.clone(),
        law(&agent.runs),
        law(&agent.turns),
        agent.children.as_ref().map_or("-".to_owned(), |children| children.agent.clone()),
    ]
}

fn tool_worker_row(worker: &ToolWorker) -> Vec<String> {
    let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
    vec![
        worker.name.clone(),
        worker.title.clone(),
        worker.cores.to_string(),
        worker.slots.to_string(),
        or_dash(worker.watts),
        or_dash(worker.usd_per_hour),
    ]
}

fn calendar_row(calendar: &Calendar) -> Vec<String> {
    let multiples = calendar.days.iter().map(|day| day.multiple);
    let largest = multiples.reduce(f64::max);
    vec![
        calendar.name.clone(),
        calendar.title.clone(),
        calendar.days.len().to_string(),
        largest.map_or("-".to_owned(), |largest| format!("{largest:.2}")),
    ]
}

fn reasoning_row(reasoning: &Reasoning) -> Vec<String> {
    let mean = reasoning.share.mean();
    vec![
        reasoning.name.clone(),
        reasoning.title.clone(),
        mean.map_or("-".to_owned(), |mean| format!("{mean:.2}")),
    ]
}
