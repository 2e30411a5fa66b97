//! A memory tier as the model sees it: SI units, checked, with origins.

use super::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tier below HBM that KV blocks can be offloaded to.
#[derive(Clone, Debug, Serialize)]
pub struct Tier {
    /// Name in the catalog.
    pub name: String,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// Name for people.
    pub title: String,
    /// Who shares the blocks it keeps.
    pub scope: Scope,
    /// The way between it and the GPUs.
    pub transfer: Transfer,
    /// Bytes a second that the way leads through at most, if stated.
    pub carrier: Option<f64>,
    /// What there is of it for each GPU, bytes.
    pub capacity_per_gpu: Option<f64>,
    /// What it costs.
    pub price: Option<TierPrice>,
    /// Source and confidence of each group.
    pub origins: Vec<Origin>,
}

/// Who shares the blocks that a tier keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One data-parallel rank alone.
    Rank,
    /// The ranks of a replica.
    Replica,
    /// The replicas of a pool.
    Pool,
    /// All pools that name the tier.
    All,
}

/// Who shares the way to a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Each GPU has its own and moves its shard over it.
    Gpu,
    /// The GPUs of a replica share one.
    Replica,
    /// All pools that name the tier share one.
    All,
}

/// The way between a tier and the GPUs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transfer {
    /// Who shares it.
    pub per: Per,
    /// Towards the GPU, bytes/s.
    pub read_bandwidth: f64,
    /// From the GPU, bytes/s.
    pub write_bandwidth: f64,
    /// Time of a transfer beside its bytes, s.
    pub latency_s: f64,
    /// Share of the bandwidth that transfers of so many bytes reach; ascending
    /// by size, at least one.
    pub efficiency: Vec<(f64, f64)>,
}

/// What a tier costs to buy, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TierPrice {
    /// Dollars for a GB (1e9 bytes).
    pub usd_per_gb: f64,
    /// Years over which that is spread.
    pub years: f64,
}

impl TierPrice {
    /// Dollars an hour for `bytes` bytes, spread evenly over years of 8,760 hours.
    pub fn usd_per_hour(&self, bytes: f64) -> f64 {
        self.usd_per_gb * bytes / 1e9 / (self.years * 8760.0)
    }
}

impl Tier {
    /// Bytes a second towards and from the GPU: the way's own, or the
    /// carrier's where that is slower.
    pub fn bandwidths(&self) -> (f64, f64) {
        let most = self.carrier.unwrap_or(f64::INFINITY);
        (self.transfer.read_bandwidth.min(most), self.transfer.write_bandwidth.min(most))
    }
}
