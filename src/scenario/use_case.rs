//! Use cases: streams of work, what they ask for, and who serves them.

use super::{Batch, Demand, Origins, Slo, Thinking};
use crate::random::Distribution;
use crate::workload::Trace;
use crate::workload::agent::{Crew, Replay};
use std::sync::Arc;

/// One stream of calls.
#[derive(Clone, Debug)]
pub struct UseCase {
    /// Name, unique among use cases.
    pub name: String,
    /// Index of the pool that serves it, the first where there are several.
    pub pool: usize,
    /// Where its users are and which pools serve them; `None`: one pool without a
    /// network before it.
    pub origins: Option<Arc<Origins>>,
    /// When calls arrive.
    pub arrivals: Arrivals,
    /// What calls ask for.
    pub lengths: Lengths,
    /// What calls think before they answer; `None`: nothing.
    pub thinking: Option<Thinking>,
    /// What calls, or sessions, share at their start; empty: nothing.
    pub prefix: Vec<Segment>,
    /// Calls are turns of sessions; `None`: each stands by itself.
    pub session: Option<Sessions>,
    /// Share of each prompt that need not be computed, in place of what the cache
    /// holds; `None`: what it holds.
    pub cache_hit: Option<f64>,
    /// What its users were promised.
    pub slo: Slo,
    /// What its users pay, if stated.
    pub price: Option<TokenPrices>,
}

/// Prices in dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenPrices {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens found in the cache.
    pub cached_input: f64,
    /// Output tokens.
    pub output: f64,
}

impl UseCase {
    /// Indices of the pools that serve it; their order numbers its sites.
    pub fn pools(&self) -> &[usize] {
        match &self.origins {
            Some(origins) => &origins.pools,
            None => std::slice::from_ref(&self.pool),
        }
    }

    /// Regions of its users; 1 where there are none.
    pub fn regions(&self) -> usize {
        self.origins.as_ref().map_or(1, |origins| origins.regions.len())
    }

    /// Those of them that calls are sent to: one, or one a region. The others serve
    /// only agents that ask them and nobody else.
    pub fn choices(&self) -> &[usize] {
        let choices = self.origins.as_ref().map_or(1, |origins| origins.choices);
        &self.pools()[..choices]
    }

    /// Share of its calls that the pool at index `pool` is expected to serve.
    pub fn expected_at(&self, pool: usize) -> f64 {
        let shares: Vec<(Option<u8>, f64)> = match &self.lengths {
            Lengths::Agents(crew) => crew.members.iter().map(|it| (it.site, it.share)).collect(),
            Lengths::Replayed(replay) => replay.shares.clone(),
            Lengths::Drawn { .. } | Lengths::Recorded => vec![(None, 1.0)],
        };
        shares.iter().map(|&(site, share)| share * self.serves(site, pool)).sum()
    }

    /// Share of the calls asked of `site`, or of whichever site they are sent to, that
    /// the pool at index `pool` is expected to serve.
    pub fn serves(&self, site: Option<u8>, pool: usize) -> f64 {
        let at = self.pools().iter().position(|&other| other == pool);
        match (at, site, &self.origins) {
            (Some(at), Some(site), _) => f64::from(u8::from(at == usize::from(site))),
            (Some(at), None, Some(origins)) => origins.expected[at],
            (at, ..) => f64::from(u8::from(at.is_some())),
        }
    }

    /// Whether the pool at index `pool` may serve calls asked of `site`, or of
    /// whichever site they are sent to.
    pub fn may_serve(&self, site: Option<u8>, pool: usize) -> bool {
        match site {
            Some(site) => self.pools()[usize::from(site)] == pool,
            None => self.choices().contains(&pool),
        }
    }

    /// Where its users are, if they are told apart by region.
    pub fn by_region(&self) -> Option<&Origins> {
        self.origins.as_deref().filter(|origins| origins.has_regions())
    }

    /// Whether its calls spend time on the network.
    pub fn has_network(&self) -> bool {
        self.origins.as_ref().is_some_and(|origins| origins.has_network())
    }

    /// The agents whose sessions it has; `None`: it has calls, or sessions of calls.
    pub fn crew(&self) -> Option<&Arc<Crew>> {
        match &self.lengths {
            Lengths::Agents(crew) => Some(crew),
            Lengths::Replayed(replay) => Some(&replay.crew),
            Lengths::Drawn { .. } | Lengths::Recorded => None,
        }
    }

    /// Whether what arrives are sessions, not calls.
    pub fn has_sessions(&self) -> bool {
        self.session.is_some() || self.crew().is_some()
    }

    /// Whether any of its calls may think before it answers.
    pub fn may_think(&self) -> bool {
        let thinks =
            |crew: &Arc<Crew>| crew.members.iter().any(|member| member.agent.thinking.is_some());
        self.thinking.is_some() || self.crew().is_some_and(thinks)
    }

    /// Whether what arrives is of one law at all times: what a time average of a run
    /// stands for does not depend on which time that is.
    pub(super) fn is_stationary(&self) -> bool {
        self.arrivals.parts().all(|arrivals| match arrivals {
            Arrivals::Poisson { .. } | Arrivals::Constant { .. } | Arrivals::ClosedLoop { .. } => {
                true
            }
            Arrivals::Varying(demand) => demand.has_one_rate(),
            Arrivals::Trace { .. } | Arrivals::Batch(_) | Arrivals::Regions(_) => false,
        })
    }

    /// Whether anything of it is drawn.
    pub(super) fn is_random(&self) -> bool {
        let arrives_at_random = |arrivals: &Arrivals| match arrivals {
            Arrivals::Poisson { .. } => true,
            Arrivals::Varying(demand) => demand.is_random(),
            Arrivals::ClosedLoop { think, .. } => {
                think.as_ref().is_some_and(|think| !think.is_constant())
            }
            // The regions of recorded calls are drawn.
            Arrivals::Trace { .. } => self.regions() > 1,
            Arrivals::Batch(batch) => !batch.calls.is_constant(),
            Arrivals::Constant { .. } | Arrivals::Regions(_) => false,
        };
        let arrives_at_random = self.arrivals.parts().any(arrives_at_random);
        let has_random_sessions = self.session.as_ref().is_some_and(|session| {
            let think = session.think.as_ref().is_some_and(|think| !think.is_constant());
            think || !session.turns.is_constant()
        });
        let draws = |segment: &Segment| segment.groups > 1 || !segment.tokens.is_constant();
        arrives_at_random
            || has_random_sessions
            || self.thinking.as_ref().is_some_and(Thinking::is_random)
            || self.prefix.iter().any(draws)
            || match &self.lengths {
                Lengths::Drawn { prompt, output } => !prompt.is_constant() || !output.is_constant(),
                Lengths::Recorded | Lengths::Replayed(_) => false,
                Lengths::Agents(crew) => crew.is_random(),
            }
    }
}

/// When calls arrive.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Poisson process with this many calls a second.
    Poisson {
        /// Calls a second.
        rate: f64,
    },
    /// One call every `1 / rate` seconds, the first after one interval.
    Constant {
        /// Calls a second.
        rate: f64,
    },
    /// Arrivals whose rate varies with the calendar, or around it.
    Varying(Arc<Demand>),
    /// `clients` users who each wait for an answer, think, and ask again.
    ClosedLoop {
        /// Users.
        clients: u32,
        /// Calls in all before the users stop; `None`: until the duration ends.
        requests: Option<u64>,
        /// Seconds between an answer and the next call.
        think: Option<Distribution>,
    },
    /// Replays recorded arrivals (and their lengths).
    Trace {
        /// The recording, read once and shared by all replications.
        trace: Arc<Trace>,
        /// Recorded intervals are multiplied by this (2 = half the rate).
        time_scale: f64,
    },
    /// Jobs of many calls that must be done by a deadline.
    Batch(Arc<Batch>),
    /// Users of several regions, each with arrivals of their own: the name of each
    /// region, in the order of [`Origins::regions`], and what arrives there.
    Regions(Vec<(String, Arrivals)>),
}

impl Arrivals {
    /// Those of each region; themselves where they are not told apart.
    pub fn parts(&self) -> impl Iterator<Item = &Arrivals> {
        let (whole, regions) = match self {
            Arrivals::Regions(regions) => (None, &regions[..]),
            whole => (Some(whole), &[][..]),
        };
        whole.into_iter().chain(regions.iter().map(|(_, arrivals)| arrivals))
    }
}

/// What calls ask for.
#[derive(Clone, Debug)]
pub enum Lengths {
    /// Drawn per call.
    Drawn {
        /// Prompt tokens.
        prompt: Distribution,
        /// Output tokens.
        output: Distribution,
    },
    /// Taken from the trace that also gives the arrivals.
    Recorded,
    /// As the programs of agents have it: what arrives are their sessions.
    Agents(Arc<Crew>),
    /// As sessions of agents were recorded: what arrives are sessions.
    Replayed(Arc<Replay>),
}

/// Part of what calls, or sessions, share at their start.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Use cases that say the same name share its text.
    pub name: Option<String>,
    /// Index of the use case that names its text: the first that begins alike.
    pub owner: u16,
    /// Its tokens; drawn once for each group.
    pub tokens: Distribution,
    /// Different texts, at least 1; each call (or session) has one of them.
    pub groups: u32,
    /// The k-th group is as popular as k to the power of minus this.
    pub zipf: f64,
}

/// Sessions whose turns are calls.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Turns of a session.
    pub turns: Distribution,
    /// Prompt tokens of the first turn; as of the others when absent.
    pub opening: Option<Distribution>,
    /// Seconds between an answer and the next turn.
    pub think: Option<Distribution>,
}
