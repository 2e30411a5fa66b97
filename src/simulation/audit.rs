//! Conservation laws, checked while a run goes on.
//!
//! Kept apart from the code it checks and fed by the same events: calls that
//! were sent are on their way or arrived; calls that arrived are finished, aborted,
//! rejected or in the system; tokens sampled are those that calls asked for; an engine at rest holds no KV block; the time engines
//! are seen stepping is the sum of their steps, and of what calls took of it and
//! what was one for all; time never goes back; and the
//! integral of the calls in the system is the sum of their sojourns (Little's
//! law, exact on integers). Every now and then all sums are held against a full
//! recount. A violation is a bug and panics. O(1) an event; on in debug builds
//! and with `--audit`.

use crate::factory::{Call, EngineSpec, Load, Progress};
use crate::kernel::Time;
use crate::metrics::Gauge;

/// Events between recounts.
const RECOUNT_EVERY: u64 = if cfg!(test) { 1 << 6 } else { 1 << 14 };

/// Running totals of one replication.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    is_on: bool,
    sent: u64,
    arrived: u64,
    rejected: u64,
    finished: u64,
    aborted: u64,
    tokens_sampled: u64,
    tokens_asked: u64,
    in_system_ticks: u128,
    sojourn_ticks: u128,
    /// Sessions that began and have not ended.
    sessions: u64,
    /// The same of agents.
    agent_sessions: u64,
    /// Engines stepping, and the duration of the steps they took.
    stepping: Gauge,
    step_ticks: u128,
    /// The same of all ranks, in grains of work.
    step_grains: i128,
    now: Time,
}

impl Audit {
    /// An audit that checks, or one that does nothing.
    pub fn new(is_on: bool) -> Self {
        Audit { is_on, ..Audit::default() }
    }

    /// Time moves from `before` to `now` with `in_system` calls in the system.
    #[inline]
    pub fn tick(&mut self, before: Time, now: Time, in_system: usize) {
        if !self.is_on {
            return;
        }
        assert!(now >= before, "time went back from {before} to {now}");
        self.in_system_ticks += in_system as u128 * u128::from(now.since(before).ticks());
        self.now = now;
        let known = self.rejected + self.finished + self.aborted + in_system as u64;
        assert_eq!(self.arrived, known, "calls arrived, and calls accounted for");
    }

    /// A user sent a call.
    #[inline]
    pub fn sent(&mut self) {
        self.sent += 1;
    }

    /// A call arrived, to be served or rejected.
    #[inline]
    pub fn arrived(&mut self, is_served: bool) {
        self.arrived += 1;
        self.rejected += u64::from(!is_served);
    }

    /// Decoding sequences got a token a step.
    #[inline]
    pub fn progressed(&mut self, progress: &Progress, decoding: &[u32], spec: &EngineSpec) {
        if self.is_on {
            let sequences: u64 = decoding.iter().map(|&count| u64::from(count)).sum();
            self.tokens_sampled += sequences * progress.segment.steps;
            let segment = &progress.segment;
            let span = segment.span(segment.steps);
            self.step_ticks += u128::from(span.ticks());
            self.step_grains += spec.rates.of_replica(span) as i128;
        }
    }

    /// Whether it is time to hold all sums against a full count.
    #[inline]
    pub fn wants_recount(&self, events: u64) -> bool {
        self.is_on && events.is_multiple_of(RECOUNT_EVERY)
    }

    /// An engine began (or ceased) to step.
    #[inline]
    pub fn stepping(&mut self, now: Time, begins: bool) {
        if begins { self.stepping.raise(now, 1) } else { self.stepping.lower(now, 1) }
    }

    /// A prompt was completed and sampled a token.
    #[inline]
    pub fn sampled(&mut self) {
        self.tokens_sampled += 1;
    }

    /// A call ended.
    #[inline]
    pub fn finished(&mut self, now: Time, call: &Call) {
        self.finished += 1;
        if self.is_on {
            self.tokens_asked += u64::from(call.output);
            self.sojourn_ticks += u128::from(now.since(call.arrived).ticks());
            assert!(call.arrived + call.fetch <= call.scheduled, "fetched after it was scheduled");
            assert!(call.scheduled < call.first_token);
            assert!(call.first_token <= now);
            let answers = call.first_token < call.answering && call.answering <= now;
            assert!(answers || call.thinking == 0, "an answer comes after thinking");
        }
    }

    /// A call left before its end.
    pub fn aborted(&mut self, now: Time, call: &Call) {
        self.aborted += 1;
        if self.is_on {
            self.tokens_asked += u64::from(call.generated);
            self.sojourn_ticks += u128::from(now.since(call.arrived).ticks());
            assert!(call.generated < call.output, "it would have ended");
            assert!((call.generated > 0) == (call.first_token <= now), "tokens from the first on");
        }
    }

    /// A session began.
    #[inline]
    pub fn session_began(&mut self) {
        self.sessions += 1;
    }

    /// A session ended; `alive` are left.
    #[inline]
    pub fn session_ended(&mut self, alive: usize) {
        self.sessions -= 1;
        assert_eq!(self.sessions, alive as u64, "sessions alive");
    }

    /// A session of an agent began.
    #[inline]
    pub fn agent_session_began(&mut self) {
        self.agent_sessions += 1;
    }

    /// A session of an agent ended.
    #[inline]
    pub fn agent_session_ended(&mut self) {
        self.agent_sessions -= 1;
    }

    /// A run ended that has made `calls` calls, for reasons that come to `reasons`.
    #[inline]
    pub fn run(&self, calls: u64, reasons: u64) {
        assert_eq!(calls, reasons, "calls are turns, compactions and what was repeated");
    }

    /// `alive` sessions of agents are under way.
    pub fn recount_agents(&self, alive: usize) {
        assert_eq!(self.agent_sessions, alive as u64, "sessions of agents");
    }

    /// An engine fell idle.
    pub fn rests(&self, load: &Load) {
        if self.is_on {
            assert_eq!(*load, Load::default(), "an idle engine holds nothing");
        }
    }

    /// Calls in the system have sampled `sampled` tokens so far.
    pub fn recount(&self, sampled: u64) {
        assert_eq!(self.tokens_sampled, self.tokens_asked + sampled, "tokens sampled");
    }

    /// Whether the end of the run is to be checked.
    pub fn wants_close(&self) -> bool {
        self.is_on
    }

    /// The run is over with `left` still in the system, and others on their way, when
    /// `worked` grains of steps have been entered in ledgers.
    pub fn close<'c>(
        &mut self,
        left: impl Iterator<Item = &'c Call>,
        on_their_way: usize,
        is_empty: bool,
        worked: i128,
    ) {
        assert_eq!(self.sent, self.arrived + on_their_way as u64, "calls sent, and calls arrived");
        for call in left {
            self.sojourn_ticks += u128::from(self.now.since(call.arrived).ticks());
        }
        assert_eq!(self.in_system_ticks, self.sojourn_ticks, "Little's law");
        if is_empty {
            let stepping = self.stepping.integral(self.now);
            assert_eq!(stepping, self.step_ticks, "time spent stepping, and steps taken");
            assert_eq!(worked, self.step_grains, "work of calls and of steps, and steps taken");
        }
    }
}
