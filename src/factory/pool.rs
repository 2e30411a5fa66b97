//! A pool: identical replicas behind one router.

use super::engine::{Engine, EngineSpec};
use super::router::Router;
use super::work::Ledger;

/// Replicas of one model and the router before them.
#[derive(Clone, Debug)]
pub struct Pool<E> {
    /// What the replicas have in common.
    pub spec: EngineSpec,
    /// The replicas.
    pub engines: Vec<E>,
    /// Chooses among them.
    pub router: Router,
    /// What calls took of its GPU time.
    pub ledger: Ledger,
    /// Slot of the first replica in the pending set; the others follow.
    pub first_slot: u32,
}

impl<E: Engine> Pool<E> {
    /// A pool of `replicas` idle replicas.
    pub fn new(
        spec: EngineSpec,
        replicas: u32,
        router: Router,
        use_cases: usize,
        first_slot: u32,
    ) -> Self {
        let engines = (0..replicas).map(|number| E::new(&spec, number, use_cases)).collect();
        let ledger = Ledger::new(use_cases, spec.ranks);
        Pool { spec, engines, router, ledger, first_slot }
    }

    /// KV blocks of all ranks.
    pub fn blocks_total(&self) -> u64 {
        self.engines.len() as u64 * u64::from(self.spec.ranks) * u64::from(self.spec.limits.blocks)
    }
}
