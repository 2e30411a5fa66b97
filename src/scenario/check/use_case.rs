//! Checks one use case.

use super::Check;
use crate::random::Distribution;
use crate::scenario::raw::{RawArrivals, RawPools, RawPrice, RawUseCase};
use crate::scenario::raw_distribution::{Quantum, RawDistribution};
use crate::scenario::tree::{At, suggest};
use crate::scenario::units::Rate;
use crate::scenario::{Arrivals, Lengths, Origins, Pool, Releases, Thinking, TokenPrices, UseCase};
use crate::workload::TraceCall;
use crate::workload::agent::Replay;
use std::sync::Arc;

/// Fastest arrivals: a call a microsecond, beyond any single source.
pub(super) const RATE_MAX: f64 = 1e6;
/// Slowest arrivals: less than a call in ten thousand years.
const RATE_MIN: f64 = 1e-12;

impl Check<'_> {
    pub(super) fn use_case(
        &mut self,
        at: &At<'_>,
        pool_names: &[&str],
        pools: &[Option<Pool>],
        raw: &mut RawUseCase,
    ) -> Option<UseCase> {
        self.name(&at.key("name"), &raw.name);
        let sites = self.sites(at, pool_names, pools, raw);
        let origins = self.origins(at, raw, sites.as_deref(), pool_names, pools);
        let serving: Vec<&str> = {
            let listed = origins.as_ref().and_then(Option::as_ref).map(|it| &it.pools);
            let listed = listed.or(sites.as_ref()).into_iter().flatten();
            listed.map(|&pool| pool_names[pool]).collect()
        };
        let replay = self.replay(at, raw, &serving, pool_names);
        let arrivals = match (raw.replay.is_some(), &replay) {
            (true, None) => None,
            (_, replay) => {
                let origins = origins.as_ref().and_then(Option::as_ref);
                self.arrivals(at, raw, origins, replay.as_deref())
            }
        };
        let lengths = if raw.replay.is_some() {
            replay.map(Lengths::Replayed)
        } else if raw.agent.is_some() {
            let crew = self.crew(at, raw, &serving, pool_names);
            crew.map(|crew| Lengths::Agents(Arc::new(crew)))
        } else {
            self.without_agent(at, raw);
            self.lengths(at, raw)
        };
        let thinking = match &raw.thinking {
            Some(thinking) => Some(self.thinking(&at.key("thinking"), thinking)?),
            None => None,
        };
        let prefix = self.prefix(&at.key("prefix"), &raw.prefix);
        let session = match &raw.session {
            Some(session) => {
                self.lengths_of_turns(&at.key("session"), lengths.as_ref());
                Some(self.session(&at.key("session"), session)?)
            }
            None => None,
        };
        let slo = self.slo(&at.key("slo"), &raw.slo);
        let use_case = UseCase {
            name: raw.name.clone(),
            pool: *sites?.first()?,
            origins: origins?.map(Arc::new),
            arrivals: arrivals?,
            lengths: lengths?,
            thinking,
            prefix: prefix?,
            session,
            cache_hit: raw.cache_hit.as_ref().map(|share| share.0),
            slo,
            price: raw.price.as_ref().map(prices),
        };
        self.names(&at.key("prefix"), &use_case);
        for &pool in use_case.pools() {
            if let Some(Some(spec)) = pools.get(pool) {
                self.fit(&use_case, pool, spec);
            }
        }
        Some(use_case)
    }

    /// Keys that mean something to agents only.
    fn without_agent(&mut self, at: &At<'_>, raw: &RawUseCase) {
        for (key, is_empty) in [("pools", raw.pools.is_empty()), ("tools", raw.tools.is_empty())] {
            if !is_empty {
                let fix = "remove it, or add e.g. agent = \"coding-agent\"";
                self.wrong(&at.key(key), "is given without an agent", fix);
            }
        }
    }

    /// The pools that serve a use case: those it names, the only one, or all that
    /// stand in a region.
    fn sites(
        &mut self,
        at: &At<'_>,
        names: &[&str],
        pools: &[Option<Pool>],
        raw: &mut RawUseCase,
    ) -> Option<Vec<usize>> {
        let place = at.key("pool");
        match &raw.pool {
            Some(named) => {
                self.at_most(&place, Origins::CHOICES_MAX);
                let mut sites = Vec::new();
                for name in named.names() {
                    let found = names.iter().position(|known| known == name);
                    if found.is_none() {
                        let fix = suggest(name, names.iter().copied());
                        self.wrong(&place, "there is no pool of this name", fix);
                    }
                    sites.push(found);
                }
                if sites.is_empty() {
                    self.wrong(&place, "names no pool", "name one, or one a region");
                    return None;
                }
                sites.into_iter().collect()
            }
            None if !raw.regions.is_empty() => {
                let stands =
                    |pool: &Option<Pool>| pool.as_ref().is_some_and(|p| p.region.is_some());
                let sites: Vec<usize> = (0..pools.len()).filter(|&at| stands(&pools[at])).collect();
                if sites.is_empty() && pools.iter().all(Option::is_some) {
                    let fix = "add region = \"...\" to the pools that serve it";
                    self.wrong(&at.key("regions"), "are given, and no pool stands in one", fix);
                }
                let named = sites.iter().map(|&site| names[site].to_owned()).collect();
                raw.pool = Some(RawPools::Several(named));
                (!sites.is_empty()).then_some(sites)
            }
            None => match names {
                // No pool at all has been reported already.
                [] => None,
                [only] => {
                    raw.pool = Some(RawPools::One((*only).to_owned()));
                    Some(vec![0])
                }
                several => {
                    let fix = format!("name one of the pools: {}", several.join(", "));
                    self.missing(&place, "is missing, and there are several pools", fix);
                    None
                }
            },
        }
    }

    fn arrivals(
        &mut self,
        at: &At<'_>,
        raw: &mut RawUseCase,
        origins: Option<&Origins>,
        replay: Option<&Replay>,
    ) -> Option<Arrivals> {
        let users = self.users(at, raw);
        if raw.batch.is_some() {
            for key in ["arrivals", "trace", "users"] {
                if at.key(key).node.is_some() {
                    self.wrong(&at.key(key), "is given beside a batch", "keep one of them");
                }
            }
            return self.batch(at, raw);
        }
        let is_told = raw.arrivals.is_some() || users.is_some() || raw.trace.is_some();
        let steady = match (replay, &raw.replay) {
            (Some(replay), Some(raw)) if !is_told => self.each_session_once(raw, replay),
            _ => self.steady_arrivals(at, raw, users)?,
        };
        match origins.filter(|origins| origins.has_regions()) {
            Some(origins) => self.varying_by_region(at, raw, steady, origins),
            None => self.varying(at, raw, steady),
        }
    }

    /// When calls arrive, apart from what makes their rate vary.
    fn steady_arrivals(
        &mut self,
        at: &At<'_>,
        raw: &mut RawUseCase,
        users: Option<f64>,
    ) -> Option<Arrivals> {
        let place = at.key("arrivals");
        let has_users = raw.users.is_some() || raw.sessions_per_user_per_day.is_some();
        match (&raw.arrivals, &mut raw.trace) {
            (None, None) if has_users => Some(Arrivals::Poisson { rate: users? }),
            (arrivals, _) if has_users => {
                let key = if arrivals.is_some() { place } else { at.key("trace") };
                self.wrong(&key, "is given beside users", "keep one of them");
                None
            }
            (None, None) => {
                let fix = "add arrivals = { process = \"poisson\", rate = \"2 /s\" }, trace = \
                    { format = \"azure\", path = \"...\" }, or users and \
                    sessions_per_user_per_day";
                if at.key("trace").node.is_none() && at.key("batch").node.is_none() {
                    self.missing(&place, "is missing", fix);
                }
                None
            }
            (Some(_), Some(_)) => {
                self.wrong(&place, "is given beside a trace", "keep `arrivals` or `trace`");
                None
            }
            (None, Some(trace)) => self.trace(&at.key("trace"), trace),
            (Some(RawArrivals::Poisson { rate }), None) => {
                Some(Arrivals::Poisson { rate: self.rate(&place, rate) })
            }
            (Some(RawArrivals::Constant { rate }), None) => {
                Some(Arrivals::Constant { rate: self.rate(&place, rate) })
            }
            (Some(RawArrivals::ClosedLoop { clients, requests, think }), None) => {
                let think = match think {
                    Some(think) => Some(self.distribution(&place.key("think"), think)?),
                    None => None,
                };
                Some(Arrivals::ClosedLoop { clients: *clients, requests: *requests, think })
            }
        }
    }

    fn rate(&mut self, at: &At<'_>, rate: &Rate) -> f64 {
        let place = at.key("rate");
        if rate.value <= 0.0 {
            self.wrong(&place, "must be more than zero", "write a rate such as \"2 /s\"");
        } else if rate.value < RATE_MIN {
            self.wrong(&place, "never brings a call", "write a rate such as \"2 /s\"");
        } else if rate.value > RATE_MAX {
            self.wrong(&place, "is beyond a million calls a second", "split the use case");
        }
        rate.value
    }

    fn lengths(&mut self, at: &At<'_>, raw: &RawUseCase) -> Option<Lengths> {
        let recorded = at.key("trace").node.is_some();
        match (&raw.prompt_tokens, &raw.output_tokens) {
            (Some(prompt), Some(output)) => {
                let prompt = self.tokens(&at.key("prompt_tokens"), prompt);
                let output = self.tokens(&at.key("output_tokens"), output);
                Some(Lengths::Drawn { prompt: prompt?, output: output? })
            }
            (None, None) if recorded => Some(Lengths::Recorded),
            (prompt, output) => {
                let absent =
                    [("prompt_tokens", prompt.is_none()), ("output_tokens", output.is_none())];
                for (key, _) in absent.into_iter().filter(|(_, absent)| *absent) {
                    let fix = if recorded {
                        "state both token counts, or neither to take the trace's"
                    } else {
                        "add e.g. 500 or { distribution = \"lognormal\", median = 500, sigma = 0.9 }"
                    };
                    self.missing(&at.key(key), "is missing", fix);
                }
                None
            }
        }
    }

    pub(super) fn tokens(
        &mut self,
        at: &At<'_>,
        raw: &RawDistribution<f64>,
    ) -> Option<Distribution> {
        let distribution = self.distribution(at, raw)?;
        if distribution.mean().is_some_and(|mean| mean < 1.0) {
            self.wrong(at, "is less than one token", "write at least 1");
            return None;
        }
        Some(distribution)
    }

    pub(super) fn distribution<V: Quantum>(
        &mut self,
        at: &At<'_>,
        raw: &RawDistribution<V>,
    ) -> Option<Distribution> {
        match raw.check(at) {
            Ok(distribution) => Some(distribution),
            Err(mistake) => {
                self.mistakes.push(*mistake);
                None
            }
        }
    }

    /// Warns of calls that `pool`, at index `at`, will refuse.
    fn fit(&mut self, use_case: &UseCase, at: usize, pool: &Pool) {
        let longest = u64::from(pool.engine.max_model_len);
        let refused = match (&use_case.lengths, &use_case.arrivals) {
            (Lengths::Recorded, Arrivals::Trace { trace, .. }) => {
                let length = |prompt: u32, output: u32| u64::from(prompt) + u64::from(output);
                let is_long = |call: &TraceCall| length(call.prompt, call.output) > longest;
                let long = trace.cursor().filter(is_long).count();
                (long > 0).then(|| format!("{long} of {} calls are", trace.calls))
            }
            (Lengths::Drawn { prompt, output }, _) => {
                let thinking = use_case.thinking.as_ref().map_or(Some(0.0), Thinking::mean_beside);
                let output =
                    output.mean().zip(thinking).map(|(output, thinking)| output + thinking);
                let mean = prompt.mean().zip(output).map(|(prompt, output)| prompt + output);
                mean.filter(|mean| *mean > longest as f64).map(|_| "the mean call is".to_owned())
            }
            // What is too long ends their sessions, and is counted.
            (Lengths::Agents(_), _) => None,
            (Lengths::Replayed(replay), _) => {
                let long = replay.longer_than(longest, |site| use_case.may_serve(site, at));
                let all = replay.graph.calls();
                (long > 0).then(|| format!("{long} of {all} recorded calls are"))
            }
            (Lengths::Recorded, _) => unreachable!("lengths are recorded in traces only"),
        };
        if let Some(refused) = refused {
            self.warnings.push(format!(
                "use case {}: {refused} longer than pool {} accepts ({longest} tokens) and will be \
                 refused",
                use_case.name, pool.name
            ));
        }
    }
}

fn prices(raw: &RawPrice) -> TokenPrices {
    TokenPrices {
        input: raw.input.value,
        cached_input: raw.cached_input.as_ref().map_or(raw.input.value, |price| price.value),
        output: raw.output.value,
    }
}

impl UseCase {
    /// Whether its calls come to an end without a duration.
    pub fn ends_by_itself(&self) -> bool {
        match &self.arrivals {
            Arrivals::Poisson { .. } | Arrivals::Constant { .. } | Arrivals::Varying(_) => false,
            Arrivals::ClosedLoop { requests, .. } => requests.is_some(),
            Arrivals::Trace { .. } => true,
            Arrivals::Batch(batch) => matches!(batch.releases, Releases::At(_)),
            Arrivals::Regions(_) => false,
        }
    }

    /// Whether the rate of its arrivals is forecast to vary.
    pub fn varies(&self) -> bool {
        let varies = |arrivals: &Arrivals| match arrivals {
            Arrivals::Varying(demand) => !demand.is_stationary(),
            Arrivals::Batch(_) => true,
            _ => false,
        };
        self.arrivals.parts().any(varies)
    }
}
