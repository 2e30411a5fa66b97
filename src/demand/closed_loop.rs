//! A closed loop: clients who wait for their answer, think, and ask again.

use crate::kernel::{Span, Time};
use crate::random::{Component, Distribution, Streams};

/// How long a client whose call was refused waits at least before it asks
/// again; without it a call that can never fit would be refused forever at
/// one instant.
const BACK_OFF: Span = Span::from_ticks(crate::kernel::TICKS_PER_SECOND);

/// Clients of one use case and the calls they still have to make.
#[derive(Clone, Debug)]
pub struct ClosedLoop {
    clients: u32,
    requests: Option<u64>,
    /// Calls not yet promised to a client.
    left: u64,
    think: Option<Distribution>,
    streams: Streams,
    entity: u64,
    /// Answers that each client got.
    answers: Vec<u32>,
}

impl ClosedLoop {
    /// `clients` clients who make `requests` calls together (without end when `None`).
    pub fn new(
        clients: u32,
        requests: Option<u64>,
        think: Option<Distribution>,
        streams: Streams,
        entity: u64,
    ) -> Self {
        let left = requests.unwrap_or(u64::MAX);
        ClosedLoop {
            clients,
            requests,
            left,
            think,
            streams,
            entity,
            answers: vec![0; clients as usize],
        }
    }

    /// Number of clients.
    pub fn clients(&self) -> u32 {
        self.clients
    }

    /// Calls that they make together; without end when `None`.
    pub fn requests(&self) -> Option<u64> {
        self.requests
    }

    /// Whether another client may start at time zero; all do, as long as there
    /// are calls to make.
    pub fn start(&mut self) -> bool {
        self.promise()
    }

    /// When `client`, who got an answer at `now`, asks again, or `None` when all
    /// calls have been made. What it thinks of its n-th answer does not depend
    /// on the order in which others got theirs.
    pub fn next(&mut self, now: Time, client: u32, was_rejected: bool) -> Option<Time> {
        if !self.promise() {
            return None;
        }
        let answers = &mut self.answers[client as usize];
        let answer = u64::from(client) << 32 | u64::from(*answers);
        *answers = answers.wrapping_add(1);
        let mut pause = match &self.think {
            None => Span::ZERO,
            Some(think) => {
                let mut stream = self.streams.stream(Component::Think, self.entity, answer);
                Span::from_seconds(think.sample(&mut stream))
            }
        };
        if was_rejected {
            pause = pause.max(BACK_OFF);
        }
        Some(now + pause)
    }

    fn promise(&mut self) -> bool {
        let has_calls = self.left > 0;
        self.left -= u64::from(has_calls);
        has_calls
    }
}
