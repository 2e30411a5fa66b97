//! Checks the router of a pool.

use super::Check;
use crate::factory::{Policy, Routing};
use crate::kernel::Span;
use crate::scenario::raw::{RawPolicy, RawPool, RawRouter};
use crate::scenario::tree::At;

/// A router that hears of things so late does not route by them.
const DELAY_S_MAX: f64 = 3_600.0;

impl Check<'_> {
    pub(super) fn routing(&mut self, at: &At<'_>, pool: &mut RawPool) -> Routing {
        self.idle_keys(at, &pool.router);
        let raw = &mut pool.router;
        let policy = match raw.policy {
            RawPolicy::RoundRobin => Policy::RoundRobin,
            RawPolicy::LeastLoaded => Policy::LeastLoaded,
            RawPolicy::PowerOfTwo => Policy::PowerOfTwo,
            RawPolicy::KvAware => Policy::KvAware {
                overlap_weight: *raw.overlap_weight.get_or_insert(Policy::OVERLAP_WEIGHT),
                temperature: *raw.temperature.get_or_insert(0.0),
            },
            RawPolicy::SessionAffinity => Policy::SessionAffinity,
            RawPolicy::PrefixAffinity => {
                Policy::PrefixAffinity { spill_over: *raw.spill_over.get_or_insert(1.25) }
            }
        };
        if policy.watches_caches() && !pool.engine.prefix_caching {
            self.warnings.push(format!(
                "pool {}: router kv-aware has no cache to look for, since engine.prefix_caching is \
                 false; it routes by load alone",
                pool.name
            ));
        }
        let delay_s = raw.signal_delay.as_ref().map_or(0.0, |delay| delay.value);
        if delay_s > DELAY_S_MAX {
            let fix = "write a delay such as \"100 ms\"";
            self.wrong(&at.key("signal_delay"), "is more than an hour", fix);
        }
        Routing { policy, signal_delay: Span::from_seconds(delay_s) }
    }

    /// Keys that the policy does not read: a sweep over policies may leave them.
    fn idle_keys(&mut self, at: &At<'_>, raw: &RawRouter) {
        let is_kv_aware = matches!(raw.policy, RawPolicy::KvAware);
        let is_prefix_affinity = matches!(raw.policy, RawPolicy::PrefixAffinity);
        let is_round_robin = matches!(raw.policy, RawPolicy::RoundRobin);
        for (key, is_idle, readers) in [
            ("overlap_weight", raw.overlap_weight.is_some() && !is_kv_aware, "kv-aware"),
            ("temperature", raw.temperature.is_some() && !is_kv_aware, "kv-aware"),
            ("spill_over", raw.spill_over.is_some() && !is_prefix_affinity, "prefix-affinity"),
            ("signal_delay", raw.signal_delay.is_some() && is_round_robin, "all but round-robin"),
        ] {
            if is_idle {
                let path = at.key(key).path;
                self.warnings.push(format!("{path} has no effect: only {readers} reads it"));
            }
        }
    }
}
