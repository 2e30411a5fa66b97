//! Checks what calls share: prefixes and sessions.

use super::Check;
use crate::scenario::raw::{RawSegment, RawSession};
use crate::scenario::tree::At;
use crate::scenario::{Arrivals, Lengths, Pool, Segment, Sessions, UseCase};
use crate::workload::{Prefix, Script, SessionSource};

impl Check<'_> {
    /// The shared prefix of a use case; names are resolved later, by [`Check::share`].
    pub(super) fn prefix(&mut self, at: &At<'_>, raw: &[RawSegment]) -> Option<Vec<Segment>> {
        self.at_most(at, Prefix::SEGMENTS_MAX);
        let mut combinations = 1.0;
        let mut segments = Vec::new();
        for (at, raw) in at.entries().zip(raw) {
            if let Some(name) = &raw.name {
                self.name(&at.key("name"), name);
            }
            if raw.zipf > 0.0 && raw.groups == 1 {
                self.wrong(&at.key("zipf"), "weighs a single group", "add e.g. groups = 100");
            }
            combinations *= f64::from(raw.groups);
            let tokens = self.tokens(&at.key("tokens"), &raw.tokens);
            let RawSegment { name, groups, zipf, .. } = raw.clone();
            segments.push(tokens.map(|tokens| Segment { name, owner: 0, tokens, groups, zipf }));
        }
        if combinations > libm::exp2(f64::from(Prefix::PATH_BITS)) {
            let problem = format!("has {combinations:.1e} combinations of groups");
            self.wrong(at, problem, format!("keep them to 2^{}", Prefix::PATH_BITS));
        }
        segments.into_iter().collect()
    }

    /// Each block of a recording is another text behind each prefix.
    pub(super) fn names(&mut self, at: &At<'_>, use_case: &UseCase) {
        let Arrivals::Trace { trace, .. } = &use_case.arrivals else { return };
        let paths: f64 = use_case.prefix.iter().map(|segment| f64::from(segment.groups)).product();
        let most = Script::NAMES_MAX as f64 / f64::from(trace.nodes.max(1));
        if paths > most {
            let problem =
                format!("has {paths:.1e} combinations of groups, each with its own trace");
            self.wrong(at, problem, format!("keep them to {most:.0}"));
        }
    }

    pub(super) fn session(&mut self, at: &At<'_>, raw: &RawSession) -> Option<Sessions> {
        let place = at.key("turns");
        let turns = self.distribution(&place, &raw.turns)?;
        let most = SessionSource::TURNS_MAX;
        if turns.mean().is_some_and(|mean| !(1.0..=f64::from(most)).contains(&mean)) {
            self.wrong(&place, "is no number of turns", format!("write one from 1 to {most}"));
            return None;
        }
        let think = match &raw.think {
            Some(think) => Some(self.distribution(&at.key("think"), think)?),
            None => None,
        };
        let opening = match &raw.opening_tokens {
            Some(tokens) => Some(self.tokens(&at.key("opening_tokens"), tokens)?),
            None => None,
        };
        Some(Sessions { turns, opening, think })
    }

    /// Turns after the first must have lengths: a trace tells of one call each.
    pub(super) fn lengths_of_turns(&mut self, at: &At<'_>, lengths: Option<&Lengths>) {
        if matches!(lengths, Some(Lengths::Recorded)) {
            let problem = "needs lengths for its turns: the trace has those of single calls";
            let fix = "state prompt_tokens and output_tokens, or leave the session out";
            self.wrong(at, problem, fix);
        }
    }

    /// Gives the segments of all use cases their owners: prefixes share their
    /// text as far as they begin with the same names, and its KV blocks where
    /// their pools make the same ones of it.
    pub(super) fn share(
        &mut self,
        root: &At<'_>,
        pools: &[Option<Pool>],
        use_cases: &mut [Option<UseCase>],
    ) {
        for at in 0..use_cases.len() {
            let (before, rest) = use_cases.split_at_mut(at);
            let Some(use_case) = &mut rest[0] else { continue };
            for depth in 0..use_case.prefix.len() {
                let alike = before.iter().enumerate().filter_map(|(at, other)| {
                    let other = other.as_ref()?;
                    begin_alike(other, use_case, depth).then_some((at, other))
                });
                let owner = alike
                    .clone()
                    .find(|(_, other)| make_the_same_blocks(pools, other.pool, use_case.pool));
                let known = alike.map(|(_, other)| (&other.name, &other.prefix[depth])).next();
                use_case.prefix[depth].owner = owner.map_or(at, |(owner, _)| owner) as u16;
                let segment = &use_case.prefix[depth];
                if let Some((other, known)) = known
                    && (known.groups, &known.tokens) != (segment.groups, &segment.tokens)
                {
                    let place = root.key("use_case").entries().nth(at);
                    let place = place.map(|place| place.key("prefix"));
                    let name = segment.name.as_deref().unwrap_or_default();
                    let problem = format!("has a segment {name} unlike that of {other}");
                    let fix = "give both the same tokens and groups, or different names";
                    self.wrong(&place.expect("as many entries"), problem, fix);
                }
            }
        }
    }
}

/// Whether KV blocks that one pool has made serve the other: blocks of as many
/// tokens, split over as many GPUs, of the same model in the same formats.
fn make_the_same_blocks(pools: &[Option<Pool>], one: usize, other: usize) -> bool {
    let key = |pool: &Pool| {
        let tokens = pool.kv.block_tokens;
        (pool.model.name.clone(), pool.precision, tokens, pool.parallelism.tensor)
    };
    let of = |at: usize| pools.get(at).and_then(Option::as_ref).map(key);
    one == other || of(one).is_some_and(|key| of(other) == Some(key))
}

/// Whether both prefixes have the same names up to segment `depth`.
fn begin_alike(one: &UseCase, other: &UseCase, depth: usize) -> bool {
    let (one, other) = (&one.prefix, &other.prefix);
    one.len() > depth
        && one[..=depth]
            .iter()
            .zip(other)
            .all(|(one, other)| one.name.is_some() && one.name == other.name)
}
