//! The pending-event set and a kernel around it: `cargo bench --bench kernel`.
//!
//! *Hold*: pop the minimum, push it back at `t + increment`, with N entries
//! pending. *Kernel*: pop, match on an event, touch the entity's state, schedule
//! again. Both against std's `BinaryHeap` of `(time, sequence, id)` in the same
//! process: slices of the two take turns and the ratio is taken pair by pair.
//! Both must pop in the same order, ties included (their checksums are compared).

mod support;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use support::{Quartiles, cpu_seconds, interleave, table};
use tokenmill::kernel::{PendingSet, Span, TICKS_PER_SECOND, Time};
use tokenmill::random::{Component, Distribution, Streams};

/// Holds in one slice.
const SLICE: u64 = 200_000;
/// Slices of each arm.
const TURNS: usize = 51;
/// Increments drawn beforehand; their number is prime to N, so that entities
/// do not meet the same ones again.
const INCREMENTS: usize = 65_537;

/// Laws of the increments.
#[derive(Clone, Copy, Debug)]
enum Law {
    /// Exponential, mean 1 s.
    Exp,
    /// 90 % decode steps of 10-30 ms, 10 % think times of mean 30 s.
    Mix,
    /// Whole milliseconds: many ties.
    Ties,
}

fn increments(law: Law) -> Vec<Span> {
    let exponential = Distribution::exponential(1.0).expect("a mean");
    let decode = Distribution::uniform(0.010, 0.030).expect("bounds");
    let think = Distribution::exponential(30.0).expect("a mean");
    let mut stream = Streams::new(1, 0).stream(Component::Think, 0, 0);
    let mut seconds = || match law {
        Law::Exp => exponential.sample(&mut stream),
        Law::Mix if stream.unit() < 0.9 => decode.sample(&mut stream),
        Law::Mix => think.sample(&mut stream),
        Law::Ties => f64::from(1 + stream.below(100)) / 1e3,
    };
    (0..INCREMENTS).map(|_| Span::from_seconds(seconds())).collect()
}

/// Cycles through the increments.
struct Cycle<'a> {
    increments: &'a [Span],
    next: usize,
}

impl<'a> Cycle<'a> {
    fn new(increments: &'a [Span]) -> Self {
        Cycle { increments, next: 0 }
    }

    #[inline]
    fn next(&mut self) -> Span {
        let increment = self.increments[self.next];
        self.next += 1;
        if self.next == self.increments.len() {
            self.next = 0;
        }
        increment
    }
}

/// A queue of one event an entity, as both arms offer it.
trait Queue {
    fn new(entities: u32) -> Self;
    fn push(&mut self, time: Time, entity: u32);
    fn pop(&mut self) -> (Time, u32);
}

struct Std {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    sequence: u64,
}

impl Queue for Std {
    fn new(entities: u32) -> Self {
        Std { heap: BinaryHeap::with_capacity(entities as usize), sequence: 0 }
    }

    #[inline]
    fn push(&mut self, time: Time, entity: u32) {
        self.sequence += 1;
        self.heap.push(Reverse((time.ticks(), self.sequence, entity)));
    }

    #[inline]
    fn pop(&mut self) -> (Time, u32) {
        let Reverse((ticks, _, entity)) = self.heap.pop().expect("never empty");
        (Time::from_ticks(ticks), entity)
    }
}

impl Queue for PendingSet {
    fn new(entities: u32) -> Self {
        PendingSet::new(entities)
    }

    #[inline]
    fn push(&mut self, time: Time, entity: u32) {
        self.schedule(entity, time);
    }

    #[inline]
    fn pop(&mut self) -> (Time, u32) {
        PendingSet::pop(self).expect("never empty")
    }
}

/// The hold model on one queue.
struct Hold<'a, Q> {
    queue: Q,
    increments: Cycle<'a>,
    /// Order-sensitive fold of what was popped.
    checksum: u64,
}

impl<'a, Q: Queue> Hold<'a, Q> {
    fn new(entities: u32, increments: &'a [Span]) -> Self {
        let mut hold =
            Hold { queue: Q::new(entities), increments: Cycle::new(increments), checksum: 0 };
        for entity in 0..entities {
            hold.queue.push(Time::ZERO + hold.increments.next(), entity);
        }
        hold
    }

    /// Nanoseconds a hold.
    fn slice(&mut self) -> f64 {
        let (seconds, ()) = cpu_seconds(|| {
            for _ in 0..SLICE {
                let (now, entity) = self.queue.pop();
                self.checksum = self.checksum.rotate_left(5) ^ now.ticks() ^ u64::from(entity);
                self.queue.push(now + self.increments.next(), entity);
            }
        });
        seconds * 1e9 / SLICE as f64
    }
}

/// What happens in the bare kernel.
#[derive(Clone, Copy)]
enum Event {
    Arrival(u32),
    Boundary(u32),
    Think(u32),
    Sample(u32),
}

/// State of an entity: a cache line.
#[derive(Clone, Copy, Default)]
struct Entity {
    events: u64,
    since: Time,
    busy: u64,
    level: u64,
    tokens: [u64; 4],
}

/// A kernel: queue, events by slot, entity states, one match.
struct Kernel<'a, Q> {
    queue: Q,
    events: Vec<Event>,
    entities: Vec<Entity>,
    increments: Cycle<'a>,
    checksum: u64,
}

impl<'a, Q: Queue> Kernel<'a, Q> {
    fn new(entities: u32, increments: &'a [Span]) -> Self {
        let event = |entity| match entity % 4 {
            0 => Event::Arrival(entity),
            1 => Event::Boundary(entity),
            2 => Event::Think(entity),
            _ => Event::Sample(entity),
        };
        let mut kernel = Kernel {
            queue: Q::new(entities),
            events: (0..entities).map(event).collect(),
            entities: vec![Entity::default(); entities as usize],
            increments: Cycle::new(increments),
            checksum: 0,
        };
        for entity in 0..entities {
            kernel.queue.push(Time::ZERO + kernel.increments.next(), entity);
        }
        kernel
    }

    /// Nanoseconds an event.
    fn slice(&mut self) -> f64 {
        let (seconds, ()) = cpu_seconds(|| {
            for _ in 0..SLICE {
                let (now, slot) = self.queue.pop();
                match self.events[slot as usize] {
                    Event::Arrival(entity) => self.handle(now, entity, |state, _| state.level += 1),
                    Event::Boundary(entity) => self.handle(now, entity, |state, since| {
                        state.busy += since;
                        state.tokens[(since & 3) as usize] += 1;
                    }),
                    Event::Think(entity) => {
                        self.handle(now, entity, |state, _| state.level = state.level.min(7));
                    }
                    Event::Sample(entity) => {
                        self.handle(now, entity, |state, since| state.busy ^= since);
                    }
                }
            }
        });
        seconds * 1e9 / SLICE as f64
    }

    #[inline]
    fn handle(&mut self, now: Time, entity: u32, change: impl Fn(&mut Entity, u64)) {
        let state = &mut self.entities[entity as usize];
        let since = now.since(state.since).ticks();
        state.since = now;
        state.events += 1;
        change(state, since);
        self.checksum = self.checksum.rotate_left(5) ^ now.ticks() ^ state.events;
        self.queue.push(now + self.increments.next(), entity);
    }
}

/// One row: both arms in turns, and the ratio pair by pair.
fn row(name: &str, entities: u32, mut arms: [Box<dyn FnMut() -> f64 + '_>; 2]) -> Vec<String> {
    let ns = interleave(TURNS, &mut arms);
    let ratios: Vec<f64> = ns[1].iter().zip(&ns[0]).map(|(ours, std)| ours / std).collect();
    vec![
        name.to_owned(),
        entities.to_string(),
        Quartiles::of(&ns[0]).text(1),
        Quartiles::of(&ns[1]).text(1),
        Quartiles::of(&ratios).text(3),
    ]
}

fn hold(law: Law, entities: u32) -> Vec<String> {
    let increments = increments(law);
    let mut std = Hold::<Std>::new(entities, &increments);
    let mut ours = Hold::<PendingSet>::new(entities, &increments);
    let name = format!("hold, {law:?}").to_lowercase();
    let cells = row(&name, entities, [Box::new(|| std.slice()), Box::new(|| ours.slice())]);
    assert_eq!(std.checksum, ours.checksum, "{name}: the pop orders differ");
    cells
}

fn kernel(law: Law, entities: u32) -> Vec<String> {
    let increments = increments(law);
    let mut std = Kernel::<Std>::new(entities, &increments);
    let mut ours = Kernel::<PendingSet>::new(entities, &increments);
    let name = format!("kernel, {law:?}").to_lowercase();
    let cells = row(&name, entities, [Box::new(|| std.slice()), Box::new(|| ours.slice())]);
    assert_eq!(std.checksum, ours.checksum, "{name}: the event orders differ");
    black_box((&std.entities, &ours.entities));
    cells
}

fn main() {
    println!(
        "seconds per tick: {:e}; CPU time; median [quartiles] of {TURNS} paired slices",
        1.0 / TICKS_PER_SECOND as f64
    );
    let laws = [Law::Exp, Law::Mix, Law::Ties];
    let holds = laws.iter().flat_map(|&law| [100, 1_000, 10_000].map(|n| hold(law, n)));
    let kernels = laws.iter().flat_map(|&law| [100, 10_000].map(|n| kernel(law, n)));
    let rows: Vec<Vec<String>> = holds.chain(kernels).collect();
    table(&["model", "pending", "std, ns", "tokenmill, ns", "ratio"], &rows);
}
