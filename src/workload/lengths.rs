//! The token lengths of a call, drawn.

use crate::random::{Component, Distribution, Streams};
use crate::workload::{Ask, item};

/// Gives each call of a use case its prompt and output tokens.
///
/// Each draw has a stream of its own, keyed by the number of the call, so that
/// the same call asks for the same whatever happened to the others.
#[derive(Clone, Debug)]
pub struct LengthSource {
    streams: Streams,
    entity: u64,
    prompt: Distribution,
    output: Distribution,
    /// Of the first turn of a session, in place of `prompt`.
    opening: Option<Distribution>,
}

impl LengthSource {
    /// Draws of these lengths; `entity` keys their streams.
    pub fn new(
        prompt: &Distribution,
        output: &Distribution,
        streams: Streams,
        entity: u64,
    ) -> Self {
        let (prompt, output) = (prompt.clone(), output.clone());
        LengthSource { streams, entity, prompt, output, opening: None }
    }

    /// The same, but for the prompts of first turns.
    pub fn opening(self, opening: Option<&Distribution>) -> Self {
        LengthSource { opening: opening.cloned(), ..self }
    }

    /// What turn `turn` of session `number` asks anew, or call `number` that has
    /// no session and is turn 0: both counts at least 1.
    #[inline]
    pub fn ask(&self, number: u64, turn: u32) -> Ask {
        let prompt = match &self.opening {
            Some(opening) if turn == 0 => opening,
            _ => &self.prompt,
        };
        Ask::plain(
            self.draw(prompt, Component::Prompt, item(number, turn)),
            self.draw(&self.output, Component::Output, item(number, turn)),
        )
    }

    #[inline]
    fn draw(&self, tokens: &Distribution, component: Component, item: u64) -> u32 {
        tokens.sample_tokens(&mut self.streams.stream(component, self.entity, item))
    }
}
