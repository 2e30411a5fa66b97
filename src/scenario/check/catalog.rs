//! The user's own entries of the catalog.

use super::Check;
use crate::catalog::{
    Catalog, Hardware, Model, Problem, RawHardware, RawModel, RawTier, Tier, Unknown,
};
use crate::scenario::raw::RawScenario;
use crate::scenario::tree::{At, Node};

/// Most entries of each kind.
const ENTRIES_MAX: usize = 1_000;
/// Longest name of an entry, in bytes; names like "org/Model-7B" are fine.
const NAME_MAX: usize = 100;
/// More than any GPU has: GiB of memory, TB/s, TFLOP/s, GB/s of links.
const GPU_MAX: [f64; 4] = [1e6, 1e6, 1e9, 1e9];
/// Least rate of a GPU in those units; less makes steps of years.
const RATE_MIN: f64 = 1e-3;
/// Most watts or dollars an hour of one GPU.
pub(super) const WATTS_MAX: f64 = 1e6;
pub(super) const USD_PER_HOUR_MAX: f64 = 1e6;
/// Largest coefficient of the step-time model.
const COEFFICIENT_MAX: f64 = 1e6;
/// Longest latency of a tier, dollars for a GB of it, years that it lasts, and
/// GB of it for a GPU.
const TIER_MAX: [f64; 4] = [60e6, 1e6, 1e3, 1e9];
/// Most parameters of a model.
const PARAMETERS_MAX: f64 = 1e14;

impl Check<'_> {
    /// The embedded catalog with the scenario's own entries.
    pub(super) fn catalog(&mut self, root: &At<'_>, raw: &mut RawScenario) -> Catalog {
        let mut catalog = Catalog::embedded().clone();
        for key in ["hardware", "model", "tier", "calendar", "agent"] {
            self.at_most(&root.key(key), ENTRIES_MAX);
        }
        for (at, entry) in self.entries::<RawHardware>(root, "hardware") {
            let added = entry.as_ref().map(|entry| {
                let mut larger = catalog.clone();
                let problems = implausible_hardware(&*larger.add_hardware(entry)?);
                if problems.is_empty() { Ok(larger) } else { Err(problems) }
            });
            self.own_entry(&at, added, &mut catalog);
            raw.hardware.extend(entry);
        }
        for (at, entry) in self.entries::<RawModel>(root, "model") {
            let added = entry.as_ref().map(|entry| {
                let mut larger = catalog.clone();
                let problems = implausible_model(&*larger.add_model(entry)?);
                if problems.is_empty() { Ok(larger) } else { Err(problems) }
            });
            self.own_entry(&at, added, &mut catalog);
            raw.model.extend(entry);
        }
        for (at, entry) in self.entries::<RawTier>(root, "tier") {
            let added = entry.as_ref().map(|entry| {
                let mut larger = catalog.clone();
                let problems = implausible_tier(&*larger.add_tier(entry)?);
                if problems.is_empty() { Ok(larger) } else { Err(problems) }
            });
            self.own_entry(&at, added, &mut catalog);
            raw.tier.extend(entry);
        }
        self.calendars(root, &mut catalog, raw);
        self.own_agents(root, &mut catalog, raw);
        catalog
    }

    /// Takes an entry over, or records what is wrong with it and that pools
    /// which name it need not complain again.
    pub(super) fn own_entry(
        &mut self,
        at: &At<'_>,
        added: Option<Result<Catalog, Vec<Problem>>>,
        catalog: &mut Catalog,
    ) {
        let place = at.key("name");
        let name = place.node.and_then(Node::as_str).unwrap_or_default();
        if name.len() > NAME_MAX || name.contains(char::is_control) {
            let fix = format!("use up to {NAME_MAX} printable characters");
            self.wrong(&place, "is not a usable name", fix);
        }
        match added {
            Some(Ok(larger)) => *catalog = larger,
            Some(Err(problems)) => {
                self.problems(at, problems);
                self.unusable_entries.push(name.to_owned());
            }
            None => self.unusable_entries.push(name.to_owned()),
        }
    }

    /// What a name of the catalog stands for.
    pub(super) fn known<T>(&mut self, at: &At<'_>, found: Result<T, Unknown>) -> Option<T> {
        let unknown = match found {
            Ok(found) => return Some(found),
            Err(unknown) => unknown,
        };
        let is_named = |name: &String| name.eq_ignore_ascii_case(&unknown.name);
        if !self.unusable_entries.iter().any(is_named) {
            self.wrong(at, format!("unknown {}", unknown.kind), unknown.fix());
        }
        None
    }

    /// Problems that the catalog found below `at`.
    pub(super) fn problems(&mut self, at: &At<'_>, problems: Vec<Problem>) {
        for problem in problems {
            let place = problem.key.split('.').fold(at.clone(), |at, key| at.key(key));
            match problem.problem.as_str() {
                "is missing" => self.missing(&place, "is missing", problem.fix),
                _ => self.wrong(&place, problem.problem, problem.fix),
            }
        }
    }
}

/// Values so far from any GPU that figures would overflow.
fn implausible_hardware(hardware: &Hardware) -> Vec<Problem> {
    let [gib, terabytes, teraflops, gigabytes] = GPU_MAX;
    let mut problems = Vec::new();
    let mut within = |key: &str, value: Option<f64>, low: f64, high: f64| {
        if value.is_some_and(|value| !(low..=high).contains(&value)) {
            let fix = format!("write a number from {low} to {high}");
            problems.push(Problem { key: key.to_owned(), problem: "is out of range".into(), fix });
        }
    };
    let capacity = hardware.memory_bytes as f64 / (1_u64 << 30) as f64;
    within("memory.capacity_gib", Some(capacity), RATE_MIN, gib);
    let bandwidth = hardware.bandwidth / 1e12;
    within("memory.bandwidth_tb_per_s", Some(bandwidth), RATE_MIN, terabytes);
    for (key, flops) in [
        ("compute.bf16_tflops", Some(hardware.peak_bf16)),
        ("compute.fp8_tflops", hardware.peak_fp8),
        ("compute.nvfp4_tflops", hardware.peak_nvfp4),
    ] {
        within(key, flops.map(|flops| flops / 1e12), RATE_MIN, teraflops);
    }
    let links = hardware.interconnect.bandwidth / 1e9;
    within("interconnect.gb_per_s", Some(links), RATE_MIN, gigabytes);
    within("set_b.it_w", hardware.set_b.map(|set| set.watts), 0.0, WATTS_MAX);
    let usd = hardware.set_b.map(|set| set.usd_per_gpu_hour);
    within("set_b.usd_per_gpu_hour", usd, 0.0, USD_PER_HOUR_MAX);
    let usd = hardware.cloud.map(|cloud| cloud.low);
    within("cloud.low_usd_per_gpu_hour", usd, 0.0, USD_PER_HOUR_MAX);
    let time = &hardware.step_time;
    for (key, value) in [
        ("dense_weights", time.dense_weights),
        ("expert_weights", time.expert_weights),
        ("dense_flops", time.dense_flops),
        ("expert_flops", time.expert_flops),
        ("prefill_attention", time.prefill_attention),
        ("kv_read", time.kv_read),
        ("activation_passes", time.activation_passes),
        ("layer_us", time.layer_us),
        ("expert_layer_us", time.expert_layer_us),
        ("all_reduce_us", time.all_reduce_us),
        ("all_reduce_bytes", time.all_reduce_bytes),
        ("all_reduce_pcie", time.all_reduce_pcie),
        ("all_to_all_us", time.all_to_all_us),
        ("all_to_all_bytes", time.all_to_all_bytes),
    ] {
        within(&format!("step_time.{key}"), Some(value), 0.0, COEFFICIENT_MAX);
    }
    problems
}

/// Values so far from any tier that times and figures would overflow.
fn implausible_tier(tier: &Tier) -> Vec<Problem> {
    let [latency_us, usd, years, gb] = TIER_MAX;
    let mut problems = Vec::new();
    let mut within = |key: &str, value: Option<f64>, low: f64, high: f64| {
        if value.is_some_and(|value| !(low..=high).contains(&value)) {
            let fix = format!("write a number from {low} to {high}");
            problems.push(Problem { key: key.to_owned(), problem: "is out of range".into(), fix });
        }
    };
    let [.., links] = GPU_MAX;
    let transfer = &tier.transfer;
    within("transfer.read_gb_per_s", Some(transfer.read_bandwidth / 1e9), RATE_MIN, links);
    within("transfer.write_gb_per_s", Some(transfer.write_bandwidth / 1e9), RATE_MIN, links);
    within("transfer.latency_us", Some(transfer.latency_s * 1e6), 0.0, latency_us);
    within("carrier.gb_per_s", tier.carrier.map(|bytes| bytes / 1e9), RATE_MIN, links);
    within("capacity.gb_per_gpu", tier.capacity_per_gpu.map(|bytes| bytes / 1e9), 0.0, gb);
    within("price.usd_per_gb", tier.price.map(|price| price.usd_per_gb), 0.0, usd);
    within("price.years", tier.price.map(|price| price.years), RATE_MIN, years);
    let slowest = transfer.efficiency.iter().map(|point| point.1).reduce(f64::min);
    within("transfer.efficiency", slowest, RATE_MIN, 1.0);
    problems
}

fn implausible_model(model: &Model) -> Vec<Problem> {
    let parameters = model.count_parameters().0;
    if parameters <= PARAMETERS_MAX {
        return Vec::new();
    }
    vec![Problem {
        key: "layers".to_owned(),
        problem: format!("the dimensions make {parameters:.1e} parameters"),
        fix: format!("keep them within {PARAMETERS_MAX:.0e}"),
    }]
}
