//! Whether a run measures a steady state: how long sessions take to be all
//! there, what each pool is offered, and what a run is held to.
//!
//! A run begins with an empty factory. Calls by themselves come at their full
//! rate at once; those of sessions, agents and recordings come for as long as
//! these last, and clients who all ask at time zero part only with time. How
//! long that takes follows from the scenario, so it is known before anything
//! runs ([`Settling`]); what a run measured is then held to what it was offered
//! ([`Expectations`]).

mod call_ages;
mod expectations;
mod pace;
mod settling;
mod sustained;

pub use expectations::Expectations;
pub use settling::Settling;
pub use sustained::sustained;

#[cfg(test)]
use call_ages::CallAges;

#[cfg(test)]
mod tests;
