//! The decoding sequences of one rank, in the order in which they change next.
//!
//! A sequence changes when it ends, when it has thought and begins to answer,
//! when its context outgrows the attention window of windowed layers and stops
//! adding to their work, or when a place slides out of that window that the prefix
//! cache knows by name. An agenda tells who
//! changes next and who was admitted last, and running sums tell how much context
//! they attend together, so no step looks at every sequence.

use super::agenda::{Agenda, Entry};
use super::call::CallId;

/// A decoding sequence.
#[derive(Clone, Copy, Debug)]
pub struct Sequence {
    /// The step before which something changes next.
    change: u64,
    /// Rank in the order of admission; breaks ties between changes.
    order: u64,
    call: CallId,
    /// Steps from the change to the end.
    after: u32,
    /// Tokens it would attend in the step before which it leaves; one fewer in
    /// each step before.
    final_attended: u32,
    /// Tokens that it still has to produce when it has begun to answer; more than
    /// it has where that is over, or nobody waits for it.
    left_to_answer: u32,
    /// Tokens that it attends in the step before which a place slides out of its
    /// window that has to be seen to; [`NEVER`] where there is none to come.
    slide: u32,
    /// Its context is shorter than the attention window.
    short: bool,
}

/// No step.
pub const NEVER: u32 = u32::MAX;

/// What comes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A sequence begins to answer.
    Answers(CallId),
    /// A place slides out of the window of a sequence that attends so many tokens in
    /// the step that starts; [`Running::slid`] is to be told how it goes on.
    Slides(CallId, u32),
    /// A sequence has ended.
    Ended(Left),
}

impl Entry for Sequence {
    #[inline]
    fn key(&self) -> (u64, u64) {
        (self.change, self.order)
    }
}

impl Sequence {
    /// Tokens it attends in step `step`.
    #[inline]
    pub fn attended(&self, step: u64) -> u32 {
        self.final_attended - self.remaining(step)
    }

    /// Tokens it has still to produce when step `step` starts.
    #[inline]
    pub fn remaining(&self, step: u64) -> u32 {
        (self.change - step) as u32 + self.after
    }

    /// Its rank in the order of admission.
    pub fn order(&self) -> u64 {
        self.order
    }

    /// Its call.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Tokens that it attends when a place next slides out of its window, or [`NEVER`].
    pub fn slide(&self) -> u32 {
        self.slide
    }
}

/// A sequence that has stopped decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The call.
    pub call: CallId,
    /// Tokens it would attend in the step that starts.
    pub attended: u32,
    /// Output tokens it has still to produce.
    pub remaining: u32,
    /// Its last token is the first after thinking.
    pub answers: bool,
    /// Tokens that it would have attended when a place slid out next, or [`NEVER`].
    pub slide: u32,
}

/// The decoding sequences of a rank.
#[derive(Clone, Debug)]
pub struct Running {
    /// By change, and by admission where that is the same.
    sequences: Agenda<Sequence>,
    admitted: u64,
    window: Option<u32>,
    /// Tokens attended in the current step, all sequences.
    context: u64,
    /// Sequences whose context is shorter than the window, and their context.
    short: u64,
    short_context: u64,
    /// The sequence that slides.
    sliding: Option<Sequence>,
}

impl Running {
    /// No sequences yet, of a model with this attention window.
    pub fn new(window: Option<u32>) -> Self {
        Running {
            sequences: Agenda::default(),
            admitted: 0,
            window,
            context: 0,
            short: 0,
            short_context: 0,
            sliding: None,
        }
    }

    /// Number of sequences.
    #[inline]
    pub fn len(&self) -> u32 {
        self.sequences.len()
    }

    /// The sequences, the next to change first.
    pub fn iter(&self) -> impl Iterator<Item = &Sequence> {
        self.sequences.iter()
    }

    /// Tokens attended in the current step: in full, and clipped to the window.
    #[inline]
    pub fn context(&self) -> (u64, u64) {
        let clipped = self.window.map_or(0, |window| {
            self.short_context + (u64::from(self.len()) - self.short) * u64::from(window)
        });
        (self.context, clipped)
    }

    /// By how much [`Running::context`] grows with each step.
    #[inline]
    pub fn growth(&self) -> (u64, u64) {
        (u64::from(self.len()), self.short)
    }

    /// The step before which something changes next.
    #[inline]
    pub fn next_change(&self) -> Option<u64> {
        self.sequences.first().map(|sequence| sequence.change)
    }

    /// Adds a sequence that attends `attended` tokens in step `step`, its first,
    /// and decodes for `steps` steps. When `left_to_answer` tokens are left it has
    /// begun to answer, and before it attends `slide` tokens a place slides out of its
    /// window.
    pub fn admit(
        &mut self,
        call: CallId,
        step: u64,
        attended: u32,
        steps: u32,
        left_to_answer: Option<u32>,
        slide: u32,
    ) {
        let is_short = self.window.is_some_and(|window| attended < window);
        self.context += u64::from(attended);
        if is_short {
            self.short += 1;
            self.short_context += u64::from(attended);
        }
        let sequence = Sequence {
            change: step,
            order: self.admitted,
            call,
            after: steps,
            final_attended: attended + steps,
            left_to_answer: left_to_answer.unwrap_or(u32::MAX),
            slide,
            short: is_short,
        };
        self.wait(sequence);
        self.admitted += 1;
    }

    /// Lets a sequence, which has just changed, wait for its next change.
    #[inline]
    fn wait(&mut self, mut sequence: Sequence) {
        let steps = sequence.after;
        let mut next = steps;
        if sequence.short {
            let window = self.window.expect("something to be shorter than");
            next = next.min(window - (sequence.final_attended - steps));
        }
        if sequence.slide != NEVER {
            next = next.min(sequence.slide - (sequence.final_attended - steps));
        }
        if sequence.left_to_answer < steps {
            next = next.min(steps - sequence.left_to_answer);
        }
        sequence.change += u64::from(next);
        sequence.after = steps - next;
        self.sequences.insert(sequence);
    }

    /// Moves on by `steps` steps in which nothing changed.
    #[inline]
    pub fn advance(&mut self, steps: u64) {
        self.context += u64::from(self.len()) * steps;
        self.short_context += self.short * steps;
    }

    /// The next change that is due when step `step` starts, in order of admission;
    /// a sequence that has ended is taken out. Sequences that outgrow the window
    /// are settled on the way and `crossed` is set.
    #[inline]
    pub fn pop_change(&mut self, step: u64, crossed: &mut bool) -> Option<Change> {
        while self.next_change().is_some_and(|change| change <= step) {
            let sequence = self.sequences.pop_first()?;
            debug_assert!(sequence.change == step, "a change was skipped");
            if sequence.after == 0 {
                return Some(Change::Ended(self.leave(&sequence, step)));
            }
            let change = self.pass(sequence, crossed);
            if change.is_some() {
                return change;
            }
        }
        None
    }

    /// The sequence of which [`Change::Slides`] told last goes on: before it attends
    /// `slide` tokens, more than now, another place slides out.
    pub fn slid(&mut self, slide: u32) {
        let sequence = self.sliding.take().expect("a sequence that slides");
        // What else changes now is still to be told.
        self.sequences.insert(Sequence { slide, ..sequence });
    }

    /// A sequence goes on after a change.
    fn pass(&mut self, mut sequence: Sequence, crossed: &mut bool) -> Option<Change> {
        let attended = sequence.final_attended - sequence.after;
        if sequence.slide == attended {
            self.sliding = Some(sequence);
            return Some(Change::Slides(sequence.call, attended));
        }
        if sequence.short && self.window == Some(attended) {
            *crossed = true;
            self.short -= 1;
            self.short_context -= u64::from(attended);
            sequence.short = false;
        }
        let answers = sequence.after == sequence.left_to_answer;
        self.wait(sequence);
        answers.then_some(Change::Answers(sequence.call))
    }

    /// Takes out the sequence admitted last, at the start of step `step`.
    pub fn pop_last(&mut self, step: u64) -> Option<Left> {
        let sequence = self.sequences.pop_newest()?;
        Some(self.leave(&sequence, step))
    }

    /// Takes out the sequence of call `id`, if it is here, at the start of step `step`.
    pub fn remove(&mut self, id: CallId, step: u64) -> Option<Left> {
        let sequence = self.sequences.remove(|sequence| sequence.call == id)?;
        Some(self.leave(&sequence, step))
    }

    /// What is left to say of a sequence that was taken out.
    fn leave(&mut self, sequence: &Sequence, step: u64) -> Left {
        let attended = sequence.attended(step);
        self.context -= u64::from(attended);
        if sequence.short {
            self.short -= 1;
            self.short_context -= u64::from(attended);
        }
        Left {
            call: sequence.call,
            attended,
            remaining: sequence.remaining(step),
            answers: sequence.left_to_answer == 0,
            slide: sequence.slide,
        }
    }
}
