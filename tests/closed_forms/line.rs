//! A line of plain servers on the pending set.

use super::{exponential, mean, span};
use std::collections::VecDeque;
use tokenmill::kernel::{PendingSet, Slot, Time};
use tokenmill::random::{Component, Distribution, Stream, Streams};

/// The integral of a count over time, in ticks.
#[derive(Default)]
pub struct Area {
    pub count: u64,
    since: Time,
    pub ticks: u128,
}

impl Area {
    pub fn change(&mut self, now: Time, by: i64) {
        self.ticks += u128::from(self.count) * u128::from(now.since(self.since).ticks());
        self.since = now;
        self.count = self.count.checked_add_signed(by).expect("nobody leaves an empty system");
    }
}

/// Identical servers with one queue of at most `room` places.
pub struct Station {
    pub service: Distribution,
    pub servers: u32,
    pub room: usize,
}

pub fn station(service: Distribution, servers: u32) -> Station {
    Station { service, servers, room: usize::MAX }
}

/// What a line of stations did to the calls after the warm-up.
#[derive(Default)]
pub struct Tally {
    pub calls: f64,
    pub lost: f64,
    /// Waits at the first station, s.
    pub waits: Vec<f64>,
    /// Arrival to departure from the last station, s.
    pub sojourns: Vec<f64>,
    /// When the calls of these sojourns arrived, s.
    pub arrived: Vec<f64>,
    /// Time-average number in the queue of the first station.
    pub queue_length: f64,
    /// Time-average number in the line.
    pub in_system: f64,
}

impl Tally {
    pub fn mean_wait(&self) -> f64 {
        mean(&self.waits)
    }
}

#[derive(Clone, Copy)]
struct Call {
    number: u32,
    arrived: Time,
}

/// A line of stations that Poisson arrivals pass through in order.
pub struct Line<'a> {
    stations: &'a [Station],
    pending: PendingSet,
    /// Station of each server slot and the call in it; slot 0 is the source.
    servers: Vec<(usize, Option<Call>)>,
    idle: Vec<Vec<Slot>>,
    queues: Vec<VecDeque<Call>>,
    services: Vec<Stream>,
    warm_up: u32,
    tally: Tally,
    in_system: Area,
    in_queue: Area,
    sojourn_ticks: u128,
}

impl<'a> Line<'a> {
    /// Simulates `calls` calls of which the first tenth is warm-up, and lets
    /// the line drain.
    pub fn run(stations: &'a [Station], rate: f64, calls: u32, streams: Streams) -> Tally {
        let mut line = Line::new(stations, calls / 10, streams);
        let gap = exponential(1.0 / rate);
        let mut arrivals = streams.stream(Component::Arrivals, 0, 0);
        line.pending.schedule(0, Time::ZERO + span(&gap, &mut arrivals));
        let mut number = 0;
        let (mut start, mut areas) = (Time::ZERO, [0; 2]);
        while let Some((now, slot)) = line.pending.pop() {
            if slot != 0 {
                line.finish(now, slot);
                continue;
            }
            line.in_queue.change(now, 0);
            line.in_system.change(now, 1);
            if number == line.warm_up {
                (start, areas) = (now, [line.in_queue.ticks, line.in_system.ticks]);
            }
            line.enter(now, 0, Call { number, arrived: now });
            number += 1;
            if number < calls {
                line.pending.schedule(0, now + span(&gap, &mut arrivals));
            } else {
                let ticks = now.since(start).ticks() as f64;
                line.tally.queue_length = (line.in_queue.ticks - areas[0]) as f64 / ticks;
                line.tally.in_system = (line.in_system.ticks - areas[1]) as f64 / ticks;
            }
        }
        assert_eq!(line.in_system.count, 0, "drained");
        assert_eq!(line.in_system.ticks, line.sojourn_ticks, "Little's law");
        line.tally
    }

    fn new(stations: &'a [Station], warm_up: u32, streams: Streams) -> Self {
        let mut servers = vec![(usize::MAX, None)];
        let mut idle = Vec::new();
        for (at, station) in stations.iter().enumerate() {
            let first = servers.len() as Slot;
            idle.push((first..first + station.servers).collect());
            servers.extend((0..station.servers).map(|_| (at, None)));
        }
        Line {
            stations,
            pending: PendingSet::new(servers.len() as u32),
            servers,
            idle,
            queues: vec![VecDeque::new(); stations.len()],
            services: (0..stations.len() as u64)
                .map(|at| streams.stream(Component::Output, at, 0))
                .collect(),
            warm_up,
            tally: Tally::default(),
            in_system: Area::default(),
            in_queue: Area::default(),
            sojourn_ticks: 0,
        }
    }

    fn enter(&mut self, now: Time, at: usize, call: Call) {
        let is_measured = call.number >= self.warm_up && at == 0;
        self.tally.calls += f64::from(u32::from(is_measured));
        if let Some(slot) = self.idle[at].pop() {
            self.serve(now, slot, call);
        } else if self.queues[at].len() < self.stations[at].room {
            self.queues[at].push_back(call);
            if at == 0 {
                self.in_queue.change(now, 1);
            }
        } else {
            self.tally.lost += f64::from(u32::from(is_measured));
            self.in_system.change(now, -1);
        }
    }

    fn serve(&mut self, now: Time, slot: Slot, call: Call) {
        let (at, serving) = &mut self.servers[slot as usize];
        if *at == 0 && call.number >= self.warm_up {
            self.tally.waits.push(now.since(call.arrived).seconds());
        }
        *serving = Some(call);
        let service = span(&self.stations[*at].service, &mut self.services[*at]);
        self.pending.schedule(slot, now + service);
    }

    fn finish(&mut self, now: Time, slot: Slot) {
        let (at, serving) = &mut self.servers[slot as usize];
        let (at, call) = (*at, serving.take().expect("a busy server"));
        if let Some(next) = self.queues[at].pop_front() {
            if at == 0 {
                self.in_queue.change(now, -1);
            }
            self.serve(now, slot, next);
        } else {
            self.idle[at].push(slot);
        }
        if at + 1 < self.stations.len() {
            return self.enter(now, at + 1, call);
        }
        self.in_system.change(now, -1);
        let sojourn = now.since(call.arrived);
        self.sojourn_ticks += u128::from(sojourn.ticks());
        if call.number >= self.warm_up {
            self.tally.sojourns.push(sojourn.seconds());
            self.tally.arrived.push(call.arrived.since(Time::ZERO).seconds());
        }
    }
}
