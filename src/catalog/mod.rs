//! Hardware, models and prices: TOML data with a source and a confidence for
//! each value, and the types they are read into.

/// A GPU: datasheet, fitted step-time coefficients, cost and power.
#[derive(Clone, Debug)]
pub struct Hardware {}

/// A model: the dimensions that its step time and memory follow from.
#[derive(Clone, Debug)]
pub struct Model {}

/// Number formats of weights and KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {}
