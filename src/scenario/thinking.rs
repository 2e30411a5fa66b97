//! What calls think before they answer.

use crate::random::Distribution;

/// What calls think before they answer.
#[derive(Clone, Debug)]
pub struct Thinking {
    /// Which calls think.
    pub when: Thinks,
    /// How much they think.
    pub amount: ThinkingAmount,
    /// Most thinking tokens of a call.
    pub budget: Option<u32>,
    /// Thinking joins the prompts of later turns.
    pub is_kept: bool,
}

/// Which calls think.
#[derive(Clone, Debug)]
pub enum Thinks {
    /// Each with this probability.
    Often {
        /// The probability.
        probability: f64,
    },
    /// Those that are harder than a threshold.
    Above {
        /// The threshold.
        threshold: f64,
        /// How hard calls are.
        difficulty: Distribution,
    },
}

/// How much a call thinks.
#[derive(Clone, Debug)]
pub enum ThinkingAmount {
    /// So many tokens, before those of the answer.
    Tokens(Distribution),
    /// A share of all output.
    Share(Distribution),
}

impl Thinking {
    /// Whether anything of it is drawn.
    pub fn is_random(&self) -> bool {
        let is_drawn = match &self.when {
            Thinks::Often { probability } => *probability > 0.0 && *probability < 1.0,
            Thinks::Above { difficulty, .. } => !difficulty.is_constant(),
        };
        let (ThinkingAmount::Tokens(amount) | ThinkingAmount::Share(amount)) = &self.amount;
        is_drawn || !amount.is_constant()
    }
}
