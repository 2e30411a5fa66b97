//! What the calls of one use case ask for and say.
//!
//! Lengths, shared prefixes, sessions and the ids of a recording come together
//! here; the simulation asks for a call, or for a session and then for its turns.

use super::content::{Author, Content, Strand};
use super::lengths::LengthSource;
use super::prefix::Prefix;
use super::session::{Session, SessionSource};
use super::trace::Cursor;
use crate::kernel::Span;
use crate::random::{Streams, entity};
use crate::scenario::{Arrivals, Lengths, UseCase};

/// Writes the calls of one use case.
#[derive(Clone, Debug)]
pub struct Script {
    use_case: u16,
    asked: Asked,
    prefix: Prefix,
    sessions: Option<SessionSource>,
    cache_hit: Option<f64>,
}

/// Where lengths come from.
#[derive(Clone, Debug)]
enum Asked {
    Drawn(LengthSource),
    /// The recording that also says what prompts repeat.
    Recorded(Cursor),
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
    /// Prompt tokens that need not be computed, where the hit rate is an input.
    pub given: Option<u32>,
}

impl Script {
    /// Most combinations of groups before prompts with ids, times the blocks
    /// that differ: there are so many names of strands.
    pub const NAMES_MAX: u64 = 1 << 44;

    /// The script of `use_case`, which is at index `at` of the scenario.
    pub fn new(at: u16, use_case: &UseCase, streams: Streams) -> Self {
        let owner = entity(&use_case.name);
        let sessions = use_case.session.as_ref();
        let asked = match (&use_case.lengths, &use_case.arrivals) {
            (Lengths::Drawn { prompt, output }, _) => {
                Asked::Drawn(LengthSource::new(prompt, output, streams, owner))
            }
            (Lengths::Recorded, Arrivals::Trace { trace, .. }) => Asked::Recorded(trace.cursor()),
            (Lengths::Recorded, _) => unreachable!("recorded lengths come with a trace"),
        };
        Script {
            use_case: at,
            asked,
            prefix: Prefix::new(use_case, streams),
            sessions: sessions.map(|spec| SessionSource::new(spec, streams, owner)),
            cache_hit: use_case.cache_hit,
        }
    }

    /// Whether its calls are turns of sessions.
    #[inline]
    pub fn has_sessions(&self) -> bool {
        self.sessions.is_some()
    }

    /// Call `number`, which belongs to no session, and what it says if others may
    /// say the same; `blank` gives paper for that. Calls are asked for in order.
    #[inline]
    pub fn call(&mut self, number: u64, blank: impl FnOnce() -> Content) -> (Ask, Option<Content>) {
        let (asked, recorded) = match &mut self.asked {
            Asked::Drawn(lengths) => (lengths.ask(number, 0), None),
            Asked::Recorded(cursor) => {
                let call = cursor.next().expect("as many calls as arrivals");
                let ask = Ask { prompt: call.prompt, output: call.output, given: None };
                (ask, (cursor.trace().nodes > 0).then_some(&*cursor))
            }
        };
        if self.prefix.is_empty() && recorded.is_none() {
            return (self.ask(0, asked), None);
        }
        let mut content = blank();
        let own = Strand::new(self.use_case, Author::Call, number);
        let shared = self.prefix.write(number, &mut content, own);
        if let Some(cursor) = recorded {
            // Behind another prefix, the same block is another text.
            let first = shared.path * u64::from(cursor.trace().nodes);
            cursor.write(shared.tokens, &mut content, own, |strand| {
                Strand::new(self.use_case, Author::Trace, first + u64::from(strand))
            });
        }
        (self.ask(shared.tokens, asked), Some(content))
    }

    /// Session `number`.
    pub fn session(&self, number: u64, blank: Content) -> Session {
        self.source().begin(self.use_case, number, &self.prefix, blank)
    }

    /// The next turn of a session.
    #[inline]
    pub fn turn(&self, session: &Session) -> Ask {
        let Asked::Drawn(lengths) = &self.asked else {
            unreachable!("the lengths of turns are drawn");
        };
        self.ask(session.history, lengths.ask(session.number, session.turn))
    }

    /// The pause between the last answer and the next turn.
    pub fn think(&self, session: &Session) -> Span {
        self.source().think(session)
    }

    fn source(&self) -> &SessionSource {
        self.sessions.as_ref().expect("asked for a session where there are none")
    }

    /// What was drawn behind `before` tokens. At least one token is computed:
    /// without it there would be nothing to sample from.
    #[inline]
    fn ask(&self, before: u32, drawn: Ask) -> Ask {
        let prompt = before.saturating_add(drawn.prompt);
        let given = self.cache_hit.map(|share| {
            // `as` truncates, so a half more rounds to the nearest.
            ((f64::from(prompt) * share + 0.5) as u32).min(prompt - 1)
        });
        Ask { prompt, output: drawn.output, given }
    }
}
