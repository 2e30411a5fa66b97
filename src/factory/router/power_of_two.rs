//! The less loaded of two different replicas drawn at random; the first drawn
//! when they are equal (Mitzenmacher 2001, "The power of two choices").

use crate::random::Stream;

/// Loads of the replicas and the stream that pairs are drawn from.
#[derive(Clone, Debug)]
pub struct PowerOfTwo {
    loads: Vec<u32>,
    stream: Stream,
}

impl PowerOfTwo {
    pub fn new(replicas: u32, stream: Stream) -> Self {
        PowerOfTwo { loads: vec![0; replicas as usize], stream }
    }

    #[inline]
    pub fn choose(&mut self) -> u32 {
        let replicas = self.loads.len() as u32;
        if replicas == 1 {
            return 0;
        }
        let first = self.stream.below(replicas);
        let other = self.stream.below(replicas - 1);
        let second = if other < first { other } else { other + 1 };
        if self.loads[second as usize] < self.loads[first as usize] { second } else { first }
    }

    #[inline]
    pub fn arrived(&mut self, replica: u32) {
        self.loads[replica as usize] += 1;
    }

    #[inline]
    pub fn left(&mut self, replica: u32) {
        self.loads[replica as usize] -= 1;
    }
}
