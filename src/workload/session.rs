//! Sessions: calls that follow each other and repeat what was said before.
//!
//! The prompt of a turn is all of the turn before, prompt and answer (its thinking
//! where that is kept), and newly drawn tokens. The next turn exists only once the answer is there and its
//! reader has thought. What a session says is one strand behind the prefix that
//! it shares with others, so that each prompt continues the one before; where
//! thinking is dropped a new strand begins with the answer.

use super::content::{Author, Content, Strand};
use super::errand::Errand;
use super::prefix::Prefix;
use crate::kernel::{Id, Span};
use crate::random::{Component, Distribution, Streams};
use crate::scenario;

/// Names a session while it is alive.
pub type SessionId = Id<Session>;

/// A session that is alive: a call of it is in the system, or it thinks.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its use case.
    pub use_case: u16,
    /// Serial number within its use case.
    pub number: u64,
    /// Whom it is for.
    pub errand: Errand,
    /// The client that runs it, in a closed loop.
    pub client: Option<u32>,
    /// Turns answered; the number of the next one.
    pub turn: u32,
    /// Turns it will take.
    pub turns: u32,
    /// Tokens before the newly drawn ones of the next prompt: the shared prefix,
    /// and what was asked and answered.
    pub history: u32,
    /// What it says, while no call carries it.
    pub content: Option<Content>,
    /// Tokens of its next prompt that count as found in the cache: it began before the
    /// run did.
    pub carried: u32,
}

impl Session {
    /// A turn of `prompt` tokens was answered with `output`, as far as it is repeated.
    pub fn answered(&mut self, prompt: u32, output: u32, content: Option<Content>) {
        self.turn += 1;
        self.history = prompt.saturating_add(output);
        self.content = content;
    }

    /// Names the conversation that its turns continue; never 0.
    #[inline]
    pub fn conversation(&self) -> u64 {
        Strand::new(self.use_case, Author::Session, self.number).number()
    }

    /// Whether there is nothing left to ask.
    pub fn is_over(&self) -> bool {
        self.turn >= self.turns
    }
}

/// Draws the sessions of one use case. Every draw is keyed by session and turn,
/// so a session is the same whenever it is served.
#[derive(Clone, Debug)]
pub struct SessionSource {
    streams: Streams,
    entity: u64,
    turns: Distribution,
    think: Option<Distribution>,
}

impl SessionSource {
    /// Most turns of a session.
    pub const TURNS_MAX: u32 = 1 << 20;

    /// The sessions of a use case; `entity` keys their streams.
    pub fn new(spec: &scenario::Sessions, streams: Streams, entity: u64) -> Self {
        SessionSource { streams, entity, turns: spec.turns.clone(), think: spec.think.clone() }
    }

    /// Session `number` of the use case at index `use_case`.
    pub fn begin(
        &self,
        use_case: u16,
        number: u64,
        prefix: &Prefix,
        mut content: Content,
    ) -> Session {
        let mut stream = self.streams.stream(Component::Turns, self.entity, number);
        let turns = self.turns.sample_tokens(&mut stream).min(Self::TURNS_MAX);
        let own = Strand::new(use_case, Author::Session, number);
        let history = prefix.write(number, &mut content, own).tokens;
        let content = Some(content);
        let errand = Errand::default();
        let (client, turn, carried) = (None, 0, 0);
        Session { use_case, number, errand, client, turn, turns, history, content, carried }
    }

    /// How long the reader of the answer to the last turn thinks.
    pub fn think(&self, session: &Session) -> Span {
        let Some(think) = &self.think else { return Span::ZERO };
        let item = item(session.number, session.turn);
        Span::from_seconds(think.sample(&mut self.streams.stream(
            Component::Think,
            self.entity,
            item,
        )))
    }
}

/// Key of the draws of a turn; that of a call by itself is its number.
#[inline]
pub fn item(number: u64, turn: u32) -> u64 {
    debug_assert!(number < 1 << 44 && turn < SessionSource::TURNS_MAX);
    number | u64::from(turn) << 44
}
