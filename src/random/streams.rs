//! Random streams named by what they are for.
//!
//! A stream is a xoshiro256++ generator whose 256-bit seed is a pure function
//! of (root seed, replication, component, entity, item). A request drawn from
//! its own streams keeps its lengths whatever happened before it, in whatever
//! order: that pairs what-if arms (measured: 17 times fewer runs for the same
//! interval) and lets one request be replayed alone. Neither arm nor sweep
//! point is in the key.
//!
//! The seed comes from two SplitMix64 sequences (Steele, Lea and Flood 2014),
//! one step an item, so neighbouring items are as independent as consecutive
//! outputs of that generator, and 128 bits of key state keep two streams of a
//! study from ever meeting. Cost: about 4 ns for seeding and the first draw.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng, TryRng};
use std::convert::Infallible;

/// What a stream is drawn for. The numbers are part of the key: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Component {
    /// Instants of arrival.
    Arrivals = 1,
    /// Prompt lengths.
    Prompt = 2,
    /// Output lengths.
    Output = 3,
    /// Think times of users.
    Think = 4,
    /// Choices of routers.
    Route = 5,
    /// Tool calls: how many, how long.
    Tools = 6,
    /// Failures and repairs.
    Faults = 7,
    /// Points of a sweep.
    Design = 8,
    /// Groups that share a prefix: which one.
    Group = 9,
    /// Lengths of the segments of a shared prefix.
    Segment = 10,
    /// Turns of a session.
    Turns = 11,
    /// How good days are.
    DayNoise = 12,
    /// States of demand.
    States = 13,
    /// Flash crowds.
    Crowds = 14,
    /// How fast demand grows.
    Growth = 15,
    /// Shares and habits of tenants.
    Tenants = 16,
    /// Whether a call thinks.
    Difficulty = 17,
    /// How much it thinks.
    Thinking = 18,
    /// Regions of recorded calls.
    Region = 19,
    /// Hours of a horizon, chosen at random.
    Windows = 20,
    /// Sizes of batch jobs.
    Jobs = 21,
    /// Runs of a session of an agent.
    Runs = 22,
    /// Sub-agents: whether, how many, what they report.
    Children = 23,
    /// Summaries that take the place of contexts.
    Compaction = 24,
    /// What was before the start of a run.
    AtStart = 25,
}

impl Component {
    /// Whether it is the same in all parts of a horizon: days are as good as they
    /// are, texts and jobs as long, in whichever window one meets them.
    const fn lasts(self) -> bool {
        matches!(
            self,
            Component::DayNoise | Component::Growth | Component::Segment | Component::Jobs
        )
    }
}

/// Steps of the two SplitMix64 sequences: odd, bits well spread, and apart by
/// an odd multiple of 2^7, so that two items meet in both only 2^57 items later.
const GAMMA: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd134_2543_de82_ef95];

/// The SplitMix64 finalizer: a bijection of 64 bits that flips half of them
/// for every bit changed.
#[inline]
pub(crate) const fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// All streams of one replication.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    base: [u64; 2],
    /// Those of what lasts over the whole horizon.
    lasting: [u64; 2],
}

impl Streams {
    /// The streams of `replication` under the seed `root`.
    pub fn new(root: u64, replication: u64) -> Self {
        let lane = |gamma: u64| {
            let root = mix(root.wrapping_add(gamma));
            mix((root ^ replication).wrapping_add(gamma))
        };
        let base = GAMMA.map(lane);
        Streams { base, lasting: base }
    }

    /// The streams of a part of the horizon that begins `from` after its start:
    /// others than those of other parts, but for what lasts. The part that begins
    /// with the horizon has the streams of the whole.
    pub fn part(&self, from: u64) -> Self {
        match from {
            0 => *self,
            from => Streams { base: self.base.map(|base| mix(base ^ mix(from))), ..*self },
        }
    }

    /// The stream for `component` of the `item`-th item of `entity`.
    #[inline]
    pub fn stream(&self, component: Component, entity: u64, item: u64) -> Stream {
        let owner = mix(entity ^ (component as u64) << 56);
        let base = if component.lasts() { &self.lasting } else { &self.base };
        let lane = |w: usize| base[w].wrapping_add(owner).wrapping_add(item.wrapping_mul(GAMMA[w]));
        let (a, b) = (lane(0), lane(1));
        Stream::from_words([
            mix(a),
            mix(b),
            mix(a.wrapping_add(GAMMA[1])),
            mix(b.wrapping_add(GAMMA[0])),
        ])
    }
}

/// Number of an entity that is known by name: FNV-1a, 64 bits.
///
/// Positions in a scenario would do as well, but then adding a use case would
/// move the streams of those after it.
pub fn entity(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// One stream of random numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    #[inline]
    fn from_words(words: [u64; 4]) -> Self {
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Stream(Xoshiro256PlusPlus::from_seed(seed))
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in the open interval (0, 1), on a grid symmetric about 1/2:
    /// the odd multiples of 2^-53, so that `1.0 - unit` is exact and open too.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.next_u64() >> 12 << 1 | 1) as f64 * STEP
    }

    /// Uniform in `0..n`, without bias (Lemire 2019). Panics when `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "nothing is below 0");
        let mut product = self.word32() * u64::from(n);
        if (product as u32) < n {
            let reject_below = n.wrapping_neg() % n;
            while (product as u32) < reject_below {
                product = self.word32() * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    #[inline]
    fn word32(&mut self) -> u64 {
        self.next_u64() >> 32
    }
}

/// Makes a stream a generator for `rand` and `rand_distr`.
impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    #[inline]
    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changing any of these changes every result ever published.
    #[test]
    fn keys_are_frozen() {
        let first = |root, replication, component, entity, item| {
            Streams::new(root, replication).stream(component, entity, item).next_u64()
        };
        let draws = [
            first(0, 0, Component::Arrivals, 0, 0),
            first(1, 0, Component::Arrivals, 0, 0),
            first(1, 1, Component::Arrivals, 0, 0),
            first(1, 1, Component::Faults, 0, 0),
            first(1, 1, Component::Faults, entity("chat"), 0),
            first(1, 1, Component::Faults, entity("chat"), 1 << 40),
        ];
        assert_eq!(
            draws.map(|draw| format!("{draw:016x}")),
            [
                "37e93d92a57432f0",
                "10775ccac20b8e30",
                "8409de876afc4fc6",
                "56b0433fe3804813",
                "9476130ee27b3f12",
                "3f5ee47056c0d384",
            ]
        );
        assert_eq!(entity("chat"), 0xf2a3_8d91_0b5b_348b);
    }

    #[test]
    fn unit_is_open_and_below_covers_its_range() {
        let mut stream = Streams::new(1, 0).stream(Component::Route, 0, 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            let unit = stream.unit();
            assert!(unit > 0.0 && unit < 1.0 && 1.0 - (1.0 - unit) == unit);
            counts[stream.below(7) as usize] += 1;
        }
        let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
        assert!(chi2 < 22.5, "chi-square with 6 degrees of freedom: {chi2}"); // p = 0.001
        assert_eq!(stream.below(1), 0);
    }

    /// One changed bit anywhere in the key changes each output bit half the time.
    #[test]
    fn every_bit_of_the_key_reaches_every_bit_of_the_draws() {
        let draws = |key: [u64; 4]| {
            let component = if key[2] & 1 == 0 { Component::Prompt } else { Component::Output };
            let mut stream = Streams::new(key[0], key[1]).stream(component, key[2] >> 1, key[3]);
            [stream.next_u64(), stream.next_u64()]
        };
        let mut source = Streams::new(9, 9).stream(Component::Tools, 0, 0);
        const TRIALS: u32 = 400;
        for bit in 0..256 {
            let mut flips = [0u32; 128];
            for _ in 0..TRIALS {
                let key: [u64; 4] = std::array::from_fn(|_| source.next_u64());
                let mut other = key;
                other[bit / 64] ^= 1 << (bit % 64);
                let (a, b) = (draws(key), draws(other));
                for (at, flip) in flips.iter_mut().enumerate() {
                    *flip += ((a[at / 64] ^ b[at / 64]) >> (at % 64) & 1) as u32;
                }
            }
            // 5.5 standard deviations of 10 among 32,768 counts.
            assert!(flips.iter().all(|flips| flips.abs_diff(TRIALS / 2) < 55), "key bit {bit}");
        }
    }

    /// Streams with neighbouring keys are uncorrelated, draw by draw.
    #[test]
    fn neighbouring_streams_are_uncorrelated() {
        const N: u64 = 20_000;
        let streams = Streams::new(1, 0);
        type Neighbour = fn(&Streams, u64) -> Stream;
        let neighbours: [Neighbour; 4] = [
            |streams, i| streams.stream(Component::Prompt, 3, i + 1),
            |streams, i| streams.stream(Component::Prompt, 4, i),
            |streams, i| streams.stream(Component::Output, 3, i),
            |_, i| Streams::new(1, 1).stream(Component::Prompt, 3, i),
        ];
        for (which, neighbour) in neighbours.iter().enumerate() {
            for skip in 0..3 {
                let nth = |mut stream: Stream| {
                    for _ in 0..skip {
                        stream.next_u64();
                    }
                    stream.unit() - 0.5
                };
                let covariance: f64 = (0..N)
                    .map(|i| {
                        nth(streams.stream(Component::Prompt, 3, i)) * nth(neighbour(&streams, i))
                    })
                    .sum();
                let correlation = 12.0 * covariance / N as f64;
                assert!(
                    correlation.abs() < 4.0 / (N as f64).sqrt(),
                    "{which} {skip} {correlation}"
                );
            }
        }
    }
}
