//! Calls that nobody waits for any more.
//!
//! They leave between two steps, as in vLLM, wherever they are: what they have
//! computed stays in the cache as it does when a call ends. Only a call whose blocks
//! are on their way stays until those have arrived, since somebody else may hit them.

use super::{Outcome, Rank, Turn};
use crate::factory::call::CallId;

impl Rank {
    /// Takes out call `id`. Returns whether it was in the batch; `None`: it is not
    /// here, or has ended with the last step.
    pub fn abort(&mut self, turn: &mut Turn, id: CallId) -> Option<bool> {
        if let Some(at) = self.waiting.iter().position(|&waiting| waiting == id) {
            self.waiting.remove(at);
            turn.outcomes.push(Outcome::Aborted { call: id, was_running: false });
            return Some(false);
        }
        let was_running = self.abort_running(turn, id);
        (was_running || self.abort_set_aside(turn, id)).then_some(was_running)
    }

    /// Takes out a call that is in the batch; whether it was.
    fn abort_running(&mut self, turn: &mut Turn, id: CallId) -> bool {
        if let Some(mut partial) = self.partial.take_if(|partial| partial.call == id) {
            partial.settle(turn);
            self.release(turn, id, partial.computed, partial.published);
        } else if let Some(left) = self.running.remove(id, turn.step) {
            let published = self.stop_decoding(turn, &left);
            self.release(turn, id, left.attended - 1, published);
            let call = &mut turn.calls[id];
            call.generated = call.output - left.remaining;
        } else {
            return false;
        }
        turn.outcomes.push(Outcome::Aborted { call: id, was_running: true });
        true
    }
}
