//! Checks what calls think before they answer.

use super::Check;
use crate::random::Distribution;
use crate::scenario::raw::{RawShare, RawThinking};
use crate::scenario::tree::At;
use crate::scenario::{Thinking, ThinkingAmount, Thinks};

impl Check<'_> {
    pub(super) fn thinking(&mut self, at: &At<'_>, raw: &RawThinking) -> Option<Thinking> {
        let when = self.thinks(at, raw);
        let amount = self.thinking_amount(at, raw);
        Some(Thinking { when: when?, amount: amount?, budget: raw.budget, is_kept: raw.kept })
    }

    fn thinks(&mut self, at: &At<'_>, raw: &RawThinking) -> Option<Thinks> {
        match (&raw.probability, raw.threshold, &raw.difficulty) {
            (Some(_), Some(_), _) => {
                let problem = "is given beside a probability";
                self.wrong(&at.key("threshold"), problem, "keep one of them");
                None
            }
            (_, None, Some(_)) => {
                let problem = "has no threshold that calls are held to";
                self.wrong(&at.key("difficulty"), problem, "add e.g. threshold = 0.7");
                None
            }
            (probability, None, None) => Some(Thinks::Often {
                probability: probability.as_ref().map_or(1.0, |probability| probability.0),
            }),
            (None, Some(threshold), difficulty) => {
                let difficulty = match difficulty {
                    Some(difficulty) => self.distribution(&at.key("difficulty"), difficulty)?,
                    None => Distribution::uniform(0.0, 1.0).expect("a law"),
                };
                Some(Thinks::Above { threshold, difficulty })
            }
        }
    }

    fn thinking_amount(&mut self, at: &At<'_>, raw: &RawThinking) -> Option<ThinkingAmount> {
        match (&raw.tokens, &raw.share) {
            (Some(tokens), None) => {
                self.tokens(&at.key("tokens"), tokens).map(ThinkingAmount::Tokens)
            }
            (None, Some(RawShare::Named(name))) => match self.catalog.reasoning(name) {
                Ok(reasoning) => Some(ThinkingAmount::Share(reasoning.share.clone())),
                Err(unknown) => self.known(&at.key("share"), Err(unknown)),
            },
            (None, Some(RawShare::Own(share))) => {
                let place = at.key("share");
                let share = self.distribution(&place, share)?;
                if share.mean().is_some_and(|mean| !(0.0..=1.0).contains(&mean)) {
                    let problem = "is no share of the output in the mean";
                    self.wrong(&place, problem, "write shares from 0 to 1, or `tokens`");
                    return None;
                }
                Some(ThinkingAmount::Share(share))
            }
            (Some(_), Some(_)) => {
                self.wrong(&at.key("share"), "is given beside tokens", "keep one of them");
                None
            }
            (None, None) => {
                let fix = "add e.g. { distribution = \"lognormal\", median = 700, sigma = 1.1 }, or \
                    share = \"deepseek-r1\"";
                self.missing(&at.key("tokens"), "is missing, and so is `share`", fix);
                None
            }
        }
    }
}

impl Thinking {
    /// Mean tokens that it adds to the `output_tokens` of a call at most, before any
    /// budget; `None`: it is not known.
    pub(super) fn mean_beside(&self) -> Option<f64> {
        let probability = match &self.when {
            Thinks::Often { probability } => *probability,
            Thinks::Above { .. } => return None,
        };
        match &self.amount {
            ThinkingAmount::Tokens(tokens) => {
                let budget = self.budget.map_or(f64::INFINITY, f64::from);
                Some(probability * tokens.mean_up_to(budget)?)
            }
            // It is a part of them; a budget makes it less.
            ThinkingAmount::Share(_) => self.budget.is_none().then_some(0.0),
        }
    }
}
