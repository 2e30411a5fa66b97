//! One model call in flight.

use crate::kernel::{Id, Time};

/// Names a call while it is in the system.
pub type CallId = Id<Call>;

/// A model call: what it asks for and how far it has come.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When it arrived.
    pub arrived: Time,
    /// When a step first took it in; `Time::MAX` before.
    pub scheduled: Time,
    /// When its first token was sampled; `Time::MAX` before.
    pub first_token: Time,
    /// When its latest token was sampled; kept up only across preemptions.
    pub last_token: Time,
    /// Serial number within its source.
    pub number: u64,
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens it will produce.
    pub output: u32,
    /// Output tokens produced; kept up only while it is not decoding.
    pub generated: u32,
    /// Client that waits for it, for closed loops.
    pub client: u32,
    /// Replica within its pool.
    pub replica: u32,
    /// Its use case.
    pub use_case: u16,
    /// How often it was preempted.
    pub preemptions: u16,
}

impl Call {
    /// A call that has just arrived.
    pub fn new(use_case: u16, number: u64, arrived: Time, prompt: u32, output: u32) -> Self {
        debug_assert!(prompt > 0 && output > 0);
        Call {
            arrived,
            scheduled: Time::MAX,
            first_token: Time::MAX,
            last_token: Time::MAX,
            number,
            prompt,
            output,
            generated: 0,
            client: 0,
            replica: 0,
            use_case,
            preemptions: 0,
        }
    }

    /// Tokens whose KV must be computed before the next output token: the
    /// prompt, and after a preemption what was generated so far.
    pub fn known_tokens(&self) -> u32 {
        self.prompt + self.generated
    }
}
