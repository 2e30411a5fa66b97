//! Each policy on sequences worked by hand, and what all of them keep.

use super::{Eviction, Hold, PrefixStore};
use crate::factory::PromptTime;
use crate::kernel::{Span, Time};
use crate::random::{Component, Distribution, Stream, Streams};
use crate::workload::{Author, Content, Strand, Stretch};

const SECOND: Span = Span::from_ticks(crate::kernel::TICKS_PER_SECOND);

fn strand(number: u64) -> Strand {
    Strand::new(0, Author::Trace, number)
}

/// Blocks of one token that cost a second each, and a second more for each
/// token before them.
fn store(eviction: Eviction) -> PrefixStore {
    let time = PromptTime { per_pair: 1.0, ..PromptTime::default() };
    PrefixStore::new(eviction, 1, time)
}

/// A sequence comes and goes. Returns its hits.
fn visit(store: &mut PrefixStore, content: &[Stretch], blocks: u32) -> u32 {
    let hit = store.lookup(content, blocks).blocks;
    store.acquire(content, hit);
    store.publish(content, hit, blocks);
    store.release(content, blocks);
    hit
}

/// Visits the first `blocks` blocks of strand `number`.
fn visit_strand(store: &mut PrefixStore, number: u64, blocks: u32) -> u32 {
    visit(store, Content::new(strand(number)).stretches(), blocks)
}

/// Evicts `blocks` blocks one by one: number of the strand and block of each.
fn evict(store: &mut PrefixStore, blocks: u32) -> Vec<(u64, u32)> {
    let mut evicted = Vec::new();
    for _ in 0..blocks {
        store.evict(1, |from, start, _| {
            let number = (0..100).find(|&number| strand(number) == from).unwrap();
            evicted.push((number, start));
        });
    }
    evicted
}

#[test]
fn lfu_takes_what_few_have_used_and_the_older_of_two() {
    let mut store = store(Eviction::Lfu);
    for (number, blocks) in [(1, 3), (2, 2), (1, 2), (3, 1)] {
        visit_strand(&mut store, number, blocks);
    }
    // Counts: strand 1 has 2, 2, 1; strands 2 and 3 have 1. All of strand 1 before
    // its third block fell idle again after strand 2.
    assert_eq!(evict(&mut store, 6), [(1, 2), (2, 1), (2, 0), (3, 0), (1, 1), (1, 0)]);
}

#[test]
fn ttl_keeps_what_was_used_in_time() {
    let ttl = Span::from_ticks(10);
    let mut store = store(Eviction::Ttl { ttl });
    let at = Time::from_ticks;
    let mut gone = Vec::new();
    visit_strand(&mut store, 1, 4);
    store.expire(at(5), |_, _, _| unreachable!("nothing is old"));
    visit_strand(&mut store, 1, 2);
    visit_strand(&mut store, 2, 1);
    assert_eq!(store.all_live_until(), Some(at(10)));
    store.expire(at(10), |_, _, _| unreachable!("nothing is too old"));
    store.expire(at(11), |_, start, end| gone.push((start, end)));
    assert_eq!((gone.as_slice(), store.resident()), (&[(2, 4)][..], 3));
    // Until time runs out, room is made as by LRU.
    assert_eq!(evict(&mut store, 1), [(1, 1)]);
    store.expire(at(16), |_, _, _| {});
    assert_eq!((store.resident(), store.all_live_until()), (0, None));
}

/// Visits the first `blocks` blocks of `content`, and says `said` of them.
fn visit_and_say(store: &mut PrefixStore, content: &Content, blocks: u32, said: Hold) {
    let words = content.stretches();
    let hit = store.lookup(words, blocks).blocks;
    store.acquire(words, hit);
    store.publish(words, hit, blocks);
    store.leave(words, blocks, said);
}

#[test]
fn agent_hold_takes_what_is_held_last_and_after_the_deadline_in_its_turn() {
    let mut store = store(Eviction::AgentHold { hold: Span::from_ticks(10) });
    let at = Time::from_ticks;
    let agent = |number| Content::new(strand(number));
    visit_and_say(&mut store, &agent(1), 2, Hold::On { from: 0 });
    visit_strand(&mut store, 2, 2);
    store.expire(at(4), |_, _, _| unreachable!("nothing goes by time alone"));
    visit_and_say(&mut store, &agent(3), 2, Hold::On { from: 0 });
    assert_eq!(store.all_live_until(), Some(at(10)));
    store.expire(at(10), |_, _, _| unreachable!());
    assert_eq!(evict(&mut store, 1), [(2, 1)]);
    // The hold of strand 1 is over, and it is older than what is left of strand 2.
    store.expire(at(11), |_, _, _| unreachable!());
    assert_eq!(store.all_live_until(), Some(at(14)));
    assert_eq!(evict(&mut store, 2), [(1, 1), (1, 0)]);
    // Nothing else is left: what is held.
    assert_eq!(evict(&mut store, 2), [(2, 0), (3, 1)]);
    assert_eq!((store.resident(), store.idle()), (1, 1));
}

#[test]
fn the_last_call_of_an_agent_ends_its_hold_and_not_that_of_who_forked_it() {
    let mut store = store(Eviction::AgentHold { hold: Span::from_ticks(10) });
    let parent = Content::new(strand(1));
    let mut child = parent.clone();
    child.turn_off(2, strand(2));
    visit_and_say(&mut store, &parent, 2, Hold::On { from: 0 });
    visit_and_say(&mut store, &child, 4, Hold::On { from: 2 });
    visit_and_say(&mut store, &child, 5, Hold::Over { from: 2 });
    visit_strand(&mut store, 3, 1);
    assert_eq!(evict(&mut store, 4), [(2, 4), (2, 3), (2, 2), (3, 0)]);
    // The parent goes on, and is done.
    visit_and_say(&mut store, &parent, 3, Hold::Over { from: 0 });
    visit_strand(&mut store, 3, 1);
    assert_eq!(evict(&mut store, 4), [(1, 2), (1, 1), (1, 0), (3, 0)]);
}

#[test]
fn cost_aware_takes_what_is_cheap_to_compute_again() {
    let mut store = store(Eviction::CostAware);
    visit_strand(&mut store, 1, 3);
    visit_strand(&mut store, 2, 2);
    visit_strand(&mut store, 3, 1);
    visit_strand(&mut store, 3, 1);
    // Ends of sequences are worth 3 s, 2 s and 2 x 1 s; blocks of strand 2 fell
    // idle before strand 3 did. Its first block is worth less than its second.
    assert_eq!(evict(&mut store, 2), [(2, 1), (2, 0)]);
    // The clock stands at 2 s: a new block is worth 3 s, as much as the end of
    // strand 1, which is older.
    visit_strand(&mut store, 4, 1);
    assert_eq!(evict(&mut store, 5), [(3, 0), (1, 2), (1, 1), (1, 0), (4, 0)]);
}

#[test]
fn s3_fifo_sifts_out_what_is_used_once() {
    let mut store = store(Eviction::S3Fifo);
    for number in 0..10 {
        visit_strand(&mut store, number, 1);
    }
    // Used again once: not enough. Twice: enough.
    visit_strand(&mut store, 0, 1);
    (0..2).for_each(|_| assert_eq!(visit_strand(&mut store, 1, 1), 1));
    // First in, first out; strand 1 moves to the main queue.
    assert_eq!(evict(&mut store, 2), [(0, 0), (2, 0)]);
    // What was thrown out lately comes to the main queue at once.
    visit_strand(&mut store, 0, 1);
    assert_eq!(evict(&mut store, 7), (3..10).map(|number| (number, 0)).collect::<Vec<_>>());
    // The small queue is empty: the main queue, first in, first out.
    assert_eq!(evict(&mut store, 2), [(1, 0), (0, 0)]);
}

#[test]
fn s3_fifo_gives_the_main_queue_a_second_chance() {
    let mut store = store(Eviction::S3Fifo);
    for number in 0..4 {
        (0..3).for_each(|_| {
            visit_strand(&mut store, number, 1);
        });
    }
    // All move to the main queue, where counts start from zero.
    assert_eq!(evict(&mut store, 1), [(0, 0)]);
    visit_strand(&mut store, 1, 1);
    assert_eq!(evict(&mut store, 3), [(2, 0), (3, 0), (1, 0)]);
}

#[test]
fn a_tenth_is_enough_for_the_small_queue_to_give() {
    let mut store = store(Eviction::S3Fifo);
    let mut often = |number| (0..3).for_each(|_| assert!(visit_strand(&mut store, number, 1) <= 1));
    (0..9).for_each(&mut often);
    visit_strand(&mut store, 9, 1);
    // Nine in the main queue and one in the small one; then eleven and one.
    assert_eq!(evict(&mut store, 1), [(9, 0)]);
    let mut often = |number| (0..3).for_each(|_| assert!(visit_strand(&mut store, number, 1) <= 1));
    (10..12).for_each(&mut often);
    visit_strand(&mut store, 12, 1);
    assert_eq!(evict(&mut store, 2), [(0, 0), (1, 0)]);
    assert_eq!(evict(&mut store, 1), [(12, 0)]);
}

#[test]
fn a_trunk_outlives_its_branches() {
    let hold = Eviction::AgentHold { hold: SECOND };
    let policies = [Eviction::Lru, Eviction::Lfu, Eviction::S3Fifo, Eviction::CostAware, hold];
    for eviction in policies {
        let mut store = store(eviction);
        for number in 1..9 {
            let mut content = Content::new(strand(0));
            content.turn_off(5, strand(number));
            visit(&mut store, content.stretches(), 9);
        }
        let evicted = evict(&mut store, 8 * 4 + 5);
        let trunk: Vec<_> = (0..5).rev().map(|block| (0, block)).collect();
        assert_eq!(evicted[8 * 4..], trunk, "{eviction}");
    }
}

/// Sessions of 40 turns that come again and again: as many runs as turns at most,
/// however many blocks, and nothing is left of what was evicted.
#[test]
fn runs_follow_turns_not_blocks() {
    let ttl = SECOND;
    for (eviction, turns) in [
        (Eviction::Lru, 1),
        (Eviction::Ttl { ttl }, 1),
        (Eviction::AgentHold { hold: ttl }, 1),
        (Eviction::Lfu, 40),
        (Eviction::CostAware, 40),
        (Eviction::S3Fifo, 40),
    ] {
        let mut store = store(eviction);
        for session in 0..50 {
            for turn in 1..=40 {
                visit_strand(&mut store, session, 1_000 * turn);
            }
        }
        assert_eq!(store.resident(), 50 * 40_000);
        assert!(store.runs() <= 50 * turns, "{eviction}: {} runs", store.runs());
        store.evict(store.resident(), |_, _, _| {});
        assert_eq!((store.resident(), store.runs()), (0, 0), "{eviction}");
    }
}

/// Items of one block, drawn by Zipf's law with exponent .8, and room for a tenth.
const ITEMS: u64 = 10_000;
const ROOM: u32 = 1_000;

/// A cache on such draws, with the stream they come from.
struct Independent {
    law: Distribution,
    stream: Stream,
    store: PrefixStore,
}

impl Independent {
    fn new(eviction: Eviction) -> Self {
        Independent {
            law: Distribution::zipf(ITEMS, 0.8).unwrap(),
            stream: Streams::new(1, 0).stream(Component::Prompt, 0, 0),
            store: store(eviction),
        }
    }

    /// Share of hits of so many draws in a cache of `room` blocks.
    fn hits(&mut self, draws: u32, room: u32) -> f64 {
        let mut hits = 0;
        for _ in 0..draws {
            let item = self.law.sample(&mut self.stream) as u64;
            hits += visit_strand(&mut self.store, item, 1);
            self.store.evict(self.store.resident().saturating_sub(room), |_, _, _| {});
        }
        f64::from(hits) / f64::from(draws)
    }
}

/// Share of draws that the most popular tenth gets: .5706.
fn top_share() -> f64 {
    let mass = |items: u64| (1..=items).map(|item| libm::pow(item as f64, -0.8)).sum::<f64>();
    mass(u64::from(ROOM)) / mass(ITEMS)
}

#[test]
fn lfu_that_has_counted_everything_keeps_the_most_popular() {
    let mut cache = Independent::new(Eviction::Lfu);
    // Room for all at first: the least popular item of the top tenth is met 59
    // times, give or take 8, so few are taken for another.
    cache.hits(400_000, u32::MAX);
    let draws = 100_000;
    let hits = cache.hits(draws, ROOM);
    let top = top_share();
    let error = (top * (1.0 - top) / f64::from(draws)).sqrt();
    assert!((top - 0.01..top + 4.0 * error).contains(&hits), "{hits} of {top}");
}

/// Counts of resident blocks only: once all have been used twice, whatever comes
/// is the least used, and goes at once. What is in by then stays.
#[test]
fn lfu_that_forgets_freezes_between_lru_and_the_most_popular() {
    let mut cache = Independent::new(Eviction::Lfu);
    cache.hits(100_000, ROOM);
    let early = cache.hits(100_000, ROOM);
    cache.hits(200_000, ROOM);
    let late = cache.hits(100_000, ROOM);
    let mut lru = Independent::new(Eviction::Lru);
    lru.hits(20_000, ROOM);
    let lru = lru.hits(100_000, ROOM);
    // Che's approximation says .43666 for LRU; standard errors are .0016.
    assert!((lru - 0.43666).abs() < 0.0064, "{lru}");
    assert!(lru + 0.05 < early && late < top_share() - 0.03, "{lru} {early} {late}");
    assert!((late - early).abs() < 0.01, "{early} {late}");
}
