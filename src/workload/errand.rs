//! Errands: whom a session is for.

use super::JobId;
use crate::kernel::{Span, Time};

/// Whom a session is for; all of its sub-agents have the same errand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errand {
    /// When the session began.
    pub began: Time,
    /// How old it was when the run began, in which case it began at time zero.
    pub age: Span,
    /// Region of its user, as its use case numbers them.
    pub region: u16,
    /// Which of the pools of its use case serves it, but for agents that have one of
    /// their own; `None`: it is chosen call by call.
    pub site: Option<u8>,
    /// The job that it is part of.
    pub job: Option<JobId>,
}
