//! The TOML mirror of a hardware entry, and its checks.
//!
//! Units are in the key names. Groups that are left out come from the base
//! entry, so a scenario can change one price without repeating a datasheet.

use super::Coefficients;
use super::hardware::{CloudPrice, Cooling, Hardware, Interconnect, LinkKind, SetFigures};
use super::origin::{Checker, Confidence, Origin, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HardwareFile {
    pub(super) pue: RawPue,
    pub(super) transfer: RawTransfer,
    pub(super) hardware: Vec<RawHardware>,
}

/// What an entry falls back on.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    pub(super) pue: RawPue,
    pub(super) transfer: RawTransfer,
}

/// Facility power over IT power, by cooling.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPue {
    air: f64,
    liquid: f64,
    source: Option<String>,
    confidence: Option<Confidence>,
}

/// Coefficients for GPUs that nobody has measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTransfer {
    nvlink: Coefficients,
    pcie: Coefficients,
}

/// A GPU as written in TOML: a new one, or changes to one of the catalog.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHardware {
    /// Name; that of a catalog entry changes this entry.
    pub name: String,
    /// Catalog entry that supplies the groups left out here.
    pub base: Option<String>,
    /// Other names it answers to.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Name for people.
    pub title: Option<String>,
    /// "air" or "liquid"; decides the default PUE.
    pub cooling: Option<Cooling>,
    /// Capacity and bandwidth.
    pub memory: Option<RawMemory>,
    /// Dense peak rates.
    pub compute: Option<RawCompute>,
    /// Links between GPUs.
    pub interconnect: Option<RawInterconnect>,
    /// Power of the GPU alone.
    pub power: Option<RawPower>,
    /// Cost and power, set B.
    pub set_b: Option<RawSetB>,
    /// Cost and power, set A.
    pub set_a: Option<RawSetA>,
    /// Range of cloud prices.
    pub cloud: Option<RawCloud>,
    /// Measured coefficients of the step-time model.
    pub step_time: Option<Coefficients>,
}

macro_rules! raw_group {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Where the values were read.
            pub source: Option<String>,
            /// How far to trust them.
            pub confidence: Option<Confidence>,
        }
    };
}

pub(super) use raw_group;

raw_group! {
    /// Memory of a GPU.
    RawMemory {
        /// What software can allocate, GiB.
        capacity_gib: f64,
        /// Bandwidth, TB/s.
        bandwidth_tb_per_s: f64,
    }
}
raw_group! {
    /// Dense peak rates of a GPU (without sparsity).
    RawCompute {
        /// bf16, TFLOP/s.
        bf16_tflops: f64,
        /// fp8, TFLOP/s; absent where the GPU has no fp8 units.
        fp8_tflops: Option<f64>,
        /// nvfp4, TFLOP/s; absent where the GPU has no fp4 units.
        nvfp4_tflops: Option<f64>,
    }
}
raw_group! {
    /// Links between the GPUs of one scale-up domain.
    RawInterconnect {
        /// "nvlink" or "pcie".
        kind: LinkKind,
        /// One GPU, one direction, GB/s.
        gb_per_s: f64,
        /// GPUs in one domain.
        domain_gpus: u32,
    }
}
raw_group! {
    /// Power of the GPU alone.
    RawPower {
        /// Thermal design power, W.
        tdp_w: f64,
    }
}
raw_group! {
    /// Cost and power of one GPU with its host share, set B.
    RawSetB {
        /// Provisioned IT power, W.
        it_w: f64,
        /// Total cost of ownership, dollars.
        usd_per_gpu_hour: f64,
    }
}
raw_group! {
    /// Cost and power of one GPU with its host share, set A.
    RawSetA {
        /// Provisioned power at the utility meter, W.
        utility_w: f64,
        /// Total cost of ownership, dollars.
        usd_per_gpu_hour: f64,
    }
}
raw_group! {
    /// Range of cloud prices.
    RawCloud {
        /// Lowest price found, dollars.
        low_usd_per_gpu_hour: f64,
        /// Highest price found, dollars.
        high_usd_per_gpu_hour: f64,
    }
}

/// Takes the checked value of a group when it is written, else the base's.
struct Groups<'a> {
    checker: Checker,
    origins: Vec<Origin>,
    base: Option<&'a Hardware>,
}

impl RawHardware {
    pub(super) fn check(
        &self,
        base: Option<&Hardware>,
        defaults: &Defaults,
    ) -> Result<Hardware, Vec<Problem>> {
        let mut groups = Groups { checker: Checker::default(), origins: Vec::new(), base };
        if self.name.trim().is_empty() {
            groups.checker.report("name", "is empty".to_owned(), "give the entry a name");
        }
        let memory = groups.memory(&self.memory);
        let compute = groups.compute(&self.compute);
        let interconnect = groups.interconnect(&self.interconnect);
        let tdp_w = groups.tdp(&self.power);
        let set_b = groups.set_b(&self.set_b);
        let set_a = groups.set_a(&self.set_a);
        let cloud = groups.cloud(&self.cloud);
        let kind = interconnect.map_or(LinkKind::Nvlink, |links| links.kind);
        let (step_time, of_unmeasured) = groups.step_time(&self.step_time, kind, defaults);
        // Another datasheet under inherited coefficients is a GPU nobody measured.
        let is_changed =
            self.memory.is_some() || self.compute.is_some() || self.interconnect.is_some();
        let is_transferred = of_unmeasured || (self.step_time.is_none() && is_changed);
        let cooling = self.cooling.or(base.map(|base| base.cooling)).unwrap_or(Cooling::Air);
        let pue = match cooling {
            Cooling::Air => defaults.pue.air,
            Cooling::Liquid => defaults.pue.liquid,
        };
        groups.origins.push(Origin::new("pue", &defaults.pue.source, defaults.pue.confidence));
        let (Some(memory), Some(compute), Some(interconnect), true) =
            (memory, compute, interconnect, groups.checker.problems.is_empty())
        else {
            return Err(groups.checker.problems);
        };
        let replaced = base.filter(|base| base.name == self.name);
        let inherited = |field: fn(&Hardware) -> String| replaced.map(field);
        Ok(Hardware {
            name: self.name.trim().to_owned(),
            aliases: match replaced {
                Some(base) if self.aliases.is_empty() => base.aliases.clone(),
                _ => self.aliases.clone(),
            },
            title: self
                .title
                .clone()
                .or_else(|| inherited(|base| base.title.clone()))
                .unwrap_or_else(|| self.name.clone()),
            cooling,
            pue,
            memory_bytes: memory.0,
            bandwidth: memory.1,
            peak_bf16: compute.0,
            peak_fp8: compute.1,
            peak_nvfp4: compute.2,
            interconnect,
            tdp_w,
            set_b,
            set_a,
            cloud,
            step_time,
            step_time_is_transferred: is_transferred,
            origins: groups.origins,
        })
    }
}

impl Groups<'_> {
    fn note(
        &mut self,
        what: &'static str,
        source: &Option<String>,
        confidence: Option<Confidence>,
    ) {
        self.origins.push(Origin::new(what, source, confidence));
    }

    /// The base's value, with its origin.
    fn inherit<T>(&mut self, what: &'static str, field: impl Fn(&Hardware) -> T) -> Option<T> {
        let base = self.base?;
        self.origins.extend(base.origins.iter().find(|origin| origin.what == what).cloned());
        Some(field(base))
    }

    fn memory(&mut self, raw: &Option<RawMemory>) -> Option<(u64, f64)> {
        let Some(raw) = raw else {
            let inherited = self.inherit("memory", |base| (base.memory_bytes, base.bandwidth));
            return self.checker.required("memory", inherited);
        };
        self.note("memory", &raw.source, raw.confidence);
        let gib = self.checker.positive("memory.capacity_gib", raw.capacity_gib);
        let bandwidth = self.checker.positive("memory.bandwidth_tb_per_s", raw.bandwidth_tb_per_s);
        Some(((gib * (1u64 << 30) as f64) as u64, bandwidth * 1e12))
    }

    fn compute(&mut self, raw: &Option<RawCompute>) -> Option<(f64, Option<f64>, Option<f64>)> {
        let Some(raw) = raw else {
            let inherited =
                self.inherit("compute", |base| (base.peak_bf16, base.peak_fp8, base.peak_nvfp4));
            return self.checker.required("compute", inherited);
        };
        self.note("compute", &raw.source, raw.confidence);
        let mut flops = |key: &str, tera: f64| self.checker.positive(key, tera) * 1e12;
        Some((
            flops("compute.bf16_tflops", raw.bf16_tflops),
            raw.fp8_tflops.map(|tera| flops("compute.fp8_tflops", tera)),
            raw.nvfp4_tflops.map(|tera| flops("compute.nvfp4_tflops", tera)),
        ))
    }

    fn interconnect(&mut self, raw: &Option<RawInterconnect>) -> Option<Interconnect> {
        let Some(raw) = raw else {
            let inherited = self.inherit("interconnect", |base| base.interconnect);
            return self.checker.required("interconnect", inherited);
        };
        self.note("interconnect", &raw.source, raw.confidence);
        Some(Interconnect {
            kind: raw.kind,
            bandwidth: self.checker.positive("interconnect.gb_per_s", raw.gb_per_s) * 1e9,
            domain_gpus: self.checker.within(
                "interconnect.domain_gpus",
                raw.domain_gpus,
                1,
                100_000,
            ),
        })
    }

    fn tdp(&mut self, raw: &Option<RawPower>) -> Option<f64> {
        let Some(raw) = raw else { return self.inherit("power", |base| base.tdp_w).flatten() };
        self.note("power", &raw.source, raw.confidence);
        Some(self.checker.positive("power.tdp_w", raw.tdp_w))
    }

    fn set_b(&mut self, raw: &Option<RawSetB>) -> Option<SetFigures> {
        let Some(raw) = raw else { return self.inherit("set_b", |base| base.set_b).flatten() };
        self.note("set_b", &raw.source, raw.confidence);
        Some(SetFigures {
            watts: self.checker.positive("set_b.it_w", raw.it_w),
            usd_per_gpu_hour: self
                .checker
                .not_negative("set_b.usd_per_gpu_hour", raw.usd_per_gpu_hour),
        })
    }

    fn set_a(&mut self, raw: &Option<RawSetA>) -> Option<SetFigures> {
        let Some(raw) = raw else { return self.inherit("set_a", |base| base.set_a).flatten() };
        self.note("set_a", &raw.source, raw.confidence);
        Some(SetFigures {
            watts: self.checker.positive("set_a.utility_w", raw.utility_w),
            usd_per_gpu_hour: self
                .checker
                .not_negative("set_a.usd_per_gpu_hour", raw.usd_per_gpu_hour),
        })
    }

    fn cloud(&mut self, raw: &Option<RawCloud>) -> Option<CloudPrice> {
        let Some(raw) = raw else { return self.inherit("cloud", |base| base.cloud).flatten() };
        self.note("cloud", &raw.source, raw.confidence);
        let low = self.checker.not_negative("cloud.low_usd_per_gpu_hour", raw.low_usd_per_gpu_hour);
        let high = raw.high_usd_per_gpu_hour;
        if high < low || high.is_nan() {
            let problem = format!("{high} is below the low price {low}");
            self.checker.report("cloud.high_usd_per_gpu_hour", problem, "swap the two");
        }
        Some(CloudPrice { low, high })
    }

    fn step_time(
        &mut self,
        raw: &Option<Coefficients>,
        kind: LinkKind,
        defaults: &Defaults,
    ) -> (Coefficients, bool) {
        if let Some(raw) = raw {
            raw.check(&mut self.checker);
            self.note("step_time", &raw.source, raw.confidence);
            return (raw.clone(), false);
        }
        if self.base.is_some_and(|base| base.interconnect.kind == kind) {
            let inherited = self.inherit("step_time", |base| {
                (base.step_time.clone(), base.step_time_is_transferred)
            });
            return inherited.expect("the base is there");
        }
        let transferred = match kind {
            LinkKind::Nvlink => &defaults.transfer.nvlink,
            LinkKind::Pcie => &defaults.transfer.pcie,
        };
        self.note("step_time", &transferred.source, transferred.confidence);
        (transferred.clone(), true)
    }
}
