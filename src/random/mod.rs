//! Random streams and samplers, the same bits on every platform.
//!
//! [`Streams`] turns a key (root seed, replication, component, entity, item)
//! into a generator of its own, so that no draw depends on the order of events
//! and what-if arms share their random numbers. [`Distribution`] is a checked
//! law to draw from. Every transcendental goes through `libm`: the platform's
//! own differs in the last bit from one system to the next.

mod beta;
mod discrete;
mod distribution;
mod gamma;
mod limited;
mod normal;
mod streams;
mod zipf;

pub use distribution::Distribution;
pub use normal::normal_quantile;
pub(crate) use streams::mix;
pub use streams::{Component, Stream, Streams, entity};
