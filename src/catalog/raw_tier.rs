//! The TOML mirror of a tier entry, and its checks.

use super::origin::{Checker, Confidence, Origin, Problem};
use super::raw_hardware::raw_group;
use super::tier::{Per, Scope, Tier, TierPrice, Transfer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TierFile {
    pub(super) tier: Vec<RawTier>,
}

/// A tier as written in TOML: a new one, or changes to one of the catalog.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTier {
    /// Name; that of a catalog entry changes this entry.
    pub name: String,
    /// Catalog entry that supplies the groups left out here.
    pub base: Option<String>,
    /// Other names it answers to.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Name for people.
    pub title: Option<String>,
    /// Who shares the blocks that it keeps.
    pub scope: Option<Scope>,
    /// The way between it and the GPUs.
    pub transfer: Option<RawTransfer>,
    /// What the way leads through; where it is slower, it counts.
    pub carrier: Option<RawCarrier>,
    /// What there is of it.
    pub capacity: Option<RawCapacity>,
    /// What it costs.
    pub price: Option<RawTierPrice>,
}

raw_group! {
    /// The way between a tier and the GPUs.
    RawTransfer {
        /// Who shares it.
        per: Per,
        /// Towards the GPU, GB/s.
        read_gb_per_s: f64,
        /// From the GPU, GB/s.
        write_gb_per_s: f64,
        /// Time of a transfer beside its bytes, microseconds.
        latency_us: f64,
        /// Share of the bandwidth that is reached; all of it when absent.
        efficiency: Option<f64>,
        /// The same as measured at some sizes, in place of `efficiency`.
        efficiency_by_size: Option<Vec<RawMeasured>>,
    }
}
raw_group! {
    /// What the way to a tier leads through.
    RawCarrier {
        /// Bandwidth in one direction, GB/s.
        gb_per_s: f64,
    }
}
raw_group! {
    /// What there is of a tier.
    RawCapacity {
        /// For each GPU, GB.
        gb_per_gpu: f64,
    }
}
raw_group! {
    /// What a tier costs to buy.
    RawTierPrice {
        /// Dollars for a GB.
        usd_per_gb: f64,
        /// Years over which that is spread.
        years: f64,
    }
}

/// Share of the bandwidth that a transfer of one size reached.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMeasured {
    /// Size of the transfer, MB.
    pub mb: f64,
    /// Share of the bandwidth.
    pub efficiency: f64,
}

/// Takes the checked value of a group when it is written, else the base's.
struct Groups<'a> {
    checker: Checker,
    origins: Vec<Origin>,
    base: Option<&'a Tier>,
}

impl RawTier {
    pub(super) fn check(&self, base: Option<&Tier>) -> Result<Tier, Vec<Problem>> {
        let mut groups = Groups { checker: Checker::default(), origins: Vec::new(), base };
        if self.name.trim().is_empty() {
            groups.checker.report("name", "is empty".to_owned(), "give the entry a name");
        }
        let transfer = groups.transfer(&self.transfer);
        let carrier = groups.carrier(&self.carrier);
        let capacity_per_gpu = groups.capacity(&self.capacity);
        let price = groups.price(&self.price);
        let Groups { checker, origins, .. } = groups;
        let (Some(transfer), true) = (transfer, checker.problems.is_empty()) else {
            return Err(checker.problems);
        };
        let replaced = base.filter(|base| base.name == self.name);
        Ok(Tier {
            name: self.name.trim().to_owned(),
            aliases: match replaced {
                Some(base) if self.aliases.is_empty() => base.aliases.clone(),
                _ => self.aliases.clone(),
            },
            title: self
                .title
                .clone()
                .or_else(|| replaced.map(|base| base.title.clone()))
                .unwrap_or_else(|| self.name.clone()),
            scope: self.scope.or(base.map(|base| base.scope)).unwrap_or(Scope::Rank),
            transfer,
            carrier,
            capacity_per_gpu,
            price,
            origins,
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
    fn inherit<T>(&mut self, what: &'static str, field: impl Fn(&Tier) -> T) -> Option<T> {
        let base = self.base?;
        self.origins.extend(base.origins.iter().find(|origin| origin.what == what).cloned());
        Some(field(base))
    }

    fn transfer(&mut self, raw: &Option<RawTransfer>) -> Option<Transfer> {
        let Some(raw) = raw else {
            let inherited = self.inherit("transfer", |base| base.transfer.clone());
            return self.checker.required("transfer", inherited);
        };
        self.note("transfer", &raw.source, raw.confidence);
        let mut rate = |key: &str, gb: f64| self.checker.positive(key, gb) * 1e9;
        let read_bandwidth = rate("transfer.read_gb_per_s", raw.read_gb_per_s);
        let write_bandwidth = rate("transfer.write_gb_per_s", raw.write_gb_per_s);
        let latency_us = self.checker.not_negative("transfer.latency_us", raw.latency_us);
        Some(Transfer {
            per: raw.per,
            read_bandwidth,
            write_bandwidth,
            latency_s: latency_us * 1e-6,
            efficiency: self.efficiency(raw),
        })
    }

    fn efficiency(&mut self, raw: &RawTransfer) -> Vec<(f64, f64)> {
        let key = "transfer.efficiency_by_size";
        let Some(measured) = &raw.efficiency_by_size else {
            let share = raw.efficiency.unwrap_or(1.0);
            self.share("transfer.efficiency", share);
            return vec![(1.0, share)];
        };
        if measured.is_empty() || raw.efficiency.is_some() {
            let problem = if measured.is_empty() { "is empty" } else { "stands beside efficiency" };
            self.checker.report(key, problem.to_owned(), "keep efficiency, or list sizes");
        }
        for point in measured {
            self.checker.positive(key, point.mb);
            self.share(key, point.efficiency);
        }
        let rises = |pair: &[RawMeasured]| {
            pair[0].mb < pair[1].mb && pair[0].efficiency <= pair[1].efficiency
        };
        let problem = "sizes or shares fall along the list".to_owned();
        if !measured.windows(2).all(rises) {
            self.checker.report(
                key,
                problem,
                "list sizes in ascending order; shares rise with them",
            );
        } else if !measured.windows(2).all(takes_longer) {
            let problem = "a larger transfer would take less time".to_owned();
            self.checker.report(key, problem, "let shares rise slower than sizes");
        }
        measured.iter().map(|point| (point.mb * 1e6, point.efficiency)).collect()
    }

    fn share(&mut self, key: &str, share: f64) {
        if !(share > 0.0 && share <= 1.0) {
            let fix = "give a share above 0 and up to 1";
            self.checker.report(key, format!("{share} is no share of the bandwidth"), fix);
        }
    }

    fn carrier(&mut self, raw: &Option<RawCarrier>) -> Option<f64> {
        let Some(raw) = raw else { return self.inherit("carrier", |base| base.carrier).flatten() };
        self.note("carrier", &raw.source, raw.confidence);
        Some(self.checker.positive("carrier.gb_per_s", raw.gb_per_s) * 1e9)
    }

    fn capacity(&mut self, raw: &Option<RawCapacity>) -> Option<f64> {
        let Some(raw) = raw else {
            return self.inherit("capacity", |base| base.capacity_per_gpu).flatten();
        };
        self.note("capacity", &raw.source, raw.confidence);
        Some(self.checker.positive("capacity.gb_per_gpu", raw.gb_per_gpu) * 1e9)
    }

    fn price(&mut self, raw: &Option<RawTierPrice>) -> Option<TierPrice> {
        let Some(raw) = raw else { return self.inherit("price", |base| base.price).flatten() };
        self.note("price", &raw.source, raw.confidence);
        Some(TierPrice {
            usd_per_gb: self.checker.not_negative("price.usd_per_gb", raw.usd_per_gb),
            years: self.checker.positive("price.years", raw.years),
        })
    }
}

/// Whether the larger of two transfers takes at least as long.
fn takes_longer(pair: &[RawMeasured]) -> bool {
    pair[0].mb / pair[0].efficiency <= pair[1].mb / pair[1].efficiency
}
