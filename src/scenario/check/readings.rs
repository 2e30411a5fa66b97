//! What readers of recordings have in common: each file is read once, and what is odd
//! about it is told.

use super::Check;
use crate::error::Mistake;
use crate::scenario::tree::At;
use crate::workload::Contradiction;
use std::io;
use std::sync::Mutex;

/// Files that were read already, by everything that tells two readings apart;
/// variants of a scenario share them.
#[derive(Debug)]
pub(super) struct Readings<R, F>(Mutex<Vec<(R, F)>>);

impl<R, F> Default for Readings<R, F> {
    fn default() -> Self {
        Readings(Mutex::default())
    }
}

impl<R: Clone + PartialEq, F: Clone> Readings<R, F> {
    /// What this reading found, read by `read` if it is new.
    pub fn get<E>(&self, reading: &R, read: impl FnOnce() -> Result<F, E>) -> Result<F, E> {
        // Held while reading, so that two variants do not read at once.
        let mut known = self.0.lock().expect("no reader panics");
        if let Some((_, found)) = known.iter().find(|(other, _)| other == reading) {
            return Ok(found.clone());
        }
        let found = read()?;
        known.push((reading.clone(), found.clone()));
        Ok(found)
    }
}

/// What is wrong where the file named at `place` cannot be read.
pub(super) fn unreadable(place: &At<'_>) -> impl Fn(io::Error) -> Vec<Mistake> {
    move |error| {
        let fix = "give a path relative to the folder of the scenario file";
        vec![place.mistake(format!("cannot be read: {error}"), fix)]
    }
}

impl Check<'_> {
    /// Tells where prefix ids of the recording at `path` contradict each other first.
    pub(super) fn tell_contradiction(&mut self, path: &str, first: Option<Contradiction>) {
        if let Some(first) = first {
            self.warnings.push(format!(
                "{path}:{}: id {} follows another id than before, so ids name blocks alone: each \
                 is taken for another block behind each other prefix",
                first.line, first.id
            ));
        }
    }

    /// Tells how many of its calls something is true of.
    pub(super) fn tell_count(&mut self, path: &str, calls: u64, what: &str) {
        if calls > 0 {
            self.warnings.push(format!("{path}: {calls} {what}"));
        }
    }
}
