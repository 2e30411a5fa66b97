//! One model call in flight, and all of them.

use super::cache::Hold;
use crate::kernel::{Arena, Id, Span, Time};
use crate::workload::agent::ActorId;
use crate::workload::{Author, Content, JobId, SessionId, Strand, Stretch, item};
use std::ops::{Index, IndexMut};

/// Names a call while it is in the system.
pub type CallId = Id<Call>;

/// Who goes on when a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// Nobody: it came by itself.
    Nobody,
    /// A client of a closed loop.
    Client(u32),
    /// The session whose turn it is.
    Session(SessionId),
    /// The job it is part of.
    Job(JobId),
    /// An agent at work.
    Agent(ActorId),
    /// Nobody any more.
    Gone(Gone),
}

/// An agent that no longer waits for its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Why.
    pub why: Why,
    /// Which agent of the crew it is.
    pub member: u16,
    /// Work that its run has paid for, in grains.
    pub paid: u64,
}

/// Why a call is no longer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Whoever waited has waited too long.
    GaveUp,
    /// Its answer is not needed any more.
    CalledOff,
}

/// A model call: what it asks for and how far it has come.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When it arrived at its pool.
    pub arrived: Time,
    /// Time on the network, there and back.
    pub network: Span,
    /// When a step first took it in; `Time::MAX` before.
    pub scheduled: Time,
    /// How long KV blocks were fetched for it before that.
    pub fetch: Span,
    /// When its first token was sampled; `Time::MAX` before.
    pub first_token: Time,
    /// When its first token after thinking was sampled; `Time::MAX` before, and
    /// for good where it does not think.
    pub answering: Time,
    /// When its latest token was sampled; kept up only across preemptions.
    pub last_token: Time,
    /// Serial number within its source, of the call or of its session.
    pub number: u64,
    /// Which turn of its session it is; 0 without one.
    pub turn: u32,
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens it will produce.
    pub output: u32,
    /// Of these, thinking tokens, which come first; fewer than all.
    pub thinking: u32,
    /// Output tokens produced; kept up only while it is not decoding.
    pub generated: u32,
    /// Who goes on when it ends.
    pub waiter: Waiter,
    /// Names the conversation that it continues, a session's or an agent's, for
    /// routers that keep those together; 0: none.
    pub conversation: u64,
    /// Where its router sent it, as the router counts: a replica of its pool, or
    /// a rank of one.
    pub lane: u32,
    /// Prompt tokens that were found in the cache when a step first took it in.
    pub cached: u32,
    /// Prompt tokens that need not be computed, where the hit rate is an input:
    /// the cache is then left alone.
    pub given: Option<u32>,
    /// Its use case.
    pub use_case: u16,
    /// Region of its user, as its use case numbers them.
    pub region: u16,
    /// Which of the pools of its use case serves it.
    pub site: u8,
    /// The pool that serves it.
    pub pool: u16,
    /// How often it was preempted.
    pub preemptions: u16,
    /// Tokens whose KV it had when it was preempted last.
    pub reached: u32,
    /// GPU time that it has taken, in grains, as far as it has been settled, and the
    /// counter of shared work and the attended tokens up to which that is.
    pub work: u64,
    /// See `work`.
    pub settled: u64,
    /// See `work`; only while it decodes.
    pub attended: u32,
    /// A budget cut its thinking.
    pub is_cut: bool,
    /// It is part of a batch job.
    pub is_of_a_job: bool,
    /// Whether its agent will go on from what it says; counted in tokens.
    pub hold: Hold,
    /// What it says; `None` when nobody else ever says the same.
    content: Option<Id<Content>>,
}

impl Call {
    /// A call that has just arrived.
    pub fn new(use_case: u16, number: u64, arrived: Time, prompt: u32, output: u32) -> Self {
        debug_assert!(prompt > 0 && output > 0);
        Call {
            arrived,
            scheduled: Time::MAX,
            fetch: Span::ZERO,
            first_token: Time::MAX,
            answering: Time::MAX,
            last_token: Time::MAX,
            number,
            turn: 0,
            prompt,
            output,
            thinking: 0,
            generated: 0,
            waiter: Waiter::Nobody,
            conversation: 0,
            lane: 0,
            cached: 0,
            given: None,
            use_case,
            region: 0,
            site: 0,
            network: Span::ZERO,
            pool: 0,
            preemptions: 0,
            reached: 0,
            work: 0,
            settled: 0,
            attended: 0,
            is_cut: false,
            is_of_a_job: false,
            hold: Hold::Silent,
            content: None,
        }
    }

    /// Whether nobody but itself can ever hit what it says.
    #[inline]
    pub fn is_private(&self) -> bool {
        self.content.is_none()
    }

    /// It is no longer waited for.
    pub fn leave(&mut self, gone: Gone) {
        (self.waiter, self.hold) = (Waiter::Gone(gone), self.hold.called_off());
    }

    /// Names it within its use case.
    #[inline]
    pub fn key(&self) -> u64 {
        item(self.number, self.turn)
    }

    /// Whether the token it sampled last is the first after thinking.
    #[inline]
    pub fn begins_to_answer(&self) -> bool {
        self.thinking > 0 && self.generated == self.thinking + 1
    }

    /// Output tokens that are left to produce when the first after thinking has
    /// been; `None`: it does not think, or has done so.
    #[inline]
    pub fn left_to_answer(&self) -> Option<u32> {
        (self.generated <= self.thinking && self.thinking > 0)
            .then(|| self.output - self.thinking - 1)
    }

    /// Tokens whose KV must be computed before the next output token: the
    /// prompt, and after a preemption what was generated so far.
    pub fn known_tokens(&self) -> u32 {
        self.prompt + self.generated
    }
}

/// The calls in the system, and what they say.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    calls: Arena<Call>,
    contents: Arena<Content>,
    /// Contents of calls that have ended, kept for their memory.
    spare: Vec<Content>,
}

impl Calls {
    /// Number of calls in the system.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether none is in the system.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes in a call; without a `content` it follows a strand of its own.
    #[inline]
    pub fn insert(&mut self, mut call: Call, content: Option<Content>) -> CallId {
        call.content = content.map(|content| self.contents.insert(content));
        self.calls.insert(call)
    }

    /// Takes out a call, and what it says. Panics on a stale id.
    #[inline]
    pub fn remove(&mut self, id: CallId) -> (Call, Option<Content>) {
        let call = self.calls.remove(id);
        (call, call.content.map(|content| self.contents.remove(content)))
    }

    /// A content to write on.
    #[inline]
    pub fn blank(&mut self) -> Content {
        self.spare.pop().unwrap_or_else(|| Content::new(Strand::NONE))
    }

    /// Takes back a content that nobody needs any more.
    #[inline]
    pub fn recycle(&mut self, content: Option<Content>) {
        self.spare.extend(content);
    }

    /// Whether call `id` is still in the system.
    pub fn contains(&self, id: CallId) -> bool {
        self.calls.contains(id)
    }

    /// What a call says, if anybody else may ever say the same.
    pub fn content(&self, id: CallId) -> Option<&Content> {
        self.calls[id].content.map(|content| &self.contents[content])
    }

    /// The calls in the system, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// The strands that `call`, prompt and output, follows. Its own strand is
    /// put in `own` if it has no others.
    #[inline]
    pub fn stretches<'a>(&'a self, call: &Call, own: &'a mut Stretch) -> &'a [Stretch] {
        match call.content {
            Some(content) => self.contents[content].stretches(),
            None => {
                let strand = Strand::new(call.use_case, Author::Call, call.number);
                *own = Stretch { strand, until: u32::MAX };
                std::slice::from_ref(own)
            }
        }
    }
}

impl Index<CallId> for Calls {
    type Output = Call;
    #[inline]
    fn index(&self, id: CallId) -> &Call {
        &self.calls[id]
    }
}

impl IndexMut<CallId> for Calls {
    #[inline]
    fn index_mut(&mut self, id: CallId) -> &mut Call {
        &mut self.calls[id]
    }
}
