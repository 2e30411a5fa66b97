//! Each replica in turn, whatever its load.

/// Cycles through the replicas.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    replicas: u32,
    next: u32,
}

impl RoundRobin {
    pub fn new(replicas: u32) -> Self {
        RoundRobin { replicas, next: 0 }
    }

    #[inline]
    pub fn choose(&mut self) -> u32 {
        let chosen = self.next;
        self.next = if chosen + 1 == self.replicas { 0 } else { chosen + 1 };
        chosen
    }
}
