use super::{Dropped, ReferenceTier, Store, TierStore};
use crate::factory::PromptTime;
use crate::factory::cache::{Eviction, Piece, PrefixStore, pieces};
use crate::kernel::{Span, Time};
use crate::random::{Component, Distribution, Streams};
use crate::workload::{Author, Content, Strand};
use proptest::prelude::*;

fn strand(number: u64) -> Strand {
    Strand::new(0, Author::Session, number)
}

#[derive(Clone, Debug)]
enum Step {
    /// Blocks of a strand are used; they are written this much later.
    Put(u64, u32, u32, u64),
    Take(u64, u32, u32),
    Find(u64, u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = || (0..5u64, 0..40u32, 1..20u32);
    let step = prop_oneof![
        4 => (place(), 0..40u64).prop_map(|((s, from, n), late)| Step::Put(s, from, from + n, late)),
        1 => place().prop_map(|(s, from, n)| Step::Take(s, from, from + n)),
        3 => place().prop_map(|(s, from, n)| Step::Find(s, from, from + n)),
    ];
    proptest::collection::vec(step, 0..120)
}

/// Dropped blocks one by one.
fn blocks(dropped: &[Dropped]) -> Vec<(Strand, u32)> {
    let blocks = |dropped: &Dropped| {
        let Piece { strand, start, end } = dropped.piece;
        (start..end).rev().map(move |block| (strand, block))
    };
    dropped.iter().flat_map(blocks).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn ranges_equal_blocks(steps in steps(), capacity in 0..300u64) {
        let mut store = TierStore::new(capacity);
        let mut reference = ReferenceTier::new(capacity);
        let mut now = Time::ZERO;
        for step in steps {
            now += Span::from_ticks(7);
            let piece = |number, start, end| Piece { strand: strand(number), start, end };
            match step {
                Step::Put(number, start, end, late) => {
                    let piece = piece(number, start, end);
                    prop_assert_eq!(store.absent(piece), reference.absent(piece));
                    // Blocks of one strand are of one size, those of others are not.
                    let (bytes, there) = (1 + number % 3, now + Span::from_ticks(late));
                    store.put(piece, bytes, there, now);
                    reference.put(piece, bytes, there, now);
                    let (mut dropped, mut expected) = (Vec::new(), Vec::new());
                    store.shrink(&mut dropped);
                    reference.shrink(&mut expected);
                    prop_assert_eq!(blocks(&dropped), blocks(&expected));
                    prop_assert!(store.used() <= capacity);
                }
                Step::Take(number, start, end) => {
                    store.take(piece(number, start, end));
                    reference.take(piece(number, start, end));
                }
                Step::Find(number, start, end) => {
                    let piece = piece(number, start, end);
                    prop_assert_eq!(store.find(piece, now), reference.find(piece, now));
                }
            }
            prop_assert_eq!(store.used(), reference.used());
        }
    }
}

#[test]
fn a_session_stays_one_range() {
    let mut store = TierStore::new(u64::MAX);
    for turn in 1..50 {
        let now = Time::from_ticks(1000 * u64::from(turn));
        let piece = Piece { strand: strand(1), start: 0, end: 10 * turn };
        assert_eq!(store.absent(piece), 10);
        store.put(piece, 1, now + Span::from_ticks(5), now);
        assert!(store.ranges() <= 2, "the last turn is still being written");
        assert_eq!(store.absent(piece), 0);
    }
}

/// Che's approximation is within 1 % of a least recently used store, and this
/// store is one: `hit_i = 1 - exp(-p_i T)` with `sum hit_i = C`.
#[test]
fn independent_references_hit_as_che_says() {
    const ITEMS: usize = 10_000;
    let zipf = Distribution::zipf(ITEMS as u64, 0.8).unwrap();
    let weights: Vec<f64> = (1..=ITEMS).map(|rank| (rank as f64).powf(-0.8)).collect();
    let total: f64 = weights.iter().sum();
    // The last column: an exact simulation of least recently used, 2e7 requests.
    for (capacity, simulated) in [(100, 0.156966), (1000, 0.437463), (3000, 0.659591)] {
        let filled = |time: f64| weights.iter().map(|w| 1.0 - (-w / total * time).exp()).sum();
        let (mut low, mut high) = (0.0, 1e9);
        while high - low > 1e-3 {
            let middle: f64 = (low + high) / 2.0;
            let filled: f64 = filled(middle);
            if filled < f64::from(capacity) { low = middle } else { high = middle }
        }
        let hit = |w: &f64| w / total * (1.0 - (-w / total * low).exp());
        let che: f64 = weights.iter().map(hit).sum();
        let (tier, cache) = zipf_hits(&zipf, capacity);
        for measured in [tier, cache] {
            assert!((measured / che - 1.0).abs() < 0.01, "{capacity}: {measured}, Che {che}");
            assert!((measured / simulated - 1.0).abs() < 0.01, "{capacity}: {measured}");
        }
    }
}

/// Share of hits among independent references to single blocks, in a tier and
/// in the cache of a rank, each with room for `capacity` blocks.
fn zipf_hits(zipf: &Distribution, capacity: u32) -> (f64, f64) {
    const WARM_UP: u32 = 50_000;
    const REQUESTS: u32 = 300_000;
    let mut stream = Streams::new(7, 0).stream(Component::Route, capacity.into(), 0);
    let mut tier = TierStore::new(capacity.into());
    let mut cache = PrefixStore::new(Eviction::Lru, 1, PromptTime::default());
    let (mut dropped, mut tier_hits, mut cache_hits) = (Vec::new(), 0, 0);
    for request in 0..WARM_UP + REQUESTS {
        let item = strand(zipf.sample(&mut stream) as u64);
        let content = Content::new(item);
        let words = content.stretches();
        let hit = cache.lookup(words, 1).blocks;
        cache.acquire(words, hit);
        if hit == 0 && cache.resident() == capacity {
            cache.evict(1, |_, _, _| {});
        }
        cache.publish(words, hit, 1);
        cache.release(words, 1);
        let piece = Piece { strand: item, start: 0, end: 1 };
        let missed = tier.absent(piece);
        tier.put(piece, 1, Time::ZERO, Time::ZERO);
        tier.shrink(&mut dropped);
        if request >= WARM_UP {
            tier_hits += 1 - missed;
            cache_hits += hit;
        }
    }
    (f64::from(tier_hits) / f64::from(REQUESTS), f64::from(cache_hits) / f64::from(REQUESTS))
}

/// Texts that share starts, as turns of sessions on common system prompts.
fn session_texts() -> impl Strategy<Value = Vec<(usize, u32)>> {
    proptest::collection::vec((0..12usize, 1..30u32), 1..200)
}

fn session(number: usize) -> Content {
    let mut content = Content::new(strand(100 + number as u64 % 3));
    content.turn_off(5 + number as u32 % 3, strand(number as u64));
    content
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    /// A cache before an exclusive tier hits like one cache of their joint size.
    #[test]
    fn exclusive_tiers_hit_like_one(
        texts in session_texts(), first in 30..60u32, second in 0..80u32, third in 0..40u32,
    ) {
        let mut joint = PrefixStore::new(Eviction::Lru, 1, PromptTime::default());
        let mut cache = PrefixStore::new(Eviction::Lru, 1, PromptTime::default());
        let mut tiers = [TierStore::new(second.into()), TierStore::new(third.into())];
        let room = first + second + third;
        for (number, length) in texts {
            let content = session(number);
            let words = content.stretches();
            let hit = joint.lookup(words, length).blocks;
            joint.acquire(words, hit);
            let full = joint.resident() + length - hit;
            joint.evict(full.saturating_sub(room), |_, _, _| {});
            joint.publish(words, hit, length);
            joint.release(words, length);

            let near = cache.lookup(words, length).blocks;
            let (mut far, mut fetched) = (near, Vec::new());
            for piece in pieces(words, 1, length).filter(|piece| piece.end > near) {
                // Each block from wherever it lies, until one lies nowhere.
                while far < piece.end {
                    let rest = Piece { start: piece.start.max(far), ..piece };
                    let find = |tier: &TierStore| tier.find(rest, Time::ZERO).0;
                    let end = tiers.iter().map(find).max().unwrap();
                    if end == far { break }
                    fetched.push(Piece { end, ..rest });
                    far = end;
                }
                if far < piece.end { break }
            }
            prop_assert_eq!(far, hit);
            for piece in fetched {
                tiers.iter_mut().for_each(|tier| tier.take(piece));
            }
            cache.acquire(words, near);
            let full = cache.resident() + length - near;
            let mut dropped = Vec::new();
            cache.evict(full.saturating_sub(first), |strand, start, end| {
                let piece = Piece { strand, start, end };
                dropped.push(Dropped { piece, there: Time::ZERO });
            });
            for tier in &mut tiers {
                for Dropped { piece, .. } in std::mem::take(&mut dropped) {
                    prop_assert_eq!(tier.absent(piece), piece.end - piece.start);
                    tier.put(piece, 1, Time::ZERO, Time::ZERO);
                }
                tier.shrink(&mut dropped);
            }
            cache.publish(words, near, length);
            cache.release(words, length);
            let kept: u64 = tiers.iter().map(TierStore::used).sum();
            prop_assert_eq!(u64::from(joint.resident()), u64::from(cache.resident()) + kept);
        }
    }
}
