//! The tiers that a pool offloads KV blocks to.

use super::Check;
use crate::catalog::{Catalog, LinkKind, Per, Scope, Tier};
use crate::factory::{LEVELS_MAX, Writing};
use crate::scenario::raw::{RawOffload, RawOffloadPolicy, RawPool};
use crate::scenario::tree::At;
use crate::scenario::{Offload, Pool};
use indexmap::IndexMap;
use std::sync::Arc;

/// More bytes than any tier has.
const BYTES_MAX: f64 = 1e18;

impl Check<'_> {
    /// The tiers of `pool`, from near to far. Without a prefix cache nothing
    /// could be found in them, so that there are none.
    pub(super) fn offload(
        &mut self,
        at: &At<'_>,
        catalog: &Catalog,
        raw: &RawPool,
        pool: &Pool,
    ) -> Vec<Offload> {
        let list = at.key("offload");
        self.at_most(&list, LEVELS_MAX);
        let mut tiers: Vec<Offload> = Vec::new();
        for (at, raw) in list.entries().zip(&raw.offload) {
            let tier = self.known(&at.key("tier"), catalog.tier(&raw.tier));
            let Some(tier) = tier else { continue };
            if tiers.iter().any(|other| other.tier.name == tier.name) {
                let fix = "add a [[tier]] with a name of its own and this one as its base";
                self.wrong(&at.key("tier"), "stands twice in this pool", fix);
            }
            self.judge_link(pool, &tier);
            tiers.extend(self.tier_of_pool(&at, raw, pool, tier));
        }
        if pool.engine.prefix_cache.is_none() && !tiers.is_empty() {
            self.warnings.push(format!(
                "pool {}: offload is left out because prefix_caching is off",
                pool.name
            ));
            return Vec::new();
        }
        tiers
    }

    fn tier_of_pool(
        &mut self,
        at: &At<'_>,
        raw: &RawOffload,
        pool: &Pool,
        tier: Arc<Tier>,
    ) -> Option<Offload> {
        let scope = raw.scope.unwrap_or(tier.scope);
        let gpus = match scope {
            Scope::Rank | Scope::Replica => pool.parallelism.gpus(),
            Scope::Pool | Scope::All => pool.gpus(),
        };
        let usual = tier.capacity_per_gpu.map(|bytes| bytes * f64::from(gpus));
        let place = at.key("capacity");
        let Some(bytes) = raw.capacity.as_ref().map(|capacity| capacity.value).or(usual) else {
            let problem = format!("is missing: the catalog knows no capacity of {}", tier.name);
            self.missing(&place, &problem, "add e.g. capacity = \"10 TB\"");
            return None;
        };
        let stores = if scope == Scope::Rank { pool.parallelism.data } else { 1 };
        let block_bytes = pool.kv.place_bytes() * u64::from(pool.parallelism.tensor);
        let capacity_bytes = bytes.min(BYTES_MAX) as u64;
        if bytes > BYTES_MAX {
            self.wrong(&place, "is more than an exabyte", "write a size such as \"512 GB\"");
        } else if capacity_bytes / u64::from(stores) < block_bytes {
            let problem = format!("has no room for one KV block of {block_bytes} bytes in a rank");
            self.wrong(&place, problem, "write a size such as \"512 GB\", or leave the tier out");
        }
        let policy = match raw.policy {
            RawOffloadPolicy::WriteThrough => Writing::WriteThrough,
            RawOffloadPolicy::WriteBack => Writing::WriteBack,
            RawOffloadPolicy::OnEvict => Writing::OnEvict,
        };
        Some(Offload { tier, capacity_bytes, policy, scope, sharers: 1 })
    }

    /// A way that is faster than what it leads through.
    fn judge_link(&mut self, pool: &Pool, tier: &Tier) {
        let gb = |bytes: f64| bytes / 1e9;
        let fastest = tier.transfer.read_bandwidth.max(tier.transfer.write_bandwidth);
        if let Some(carrier) = tier.carrier.filter(|&carrier| carrier < fastest) {
            self.warnings.push(format!(
                "pool {}: {} moves {} GB/s over a carrier of {} GB/s; the carrier's rate counts",
                pool.name,
                tier.name,
                gb(fastest),
                gb(carrier)
            ));
        }
        let links = pool.hardware.interconnect;
        let is_own = tier.transfer.per == Per::Gpu && links.kind == LinkKind::Pcie;
        if is_own && tier.bandwidths().0 > links.bandwidth {
            self.warnings.push(format!(
                "pool {}: {} brings each GPU {} GB/s, but {} has a PCIe link of {} GB/s",
                pool.name,
                tier.name,
                gb(tier.bandwidths().0),
                pool.hardware.name,
                gb(links.bandwidth)
            ));
        }
    }

    /// Tiers that all pools share have one capacity, whoever states it, and are
    /// paid by all.
    pub(super) fn shared_tiers(&mut self, root: &At<'_>, pools: &mut [Option<Pool>]) {
        let mut known: IndexMap<String, (u64, u32)> = IndexMap::new();
        for (pool, at) in pools.iter().zip(root.key("pool").entries()) {
            let offload = pool.iter().flat_map(|pool| &pool.offload);
            for (offload, at) in offload.zip(at.key("offload").entries()) {
                if offload.scope != Scope::All {
                    continue;
                }
                let name = offload.tier.name.clone();
                let (bytes, sharers) = known.entry(name).or_insert((offload.capacity_bytes, 0));
                *sharers += 1;
                if *bytes != offload.capacity_bytes {
                    let problem = "another pool that shares this tier gives it another capacity";
                    let fix = "state the same capacity in each pool, that of the whole tier";
                    self.wrong(&at.key("capacity"), problem, fix);
                }
            }
        }
        for offload in pools.iter_mut().flatten().flat_map(|pool| &mut pool.offload) {
            if let Some((_, sharers)) = known.get(&offload.tier.name)
                && offload.scope == Scope::All
            {
                offload.sharers = *sharers;
            }
        }
    }
}
