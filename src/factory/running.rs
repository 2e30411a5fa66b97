//! The decoding sequences of one rank, in order of admission.
//!
//! Three questions are answered without looking at every sequence: who changes
//! next (a heap keyed by step number), who was admitted last (a linked list),
//! and how much context they attend together (running sums). A sequence
//! changes when it ends, or when its context outgrows the attention window of
//! windowed layers and stops adding to their work.

use super::call::CallId;
use crate::kernel::SlotHeap;

const NONE: u32 = u32::MAX;

/// A decoding sequence.
#[derive(Clone, Copy, Debug)]
pub struct Sequence {
    call: CallId,
    /// Rank in the order of admission; breaks ties between changes.
    order: u64,
    /// The step before which it leaves: its last step is `until - 1`.
    until: u64,
    /// Tokens it would attend in step `until`; one fewer in each step before.
    final_attended: u32,
    /// Its context is shorter than the attention window.
    short: bool,
    previous: u32,
    next: u32,
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
        (self.until - step) as u32
    }

    /// Its call.
    pub fn call(&self) -> CallId {
        self.call
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
}

/// The decoding sequences of a rank.
#[derive(Clone, Debug)]
pub struct Running {
    sequences: Vec<Sequence>,
    free: Vec<u32>,
    last: u32,
    admitted: u64,
    /// Next change of each sequence, keyed by step number.
    changes: SlotHeap,
    window: Option<u32>,
    /// Tokens attended in the current step, all sequences.
    context: u64,
    /// Sequences whose context is shorter than the window, and their context.
    short: u64,
    short_context: u64,
}

impl Running {
    /// Room for `capacity` sequences on a model with this attention window.
    pub fn new(capacity: u32, window: Option<u32>) -> Self {
        Running {
            sequences: Vec::with_capacity(capacity as usize),
            free: Vec::with_capacity(capacity as usize),
            last: NONE,
            admitted: 0,
            changes: SlotHeap::new(capacity),
            window,
            context: 0,
            short: 0,
            short_context: 0,
        }
    }

    /// Number of sequences.
    #[inline]
    pub fn len(&self) -> u32 {
        (self.sequences.len() - self.free.len()) as u32
    }

    /// The sequences with their slots, from the last admitted to the first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Sequence)> {
        let mut slot = self.last;
        std::iter::from_fn(move || {
            (slot != NONE).then(|| {
                let sequence = &self.sequences[slot as usize];
                (std::mem::replace(&mut slot, sequence.previous), sequence)
            })
        })
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
    pub fn next_change(&mut self) -> Option<u64> {
        self.changes.peek().map(|(step, _)| step)
    }

    /// Adds a sequence that attends `attended` tokens in step `step`, its first,
    /// and decodes for `steps` steps.
    pub fn admit(&mut self, call: CallId, step: u64, attended: u32, steps: u32) {
        let until = step + u64::from(steps);
        let crossing = self.window.filter(|&window| attended < window);
        let sequence = Sequence {
            call,
            order: self.admitted,
            until,
            final_attended: attended + steps,
            short: crossing.is_some(),
            previous: self.last,
            next: NONE,
        };
        self.admitted += 1;
        let slot = self.place(sequence);
        self.context += u64::from(attended);
        let mut change = until;
        if let Some(window) = crossing {
            self.short += 1;
            self.short_context += u64::from(attended);
            change = until.min(step + u64::from(window - attended));
        }
        self.changes.insert(slot, change, sequence.order);
    }

    /// Moves on by `steps` steps in which nothing changed.
    #[inline]
    pub fn advance(&mut self, steps: u64) {
        self.context += u64::from(self.len()) * steps;
        self.short_context += self.short * steps;
    }

    /// Takes out the next sequence that has ended when step `step` starts, in
    /// order of admission. Sequences that outgrow the window are settled on
    /// the way and `crossed` is set.
    #[inline]
    pub fn pop_ended(&mut self, step: u64, crossed: &mut bool) -> Option<Left> {
        while let Some((change, slot)) = self.changes.peek() {
            debug_assert!(change >= step, "a change was skipped");
            if change > step {
                return None;
            }
            let sequence = &mut self.sequences[slot as usize];
            if sequence.until == step {
                return Some(self.remove(slot, step));
            }
            *crossed = true;
            sequence.short = false;
            self.short -= 1;
            self.short_context -= u64::from(sequence.attended(step));
            self.changes.insert(slot, sequence.until, sequence.order);
        }
        None
    }

    /// Takes out the sequence admitted last, at the start of step `step`.
    pub fn pop_last(&mut self, step: u64) -> Option<Left> {
        (self.last != NONE).then(|| self.remove(self.last, step))
    }

    fn place(&mut self, sequence: Sequence) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.sequences[slot as usize] = sequence;
                slot
            }
            None => {
                self.sequences.push(sequence);
                (self.sequences.len() - 1) as u32
            }
        };
        if self.last != NONE {
            self.sequences[self.last as usize].next = slot;
        }
        self.last = slot;
        slot
    }

    fn remove(&mut self, slot: u32, step: u64) -> Left {
        let sequence = self.sequences[slot as usize];
        let attended = sequence.attended(step);
        self.changes.remove(slot);
        match sequence.next {
            NONE => self.last = sequence.previous,
            next => self.sequences[next as usize].previous = sequence.previous,
        }
        if sequence.previous != NONE {
            self.sequences[sequence.previous as usize].next = sequence.next;
        }
        self.free.push(slot);
        self.context -= u64::from(attended);
        if sequence.short {
            self.short -= 1;
            self.short_context -= u64::from(attended);
        }
        Left { call: sequence.call, attended, remaining: sequence.remaining(step) }
    }
}
