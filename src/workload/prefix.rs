//! Text that calls or sessions of a use case share at their start.
//!
//! A prefix is a list of segments, such as a system prompt that all share and
//! then the instructions of a tenant. Where a segment has groups, every call
//! (or session) belongs to one of them, drawn with Zipf weights. The strand of
//! a segment is named by the groups drawn so far, since what a tenant's
//! repository says begins with what the tenant says.

use super::content::{Author, Content, Strand};
use crate::random::{Component, Distribution, Streams, entity};
use crate::scenario::{Segment, UseCase};

/// Draws the shared start of calls or sessions.
#[derive(Clone, Debug)]
pub struct Prefix {
    streams: Streams,
    /// Key of the draws of groups.
    entity: u64,
    segments: Vec<Part>,
}

/// The prefix of one call or session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its tokens.
    pub tokens: u32,
    /// Number of its combination of groups.
    pub path: u64,
}

/// One segment.
#[derive(Clone, Debug)]
struct Part {
    segment: Segment,
    /// Key of the draws of lengths: one text has one length, whoever uses it.
    entity: u64,
    groups: u64,
    /// Draws a group; `None` where there is one only.
    popularity: Option<Distribution>,
}

impl Prefix {
    /// Most segments of one prefix.
    pub const SEGMENTS_MAX: usize = 1 << (44 - Self::PATH_BITS);
    /// Most combinations of groups, as a power of two.
    pub const PATH_BITS: u32 = 40;

    /// The prefix of `use_case`, whose streams are keyed by its name.
    pub fn new(use_case: &UseCase, streams: Streams) -> Self {
        let own = entity(&use_case.name);
        let part = |(at, segment): (usize, &Segment)| Part {
            segment: segment.clone(),
            entity: match &segment.name {
                Some(name) => entity(name),
                None => own.wrapping_add(at as u64 + 1),
            },
            groups: u64::from(segment.groups),
            popularity: (segment.groups > 1).then(|| {
                Distribution::zipf(u64::from(segment.groups), segment.zipf)
                    .expect("checked by the scenario")
            }),
        };
        let segments = use_case.prefix.iter().enumerate().map(part).collect();
        Prefix { streams, entity: own, segments }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Writes the prefix of call (or session) `number` to `content`, which then
    /// goes on with `own`.
    pub fn write(&self, number: u64, content: &mut Content, own: Strand) -> Written {
        content.start(own);
        let (mut tokens, mut path) = (0u32, 0);
        for (at, part) in self.segments.iter().enumerate() {
            path = path * part.groups + self.group(part, at, number);
            let name = (at as u64) << Self::PATH_BITS | path;
            content.turn_off(tokens, Strand::new(part.segment.owner, Author::Group, name));
            tokens = tokens.saturating_add(self.tokens(part, path));
        }
        content.turn_off(tokens, own);
        Written { tokens, path }
    }

    /// The group of call (or session) `number` in segment `at`.
    fn group(&self, part: &Part, at: usize, number: u64) -> u64 {
        let Some(popularity) = &part.popularity else { return 0 };
        let item = number * Self::SEGMENTS_MAX as u64 + at as u64;
        let mut stream = self.streams.stream(Component::Group, self.entity, item);
        popularity.sample(&mut stream) as u64 - 1
    }

    /// Length of a segment in the groups named by `path`.
    fn tokens(&self, part: &Part, path: u64) -> u32 {
        let mut stream = self.streams.stream(Component::Segment, part.entity, path);
        part.segment.tokens.sample_tokens(&mut stream)
    }
}
