//! Random streams and samplers, the same bits on every platform.

/// A checked distribution.
#[derive(Clone, Debug)]
pub struct Distribution {}
