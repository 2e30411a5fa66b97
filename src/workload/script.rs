//! What the calls of one use case ask for and say.
//!
//! Lengths, thinking, shared prefixes, sessions and the ids of a recording come together
//! here; the simulation asks for a call, or for a session and then for its turns.

use super::content::{Author, Content, Strand};
use super::lengths::LengthSource;
use super::prefix::Prefix;
use super::session::{Session, SessionSource, item};
use super::thinking::Thinking;
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
    thinking: Option<Thinking>,
    /// Thinking joins the prompts that follow.
    keeps_thinking: bool,
    /// Answers that were separated from their thinking.
    separated: u64,
}

/// Where lengths come from.
#[derive(Clone, Debug)]
enum Asked {
    Drawn(LengthSource),
    /// The recording that also says what prompts repeat.
    Recorded(Cursor),
    /// By agents, which have a script of their own.
    Elsewhere,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
    /// Of these, thinking tokens, which come first.
    pub thinking: u32,
    /// A budget cut the thinking.
    pub is_cut: bool,
    /// Prompt tokens that need not be computed, where the hit rate is an input.
    pub given: Option<u32>,
}

impl Ask {
    /// So many tokens, without thinking.
    pub fn plain(prompt: u32, output: u32) -> Ask {
        Ask { prompt, output, thinking: 0, is_cut: false, given: None }
    }
}

impl Script {
    /// Most combinations of groups before prompts with ids, times the blocks
    /// that differ: there are so many names of strands.
    pub const NAMES_MAX: u64 = 1 << 44;

    /// The script of `use_case`, which is at index `at` of the scenario.
    pub fn new(at: u16, use_case: &UseCase, streams: Streams) -> Self {
        let owner = entity(&use_case.name);
        let sessions = use_case.session.as_ref();
        let thinking = use_case.thinking.as_ref();
        let asked = match (&use_case.lengths, &use_case.arrivals) {
            (Lengths::Drawn { prompt, output }, _) => {
                let opening = sessions.and_then(|spec| spec.opening.as_ref());
                let lengths = LengthSource::new(prompt, output, streams, owner);
                Asked::Drawn(lengths.opening(opening))
            }
            (Lengths::Recorded, Arrivals::Trace { trace, .. }) => Asked::Recorded(trace.cursor()),
            (Lengths::Agents(_) | Lengths::Replayed(_), _) => Asked::Elsewhere,
            (Lengths::Recorded, _) => unreachable!("recorded lengths come with a trace"),
        };
        Script {
            use_case: at,
            asked,
            prefix: Prefix::new(use_case, streams),
            sessions: sessions.map(|spec| SessionSource::new(spec, streams, owner)),
            cache_hit: use_case.cache_hit,
            thinking: thinking.map(|spec| Thinking::new(spec, streams, owner)),
            keeps_thinking: thinking.is_some_and(|spec| spec.is_kept),
            separated: 0,
        }
    }

    /// Index of its use case.
    pub fn use_case(&self) -> usize {
        usize::from(self.use_case)
    }

    /// Leaves thinking out: calls ask for their answers alone.
    pub fn silence_thinking(&mut self) {
        self.thinking.iter_mut().for_each(Thinking::silence);
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
                let ask = Ask::plain(call.prompt, call.output);
                (ask, (cursor.trace().nodes > 0).then_some(&*cursor))
            }
            Asked::Elsewhere => unreachable!("agents have a script of their own"),
        };
        if self.prefix.is_empty() && recorded.is_none() {
            return (self.ask(0, number, asked), None);
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
        (self.ask(shared.tokens, number, asked), Some(content))
    }

    /// Leaves out the first `calls` of a recording.
    pub fn skip(&mut self, calls: u64) {
        if let Asked::Recorded(cursor) = &mut self.asked {
            (0..calls).for_each(|_| _ = cursor.next());
        }
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
        let drawn = lengths.ask(session.number, session.turn);
        self.ask(session.history, item(session.number, session.turn), drawn)
    }

    /// A turn of a session was answered as it asked for; its call had said `content`.
    /// Where thinking is dropped, the answer follows the prompt in the next one: a
    /// text that nobody has computed, since its tokens had come after thoughts.
    #[inline]
    pub fn answered(&mut self, session: &mut Session, ask: Ask, mut content: Option<Content>) {
        let dropped = if self.keeps_thinking { 0 } else { ask.thinking };
        if let Some(content) = content.as_mut().filter(|_| dropped > 0) {
            let own = Strand::new(self.use_case, Author::Answer, self.separated);
            content.turn_off(ask.prompt, own);
            self.separated += 1;
        }
        session.answered(ask.prompt, ask.output - dropped, content);
    }

    /// The pause between the last answer and the next turn.
    pub fn think(&self, session: &Session) -> Span {
        self.source().think(session)
    }

    fn source(&self) -> &SessionSource {
        self.sessions.as_ref().expect("asked for a session where there are none")
    }

    /// What was drawn behind `before` tokens for the call with this key. At least one
    /// token is computed: without it there would be nothing to sample from.
    #[inline]
    fn ask(&self, before: u32, key: u64, drawn: Ask) -> Ask {
        let prompt = before.saturating_add(drawn.prompt);
        let given = self.cache_hit.map(|share| {
            // `as` truncates, so a half more rounds to the nearest.
            ((f64::from(prompt) * share + 0.5) as u32).min(prompt - 1)
        });
        let asked = Ask { prompt, given, ..drawn };
        match &self.thinking {
            Some(thinking) => thinking.think(key, asked),
            None => asked,
        }
    }
}
