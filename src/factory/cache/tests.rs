use super::reference::ReferenceStore;
use super::{Eviction, Hold, PrefixStore};
use crate::factory::PromptTime;
use crate::kernel::{Span, Time};
use crate::workload::{Author, Content, Strand};
use proptest::prelude::*;

fn strand(number: u64) -> Strand {
    Strand::new(0, Author::Session, number)
}

/// A tree of texts: each turns off from an earlier one somewhere.
fn texts() -> impl Strategy<Value = Vec<Content>> {
    proptest::collection::vec((any::<prop::sample::Index>(), 0..60u32), 1..12).prop_map(|forks| {
        let mut texts = vec![Content::new(strand(0))];
        for (number, (from, until)) in (1..).zip(forks) {
            let mut text = from.get(&texts).clone();
            // Only the last strand has an end to be moved.
            let entered = text.stretches().iter().rev().nth(1).map_or(0, |s| s.until);
            text.turn_off(entered + until, strand(number));
            texts.push(text);
        }
        texts
    })
}

#[derive(Clone, Debug)]
enum Step {
    /// A sequence starts: hits what is there, up to this many blocks in all.
    Start(prop::sample::Index, u32),
    /// A live sequence computes this many more blocks.
    Grow(prop::sample::Index, u32),
    /// A live sequence ends, and says this of its blocks.
    End(prop::sample::Index, Hold),
    /// A sequence of so many blocks ends that shared nothing with anybody.
    Retire(u32),
    /// This many idle blocks, if there are so many, go.
    Evict(u32),
    /// So many ticks pass.
    Wait(u64),
}

fn holds() -> impl Strategy<Value = Hold> {
    let from = || prop_oneof![Just(0), 0..20u32];
    prop_oneof![
        Just(Hold::Silent),
        from().prop_map(|from| Hold::Over { from }),
        from().prop_map(|from| Hold::On { from }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (any::<prop::sample::Index>(), 0..40u32).prop_map(|(text, most)| Step::Start(text, most)),
        3 => (any::<prop::sample::Index>(), 0..12u32).prop_map(|(live, more)| Step::Grow(live, more)),
        3 => (any::<prop::sample::Index>(), holds()).prop_map(|(live, said)| Step::End(live, said)),
        1 => (0..12u32).prop_map(Step::Retire),
        2 => (0..30u32).prop_map(Step::Evict),
        2 => (0..6u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..160)
}

pub fn evictions() -> impl Strategy<Value = Eviction> {
    prop_oneof![
        Just(Eviction::Lru),
        Just(Eviction::Lfu),
        Just(Eviction::S3Fifo),
        (0..20u64).prop_map(|ticks| Eviction::Ttl { ttl: Span::from_ticks(ticks) }),
        Just(Eviction::CostAware),
        (1..20u64).prop_map(|ticks| Eviction::AgentHold { hold: Span::from_ticks(ticks) }),
    ]
}

/// Blocks that cost a few ticks each, or nothing, so that worths are often equal.
fn prompt_times() -> impl Strategy<Value = PromptTime> {
    let tick = Span::from_ticks(1).seconds();
    (0..3u32, 0..2u32, 0..2u32, proptest::option::of(1..40u32)).prop_map(
        move |(token, pair, windowed, window)| PromptTime {
            per_token: tick * f64::from(token),
            per_pair: tick * 0.1 * f64::from(pair),
            per_pair_windowed: tick * 0.1 * f64::from(windowed),
            window,
            ..PromptTime::default()
        },
    )
}

/// A block as both stores know it: retired blocks have no name.
fn named(strand: Strand, block: u32) -> Option<(Strand, u32)> {
    (strand != Strand::NONE && !strand.is_by(Author::Call)).then_some((strand, block))
}

#[test]
fn what_was_retired_goes_in_its_turn_and_is_one_run() {
    let mut store = PrefixStore::new(Eviction::Lru, 16, PromptTime::default());
    let visit = |store: &mut PrefixStore, number| {
        let content = Content::new(strand(number));
        store.publish(content.stretches(), 0, 2);
        store.release(content.stretches(), 2);
    };
    visit(&mut store, 1);
    store.retire(5);
    store.retire(0);
    store.retire(6);
    visit(&mut store, 2);
    assert_eq!((store.runs(), store.resident(), store.idle()), (3, 15, 15));
    assert_eq!(store.recount(), 0);
    let mut gone = Vec::new();
    store.evict(14, |strand, start, end| gone.push((strand, end - start)));
    assert_eq!(gone, [(strand(1), 2), (Strand::NONE, 11), (strand(2), 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]
    #[test]
    fn runs_equal_blocks(
        texts in texts(), steps in steps(), block_tokens in 1..5u32, eviction in evictions(),
        time in prompt_times(),
    ) {
        let mut store = PrefixStore::new(eviction, block_tokens, time);
        let mut blocks = ReferenceStore::new(eviction, block_tokens, time);
        let mut now = Time::ZERO;
        let mut live: Vec<(&Content, u32)> = Vec::new();
        let mut private = 0;
        for step in steps {
            match step {
                Step::Start(text, most) => {
                    let content = text.get(&texts);
                    let words = content.stretches();
                    let hit = store.lookup(words, most);
                    prop_assert_eq!(hit, blocks.lookup(words, most));
                    prop_assert_eq!(store.acquire(words, hit.blocks), blocks.acquire(words, hit.blocks));
                    live.push((content, hit.blocks));
                }
                Step::Grow(which, more) if !live.is_empty() => {
                    let at = which.index(live.len());
                    let (content, held) = live[at];
                    let words = content.stretches();
                    prop_assert_eq!(
                        store.publish(words, held, held + more),
                        blocks.publish(words, held, held + more)
                    );
                    live[at].1 += more;
                }
                Step::End(which, said) if !live.is_empty() => {
                    let (content, held) = live.swap_remove(which.index(live.len()));
                    let words = content.stretches();
                    prop_assert_eq!(store.leave(words, held, said), blocks.leave(words, held, said));
                }
                Step::Retire(count) => {
                    private += 1;
                    let content = Content::new(Strand::new(0, Author::Call, private));
                    let words = content.stretches();
                    blocks.publish(words, 0, count);
                    blocks.release(words, count);
                    if store.can_retire() {
                        store.retire(count);
                    } else {
                        store.publish(words, 0, count);
                        store.release(words, count);
                    }
                }
                Step::Evict(most) => {
                    let count = most.min(blocks.idle());
                    let mut evicted = Vec::new();
                    store.evict(count, |strand, start, end| {
                        evicted.extend((start..end).rev().map(|block| named(strand, block)));
                    });
                    let expected = blocks.evict(count).into_iter();
                    let expected = expected.map(|(strand, block)| named(strand, block));
                    prop_assert_eq!(evicted, expected.collect::<Vec<_>>());
                }
                Step::Wait(ticks) => {
                    now += Span::from_ticks(ticks);
                    let before = store.resident();
                    let mut gone = 0;
                    store.expire(now, |_, start, end| gone += end - start);
                    blocks.expire(now);
                    prop_assert_eq!(gone, before - store.resident());
                }
                Step::Grow(..) | Step::End(..) => {}
            }
            prop_assert_eq!((store.resident(), store.idle()), (blocks.resident(), blocks.idle()));
        }
    }
}

#[test]
fn a_session_stays_one_run() {
    let mut store = PrefixStore::new(Eviction::Lru, 16, PromptTime::default());
    let content = Content::new(strand(1));
    let mut held = 0;
    for turn in 1..50 {
        let words = content.stretches();
        assert_eq!(store.lookup(words, 1_000_000).blocks, held);
        store.acquire(words, held);
        store.publish(words, held, 10 * turn);
        held = 10 * turn;
        store.release(words, held);
        assert_eq!((store.runs(), store.idle()), (1, held));
    }
}
