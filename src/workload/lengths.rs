//! The token lengths of a call: drawn, or as recorded.

use crate::random::{Component, Distribution, Streams};
use crate::scenario::{Arrivals, Lengths, UseCase};
use crate::workload::{Ask, Trace, item};
use std::sync::Arc;

/// Gives each call of a use case its prompt and output tokens.
///
/// Each draw has a stream of its own, keyed by the number of the call, so that
/// the same call asks for the same whatever happened to the others.
#[derive(Clone, Debug)]
pub struct LengthSource {
    streams: Streams,
    entity: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Drawn { prompt: Distribution, output: Distribution },
    Recorded(Arc<Trace>),
}

impl LengthSource {
    /// The lengths of `use_case`, whose streams are keyed by its name.
    pub fn new(use_case: &UseCase, streams: Streams) -> Self {
        let kind = match (&use_case.lengths, &use_case.arrivals) {
            (Lengths::Drawn { prompt, output }, _) => {
                Kind::Drawn { prompt: prompt.clone(), output: output.clone() }
            }
            (Lengths::Recorded, Arrivals::Trace { trace, .. }) => Kind::Recorded(trace.clone()),
            (Lengths::Recorded, _) => unreachable!("recorded lengths come with a trace"),
        };
        LengthSource { streams, entity: crate::random::entity(&use_case.name), kind }
    }

    /// What turn `turn` of session `number` asks anew, or call `number` that has
    /// no session and is turn 0: both counts at least 1.
    #[inline]
    pub fn ask(&self, number: u64, turn: u32) -> Ask {
        match &self.kind {
            Kind::Drawn { prompt, output } => Ask {
                prompt: self.draw(prompt, Component::Prompt, item(number, turn)),
                output: self.draw(output, Component::Output, item(number, turn)),
                given: None,
            },
            Kind::Recorded(trace) => {
                let call = &trace.calls[number as usize];
                Ask { prompt: call.prompt, output: call.output, given: None }
            }
        }
    }

    #[inline]
    fn draw(&self, tokens: &Distribution, component: Component, item: u64) -> u32 {
        tokens.sample_tokens(&mut self.streams.stream(component, self.entity, item))
    }
}
