//! What no single key can tell: whether a run would end, and fit a machine.

use super::{Check, HORIZON_S_MAX};
use crate::kernel::{SlotHeap, Span};
use crate::random::Distribution;
use crate::scenario::tree::At;
use crate::scenario::{Arrivals, Pool, UseCase};
use crate::simulation::SESSIONS_MAX;

/// Most pools and use cases; results show each of them.
pub(super) const POOLS_MAX: usize = 1_000;
pub(super) const USE_CASES_MAX: usize = 10_000;
/// Most calls of one run: a day of computing.
const CALLS_MAX: f64 = 1e11;
/// Most memory for the state of one pool in one run, bytes.
const POOL_BYTES_MAX: u64 = 4_000_000_000;
/// Upper estimates of that state: a rank, a sequence it may run, a token of a
/// block, a use case of a replica.
const RANK_BYTES: u64 = 600;
const SEQUENCE_BYTES: u64 = 100;
const COUNT_BYTES: u64 = 4;

impl Check<'_> {
    /// Objects to a list that is missing or empty, or longer than `most`.
    pub(super) fn some(&mut self, at: &At<'_>, most: usize, fix: &str) {
        self.missing(at, "is missing", fix);
        if at.node.is_some_and(|node| node.is_list() && node.items().is_empty()) {
            self.wrong(at, "is empty", fix);
        }
        self.at_most(at, most);
    }

    /// Objects to a list longer than `most`.
    pub(super) fn at_most(&mut self, at: &At<'_>, most: usize) {
        let entries = at.node.map_or(0, |node| node.items().len());
        if entries > most {
            self.wrong(at, format!("has {entries} entries"), format!("keep it to {most}"));
        }
    }

    /// Objects to a run that would never end or fit.
    pub(super) fn limits(
        &mut self,
        root: &At<'_>,
        duration: Option<Span>,
        pools: &[Option<Pool>],
        use_cases: &[Option<UseCase>],
    ) {
        self.volume(root, duration, use_cases);
        self.entities(root, pools, use_cases);
        for (at, pool) in root.key("pool").entries().zip(pools) {
            if let Some(pool) = pool {
                self.state(&at, pool, use_cases.len() as u64);
            }
        }
        if duration.is_none() {
            for (at, use_case) in root.key("use_case").entries().zip(use_cases) {
                if let Some(use_case) = use_case {
                    self.episode(&at, use_case);
                }
            }
        }
    }

    fn volume(&mut self, root: &At<'_>, duration: Option<Span>, use_cases: &[Option<UseCase>]) {
        let rate = |arrivals: &Arrivals| match arrivals {
            Arrivals::Poisson { rate } | Arrivals::Constant { rate } => *rate,
            Arrivals::Varying(demand) => demand.mean_rate(),
            Arrivals::Batch(batch) => batch.calls_per_s,
            Arrivals::ClosedLoop { .. } | Arrivals::Trace { .. } | Arrivals::Regions(_) => 0.0,
        };
        let rate =
            |use_case: &UseCase| use_case.arrivals.parts().map(rate).sum::<f64>() * turns(use_case);
        let rate: f64 = use_cases.iter().flatten().map(rate).sum();
        let calls = rate * duration.map_or(0.0, Span::seconds);
        if calls > CALLS_MAX {
            let problem = format!("asks for {calls:.1e} calls in one run");
            let fix = format!("shorten it, or lower the rates, to at most {CALLS_MAX:.0e} calls");
            self.wrong(&root.key("duration"), problem, fix);
        }
    }

    /// Everything that can have an event pending has a slot.
    fn entities(&mut self, root: &At<'_>, pools: &[Option<Pool>], use_cases: &[Option<UseCase>]) {
        let replicas = pools.iter().flatten().map(|pool| u64::from(pool.replicas)).sum::<u64>();
        let sources = |use_case: &UseCase| match use_case.arrivals {
            Arrivals::ClosedLoop { clients, .. } => u64::from(clients),
            _ => 1,
        };
        let sources = use_cases.iter().flatten().map(sources).sum::<u64>();
        // Five are kept for what is neither, and some for sessions that think.
        let has_sessions = use_cases.iter().flatten().any(UseCase::has_sessions);
        let sessions = if has_sessions { SESSIONS_MAX as u64 } else { 0 };
        let most = u64::from(SlotHeap::SLOTS_MAX) - 5 - sessions;
        if replicas + sources > most {
            let problem = format!("{sources} clients and sources and {replicas} replicas in all");
            self.wrong(&root.key("use_case"), problem, format!("keep their sum to {most}"));
        }
    }

    fn state(&mut self, at: &At<'_>, pool: &Pool, use_cases: u64) {
        let rank = RANK_BYTES
            + SEQUENCE_BYTES * u64::from(pool.engine.max_num_seqs)
            + COUNT_BYTES * u64::from(pool.kv.block_tokens);
        let replica = u64::from(pool.parallelism.data) * rank + COUNT_BYTES * use_cases;
        let bytes = u64::from(pool.replicas) * replica;
        if bytes > POOL_BYTES_MAX {
            let problem = format!(
                "{} replicas need about {} GB of this computer's memory to simulate",
                pool.replicas,
                bytes / 1_000_000_000
            );
            let fix = match POOL_BYTES_MAX / replica {
                0 => "lower max_num_seqs".to_owned(),
                most => format!("keep them to {most}, or lower max_num_seqs"),
            };
            self.wrong(&at.key("replicas"), problem, fix);
        }
    }

    /// A finite number of calls may still take for ever.
    fn episode(&mut self, at: &At<'_>, use_case: &UseCase) {
        let session = use_case.session.as_ref().and_then(|session| session.think.as_ref());
        let session_s = session.map_or(0.0, |think| turns(use_case) * think.expected());
        let fix = "shorten it, ask for fewer turns, or give the scenario a duration";
        if session_s > HORIZON_S_MAX {
            let problem = "makes a session pause for more than ten years";
            self.wrong(&at.key("session").key("think"), problem, fix);
        }
        let Arrivals::ClosedLoop { clients, requests: Some(requests), think } = &use_case.arrivals
        else {
            return;
        };
        let rounds = (*requests as f64 / f64::from(*clients)).ceil();
        let pause_s = think.as_ref().map_or(0.0, Distribution::expected);
        if rounds * (pause_s + session_s) > HORIZON_S_MAX {
            let problem = "makes the clients pause for more than ten years";
            let fix = "shorten it, ask for fewer `requests`, or give the scenario a duration";
            let place = match think {
                Some(_) => at.key("arrivals").key("think"),
                None => at.key("session").key("think"),
            };
            self.wrong(&place, problem, fix);
        }
    }
}

/// Calls of a session, in the mean; 1 where calls stand by themselves.
fn turns(use_case: &UseCase) -> f64 {
    match (use_case.crew(), &use_case.session) {
        (Some(crew), _) => crew.calls_mean(),
        (None, Some(session)) => session.turns.expected(),
        (None, None) => 1.0,
    }
}
