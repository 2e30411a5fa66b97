//! Customers of very different size, each with its own arrivals: the heap of
//! their next ones.

use super::varying::Varying;
use crate::kernel::{SlotHeap, Time};

/// The arrivals of several sources, in order; of equal instants the source that
/// was looked at first.
#[derive(Clone, Debug)]
pub struct Tenants {
    sources: Vec<Varying>,
    next: SlotHeap,
    looks: u64,
}

impl Tenants {
    /// Merges `sources`.
    pub fn new(sources: Vec<Varying>) -> Tenants {
        let next = SlotHeap::new(sources.len() as u32);
        let mut tenants = Tenants { sources, next, looks: 0 };
        for tenant in 0..tenants.sources.len() as u32 {
            tenants.look(tenant);
        }
        tenants
    }

    /// The next arrival; `None` when there are no more.
    pub fn next(&mut self) -> Option<Time> {
        let (ticks, tenant) = self.next.pop()?;
        self.look(tenant);
        Some(Time::from_ticks(ticks))
    }

    fn look(&mut self, tenant: u32) {
        if let Some(time) = self.sources[tenant as usize].next() {
            self.next.insert(tenant, time.ticks(), self.looks);
            self.looks += 1;
        }
    }
}
