//! What the calls of one use case ask for and say.
//!
//! Lengths, shared prefixes and sessions come together here; the simulation
//! asks for a call, or for a session and then for its turns.

use super::content::{Author, Content, Strand};
use super::lengths::LengthSource;
use super::prefix::Prefix;
use super::session::{Session, SessionSource};
use crate::kernel::Span;
use crate::random::{Streams, entity};
use crate::scenario::UseCase;

/// Writes the calls of one use case.
#[derive(Clone, Debug)]
pub struct Script {
    use_case: u16,
    lengths: LengthSource,
    prefix: Prefix,
    sessions: Option<SessionSource>,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
}

impl Script {
    /// The script of `use_case`, which is at index `at` of the scenario.
    pub fn new(at: u16, use_case: &UseCase, streams: Streams) -> Self {
        let owner = entity(&use_case.name);
        let sessions = use_case.session.as_ref();
        Script {
            use_case: at,
            lengths: LengthSource::new(use_case, streams),
            prefix: Prefix::new(use_case, streams),
            sessions: sessions.map(|spec| SessionSource::new(spec, streams, owner)),
        }
    }

    /// Whether its calls are turns of sessions.
    #[inline]
    pub fn has_sessions(&self) -> bool {
        self.sessions.is_some()
    }

    /// Call `number`, which belongs to no session, and what it says if others may
    /// say the same; `blank` gives paper for that.
    #[inline]
    pub fn call(&self, number: u64, blank: impl FnOnce() -> Content) -> (Ask, Option<Content>) {
        let mut ask = self.lengths.ask(number, 0);
        if self.prefix.is_empty() {
            return (ask, None);
        }
        let mut content = blank();
        let own = Strand::new(self.use_case, Author::Call, number);
        let shared = self.prefix.write(number, &mut content, own);
        ask.prompt = ask.prompt.saturating_add(shared);
        (ask, Some(content))
    }

    /// Session `number`.
    pub fn session(&self, number: u64, blank: Content) -> Session {
        self.source().begin(self.use_case, number, &self.prefix, blank)
    }

    /// The next turn of a session.
    #[inline]
    pub fn turn(&self, session: &Session) -> Ask {
        let drawn = self.lengths.ask(session.number, session.turn);
        Ask { prompt: session.history.saturating_add(drawn.prompt), ..drawn }
    }

    /// The pause between the last answer and the next turn.
    pub fn think(&self, session: &Session) -> Span {
        self.source().think(session)
    }

    fn source(&self) -> &SessionSource {
        self.sessions.as_ref().expect("asked for a session where there are none")
    }
}
