//! A GPU as the model sees it: SI units, checked, with the origin of each group.

use super::{Coefficients, Origin, Precision, WeightFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A GPU: datasheet, fitted step-time coefficients, cost and power.
#[derive(Clone, Debug, Serialize)]
pub struct Hardware {
    /// Name in the catalog.
    pub name: String,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// Name for people.
    pub title: String,
    /// How it is cooled; decides the default PUE.
    pub cooling: Cooling,
    /// Default facility power over IT power for this cooling.
    pub pue: f64,
    /// Memory that software can allocate, bytes.
    pub memory_bytes: u64,
    /// Memory bandwidth, bytes/s.
    pub bandwidth: f64,
    /// Dense bf16 rate, FLOP/s.
    pub peak_bf16: f64,
    /// Dense fp8 rate, FLOP/s, where the GPU has one.
    pub peak_fp8: Option<f64>,
    /// Dense nvfp4 rate, FLOP/s, where the GPU has one.
    pub peak_nvfp4: Option<f64>,
    /// How GPUs of one scale-up domain are joined.
    pub interconnect: Interconnect,
    /// Thermal design power of the GPU alone, W.
    pub tdp_w: Option<f64>,
    /// Cost and IT power, set B (the default set).
    pub set_b: Option<SetFigures>,
    /// Cost and utility power, set A.
    pub set_a: Option<SetFigures>,
    /// Range of cloud prices.
    pub cloud: Option<CloudPrice>,
    /// Coefficients of the step-time model.
    pub step_time: Coefficients,
    /// Whether those coefficients were measured on another GPU.
    pub step_time_is_transferred: bool,
    /// Source and confidence of each group.
    pub origins: Vec<Origin>,
}

/// How a GPU is cooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cooling {
    /// Fans.
    Air,
    /// Cold plates.
    Liquid,
}

/// Links between the GPUs of one scale-up domain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interconnect {
    /// What the links are.
    pub kind: LinkKind,
    /// Bandwidth of one GPU in one direction, bytes/s.
    pub bandwidth: f64,
    /// GPUs in one domain.
    pub domain_gpus: u32,
}

/// Kinds of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// A switched fabric between GPUs.
    Nvlink,
    /// The host's PCIe tree.
    Pcie,
}

/// Which of the two dated sets of cost and power is used; one figure never mixes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CostSet {
    /// InferenceX constants, late 2025 to mid 2026; power at the utility meter.
    A,
    /// InferenceX registry, September 2026; IT power.
    #[default]
    B,
}

/// Cost and provisioned power of one GPU with its share of the host.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SetFigures {
    /// Provisioned power, W: IT power in set B, utility power in set A.
    pub watts: f64,
    /// Total cost of ownership, dollars per GPU-hour.
    pub usd_per_gpu_hour: f64,
}

/// Range of cloud prices, dollars per GPU-hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CloudPrice {
    /// Lowest price found.
    pub low: f64,
    /// Highest price found.
    pub high: f64,
}

/// Provisioned power of one GPU.
#[derive(Clone, Debug, PartialEq)]
pub struct Power {
    /// Watts of one GPU with its share of the host, if known.
    pub watts: Option<f64>,
    /// Factor from those watts to facility power (1 where they include it).
    pub pue: f64,
}

/// Price of one GPU-hour.
#[derive(Clone, Debug)]
pub struct GpuHour {
    /// Dollars, `None` when the catalog knows no price and the user gave none.
    pub usd: Option<f64>,
    /// Where it comes from, for reports ("set B total cost of ownership", "scenario", ...).
    pub origin: String,
    /// It stands in for a figure nobody published.
    pub is_estimate: bool,
}

impl Hardware {
    /// FLOP/s of dense matrix products, and whether the GPU has that format.
    ///
    /// A format without its own rate is stored compressed and computed in bf16
    /// (weight-only kernels): it saves memory and bandwidth, not arithmetic.
    pub fn dense_peak(&self, precision: Precision) -> (f64, bool) {
        self.peak(precision.weights.dense_arithmetic())
    }

    /// As [`Hardware::dense_peak`], for the expert layers.
    pub fn expert_peak(&self, precision: Precision) -> (f64, bool) {
        self.peak(precision.weights.expert_arithmetic())
    }

    fn peak(&self, arithmetic: WeightFormat) -> (f64, bool) {
        let native = match arithmetic {
            WeightFormat::Fp8 => self.peak_fp8,
            WeightFormat::Nvfp4 => self.peak_nvfp4,
            _ => Some(self.peak_bf16),
        };
        (native.unwrap_or(self.peak_bf16), native.is_some())
    }

    /// Price of one GPU-hour under `set`; the low cloud price stands in where
    /// the set has none.
    pub fn gpu_hour(&self, set: CostSet) -> GpuHour {
        let (name, figures) = self.figures(set);
        match (figures, self.cloud) {
            (Some(figures), _) => GpuHour {
                usd: Some(figures.usd_per_gpu_hour),
                origin: format!("total cost of ownership, {name}"),
                is_estimate: false,
            },
            (None, Some(cloud)) => GpuHour {
                usd: Some(cloud.low),
                origin: format!("lowest cloud price found, for want of a cost in {name}"),
                is_estimate: true,
            },
            (None, None) => GpuHour {
                usd: None,
                origin: format!("no price of {} is known", self.name),
                is_estimate: false,
            },
        }
    }

    /// Provisioned power of one GPU under `set`, with the factor that leads to
    /// facility power.
    pub fn power(&self, set: CostSet) -> Power {
        let watts = self.figures(set).1.map(|figures| figures.watts);
        let pue = if set == CostSet::A { 1.0 } else { self.pue };
        Power { watts, pue }
    }

    fn figures(&self, set: CostSet) -> (&'static str, Option<SetFigures>) {
        match set {
            CostSet::A => ("set A (InferenceX, late 2025 to mid 2026)", self.set_a),
            CostSet::B => ("set B (InferenceX, September 2026)", self.set_b),
        }
    }
}
