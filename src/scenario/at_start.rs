//! Who is under way when a run begins.

use crate::kernel::Span;
use crate::workload::agent::Pace;
use std::sync::Arc;

/// Sessions and clients at time zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AtStart {
    /// None: sessions begin as they arrive, and all clients ask at once.
    #[default]
    Nobody,
    /// As many as a steady state has, each as far as it would be.
    Stationary {
        /// How each pool serves under the load that it is offered.
        pools: Arc<[PoolPace]>,
    },
}

/// How a pool is expected to serve; estimated before anything runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolPace {
    /// Seconds that a call takes.
    pub call: Pace,
    /// How long its cache keeps what nobody asks for.
    pub keeps: Span,
}

impl AtStart {
    /// Names of the choices, as users write them.
    pub fn name(&self) -> &'static str {
        match self {
            AtStart::Nobody => "none",
            AtStart::Stationary { .. } => "stationary",
        }
    }

    /// The pace of each pool, if anybody is under way.
    pub fn paces(&self) -> Option<&[PoolPace]> {
        match self {
            AtStart::Nobody => None,
            AtStart::Stationary { pools } => Some(pools),
        }
    }
}
