//! Recorded sessions of agents as graphs: which call follows which, and what it
//! waits for.
//!
//! A session is a thread of calls, and threads may start others: after a call, or
//! before their first. A thread goes on with a call when those it started that
//! join there have ended, and a pause later. This is neutral of the layout it was
//! read from. Everything lies in a few flat lists, 64 bytes a call and 8 for
//! each place where prompts part, and is shared by all replications.

use super::strands::Contradiction;
use crate::kernel::{Digest, Span};

/// A thread that never joins the one that started it.
pub const NEVER: u32 = u32::MAX;

/// Recorded sessions.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Kinds of threads by name; sessions are of the first.
    pub kinds: Vec<String>,
    /// Models that calls were recorded with, in the order in which they occur.
    pub models: Vec<String>,
    /// The threads that sessions are, in the order of the file.
    sessions: Vec<u32>,
    threads: Vec<Thread>,
    calls: Vec<RecordedCall>,
    texts: Vec<Entry>,
    starts: Vec<Started>,
    /// Numbers of strands are below this.
    pub strands: u64,
    /// Whether calls have the instants at which they were recorded.
    pub has_instants: bool,
    /// Fold of all that is recorded.
    digest: Digest,
    /// What is odd about it.
    pub notes: GraphNotes,
}

/// What a reader noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphNotes {
    /// Broken lines left out on request.
    pub skipped_lines: u64,
    /// Calls recorded without prompt or without output tokens, kept as one token.
    pub raised_calls: u64,
    /// Calls whose prompt is estimated from its characters.
    pub estimated_calls: u64,
    /// Calls that do not say how long their answers are.
    pub unsaid_outputs: u64,
    /// Where prefix ids contradict each other first.
    pub contradiction: Option<Contradiction>,
}

/// Calls that follow each other.
#[derive(Clone, Copy, Debug)]
struct Thread {
    kind: u16,
    /// Its calls, and the threads that it starts before the first.
    calls: (u32, u32),
    starts: (u32, u32),
}

/// A recorded call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedCall {
    /// When it came, since the first call of its session.
    pub at: Span,
    /// How long it took.
    pub api: Span,
    /// Time between the end of what it waits for and the call.
    pub pause: Span,
    /// The pause is known to be that of tools. Else it is the client's, who may be a
    /// person who thinks, or software.
    pub after_tools: bool,
    /// The model that answered, counted from 1 among those of the graph; 0: nothing is
    /// told.
    pub model: u16,
    /// Prompt tokens; 0: it asks nobody, and only waits and starts threads.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
    /// Prompt tokens that prompts read before it had.
    pub repeated: u32,
    /// Prompt tokens behind these that an answer read before it had and no prompt: a
    /// cache has them if it keeps answers.
    pub answered: u32,
    /// Tokens, of prompt and answer, that its text tells of; what follows is its own.
    pub covered: u32,
    /// Its lists in those of the graph, filled when it is appended.
    pub(super) texts: (u32, u32),
    pub(super) starts: (u32, u32),
    /// It answers what a user asked for, and what follows is asked for later.
    pub ends_run: bool,
}

// There are a great many.
const _: () = assert!(size_of::<RecordedCall>() == 64);

impl RecordedCall {
    /// Prompt tokens that a cache has which never evicts; `keeps_answers`: and which
    /// keeps what was decoded.
    pub fn known(&self, keeps_answers: bool) -> u32 {
        self.repeated + if keeps_answers { self.answered } else { 0 }
    }
}

/// A text enters a strand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The strand.
    pub strand: u32,
    /// Tokens before it.
    pub from: u32,
}

/// A thread that another starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Which.
    pub thread: u32,
    /// The call that waits for its end, counted from 0 in the thread that starts it
    /// (the count of its calls: the end of that thread), or [`NEVER`].
    pub join: u32,
}

/// A thread while it is read.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Its kind.
    pub kind: String,
    /// Its calls.
    pub calls: Vec<DraftCall>,
    /// Threads that it starts before the first.
    pub starts: Vec<(Draft, u32)>,
}

/// A call while it is read.
#[derive(Clone, Debug, Default)]
pub struct DraftCall {
    /// What is known of it but its lists.
    pub call: RecordedCall,
    /// What it says.
    pub text: Vec<Entry>,
    /// Threads that it starts, with the call at which they join.
    pub starts: Vec<(Draft, u32)>,
}

impl Graph {
    /// Most calls: their numbers have 32 bits, and memory ends earlier.
    pub const CALLS_MAX: usize = 100_000_000;
    /// Most kinds of threads.
    pub const KINDS_MAX: usize = 100;
    /// Most models.
    pub const MODELS_MAX: usize = 1_000;

    /// Appends a session.
    pub fn add(&mut self, session: Draft) {
        let thread = self.thread(session);
        self.sessions.push(thread);
    }

    fn thread(&mut self, draft: Draft) -> u32 {
        let number = self.threads.len() as u32;
        let kind = self.kind(draft.kind);
        self.digest.word(u64::from(kind) << 32 | draft.calls.len() as u64);
        let none = (0, 0);
        self.threads.push(Thread { kind, calls: none, starts: none });
        let begin = self.calls.len() as u32;
        let (mut calls, mut lists) = (Vec::new(), Vec::new());
        for DraftCall { call, text, starts } in draft.calls {
            let from = self.texts.len() as u32;
            self.texts.extend(&text);
            self.fold(&call, &text);
            calls.push(RecordedCall { texts: (from, self.texts.len() as u32), ..call });
            lists.push(starts);
        }
        let end = begin + calls.len() as u32;
        self.calls.append(&mut calls);
        self.threads[number as usize].calls = (begin, end);
        self.threads[number as usize].starts = self.start(draft.starts);
        for (at, starts) in (begin..).zip(lists) {
            self.calls[at as usize].starts = self.start(starts);
        }
        number
    }

    fn start(&mut self, drafts: Vec<(Draft, u32)>) -> (u32, u32) {
        let started: Vec<Started> = drafts
            .into_iter()
            .map(|(draft, join)| Started { thread: self.thread(draft), join })
            .collect();
        let from = self.starts.len() as u32;
        started.iter().for_each(|it| self.digest.word(u64::from(it.join)));
        self.starts.extend(started);
        (from, self.starts.len() as u32)
    }

    fn fold(&mut self, call: &RecordedCall, text: &[Entry]) {
        let lengths = u64::from(call.prompt) << 32 | u64::from(call.output);
        let times = [call.at, call.api, call.pause].map(Span::ticks);
        let flags = u64::from(call.after_tools) << 1 | u64::from(call.ends_run);
        let tail = u64::from(call.covered) << 18 | u64::from(call.model) << 2 | flags;
        times.into_iter().chain([lengths, tail]).for_each(|word| self.digest.word(word));
        for entry in text {
            self.digest.word(u64::from(entry.strand) << 32 | u64::from(entry.from));
        }
    }

    /// The number of a kind; one too many counts as the last.
    fn kind(&mut self, name: String) -> u16 {
        let known = self.kinds.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            if self.kinds.len() < Self::KINDS_MAX {
                self.kinds.push(name);
            }
            self.kinds.len() - 1
        });
        at as u16
    }

    /// The number of a model; one too many counts as the last.
    pub(super) fn model(&mut self, name: Option<&str>) -> u16 {
        let Some(name) = name else { return 0 };
        let known = self.models.iter().position(|known| known == name);
        let number = known.map_or(self.models.len(), |at| at) + 1;
        if number > self.models.len() && self.models.len() < Self::MODELS_MAX {
            self.models.push(name.to_owned());
        }
        number.min(Self::MODELS_MAX) as u16
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> u64 {
        self.sessions.len() as u64
    }

    /// How many calls ask for something, in all threads.
    pub fn calls(&self) -> u64 {
        self.calls.iter().filter(|call| call.prompt > 0).count() as u64
    }

    /// All calls, thread by thread.
    pub fn all_calls(&self) -> &[RecordedCall] {
        &self.calls
    }

    /// The thread of a session.
    pub fn session(&self, number: u64) -> u32 {
        self.sessions[number as usize]
    }

    /// The kind of a thread.
    pub fn kind_of(&self, thread: u32) -> u16 {
        self.threads[thread as usize].kind
    }

    /// The calls of a thread.
    pub fn calls_of(&self, thread: u32) -> &[RecordedCall] {
        let (from, until) = self.threads[thread as usize].calls;
        &self.calls[from as usize..until as usize]
    }

    /// What a thread starts before its first call.
    pub fn starts_of(&self, thread: u32) -> &[Started] {
        let (from, until) = self.threads[thread as usize].starts;
        &self.starts[from as usize..until as usize]
    }

    /// What a call starts once it is answered.
    pub fn starts_after(&self, call: &RecordedCall) -> &[Started] {
        &self.starts[call.starts.0 as usize..call.starts.1 as usize]
    }

    /// What a call says.
    pub fn text(&self, call: &RecordedCall) -> &[Entry] {
        &self.texts[call.texts.0 as usize..call.texts.1 as usize]
    }

    /// Fold of all that is recorded.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// All calls of the session at `number`, its sub-agents included, told to `visit`
    /// with their kinds, each thread after the one that starts it.
    pub fn each_call(&self, number: u64, mut visit: impl FnMut(u16, &RecordedCall)) {
        let mut threads = vec![self.session(number)];
        while let Some(thread) = threads.pop() {
            threads.extend(self.starts_of(thread).iter().map(|it| it.thread));
            for call in self.calls_of(thread) {
                visit(self.kind_of(thread), call);
                threads.extend(self.starts_after(call).iter().map(|it| it.thread));
            }
        }
    }
}
