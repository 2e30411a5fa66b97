//! Thinking: output tokens that a model produces before its answer.
//!
//! Whether a call thinks and how much are draws of their own, keyed by the call:
//! switching thinking on leaves every other draw alone, and calls that think at
//! a low probability do so at a higher one too. A budget comes after the draws.

use super::Ask;
use crate::random::{Component, Streams};
use crate::scenario;

/// Gives calls of a use case their thinking.
#[derive(Clone, Debug)]
pub struct Thinking {
    streams: Streams,
    entity: u64,
    when: scenario::Thinks,
    amount: scenario::ThinkingAmount,
    budget: u32,
    /// It is drawn, but left out.
    is_silent: bool,
}

impl Thinking {
    /// The thinking of a use case; `entity` keys its streams.
    pub fn new(spec: &scenario::Thinking, streams: Streams, entity: u64) -> Self {
        Thinking {
            streams,
            entity,
            when: spec.when.clone(),
            amount: spec.amount.clone(),
            budget: spec.budget.unwrap_or(u32::MAX),
            is_silent: false,
        }
    }

    /// Leaves out what it draws: calls then ask for their answers alone.
    pub fn silence(&mut self) {
        self.is_silent = true;
    }

    /// Adds thinking to what a call asks for, or takes it out of that, where a
    /// share of all output is drawn. At least one token of answer is left.
    pub fn think(&self, item: u64, mut ask: Ask) -> Ask {
        let mut stream = self.streams.stream(Component::Difficulty, self.entity, item);
        let thinks = match &self.when {
            scenario::Thinks::Often { probability } => stream.unit() < *probability,
            scenario::Thinks::Above { threshold, difficulty } => {
                difficulty.sample(&mut stream) > *threshold
            }
        };
        if !thinks {
            return ask;
        }
        let mut stream = self.streams.stream(Component::Thinking, self.entity, item);
        let (answer, drawn) = match &self.amount {
            scenario::ThinkingAmount::Tokens(tokens) => {
                (ask.output, tokens.sample_tokens(&mut stream))
            }
            scenario::ThinkingAmount::Share(share) => {
                let part = share.sample(&mut stream).clamp(0.0, 1.0) * f64::from(ask.output);
                // `as` truncates, so a half more rounds to the nearest.
                let drawn = ((part + 0.5) as u32).min(ask.output - 1);
                (ask.output - drawn, drawn)
            }
        };
        ask.thinking = if self.is_silent { 0 } else { drawn.min(self.budget) };
        ask.is_cut = drawn > self.budget;
        ask.output = answer.saturating_add(ask.thinking);
        ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Distribution;
    use crate::scenario::{ThinkingAmount, Thinks};

    const CALLS: u64 = 20_000;

    fn thinking(probability: f64, amount: &ThinkingAmount, budget: Option<u32>) -> Thinking {
        let when = Thinks::Often { probability };
        let spec = scenario::Thinking { when, amount: amount.clone(), budget, is_kept: false };
        Thinking::new(&spec, Streams::new(1, 0), 7)
    }

    fn asked(thinking: &Thinking) -> Vec<Ask> {
        let plain = |item| Ask::plain(100, 50 + item as u32 % 700);
        (0..CALLS).map(|item| thinking.think(item, plain(item))).collect()
    }

    fn tokens() -> ThinkingAmount {
        ThinkingAmount::Tokens(Distribution::lognormal(700.0, 1.1).unwrap())
    }

    /// The same calls think, and as much, whatever the probability and the budget.
    #[test]
    fn draws_stay_paired() {
        let all = asked(&thinking(1.0, &tokens(), None));
        let some = asked(&thinking(0.4, &tokens(), None));
        let more = asked(&thinking(0.6, &tokens(), Some(900)));
        let mut thinking_calls = [0, 0];
        for ((all, some), more) in all.iter().zip(&some).zip(&more) {
            assert!(some.thinking == 0 || *some == *all);
            if some.thinking > 0 {
                assert_eq!(more.thinking, all.thinking.min(900));
                assert_eq!(more.is_cut, all.thinking > 900);
            }
            assert_eq!(all.output - all.thinking, more.output - more.thinking);
            thinking_calls[0] += u32::from(some.thinking > 0);
            thinking_calls[1] += u32::from(more.thinking > 0);
        }
        // Within five standard errors.
        let near = |count: u32, share: f64| {
            let (n, count) = (CALLS as f64, f64::from(count));
            (count - n * share).abs() < 5.0 * (n * share * (1.0 - share)).sqrt()
        };
        assert!(near(thinking_calls[0], 0.4) && near(thinking_calls[1], 0.6));
    }

    /// A share is of all output, of which a token is left for the answer.
    #[test]
    fn a_share_divides_the_output() {
        let share = ThinkingAmount::Share(Distribution::uniform(0.0, 1.2).unwrap());
        let plain = asked(&thinking(0.0, &share, None));
        let whole = asked(&thinking(1.0, &share, None));
        let cut = asked(&thinking(1.0, &share, Some(64)));
        let mut silent = thinking(1.0, &share, Some(64));
        silent.silence();
        let silent = asked(&silent);
        let calls = plain.iter().zip(&whole).zip(&cut).zip(&silent);
        for (((plain, whole), cut), silent) in calls {
            assert_eq!((plain.thinking, plain.output), (0, whole.output));
            assert!(whole.thinking < whole.output);
            assert_eq!(cut.output - cut.thinking, whole.output - whole.thinking);
            assert_eq!(cut.thinking, whole.thinking.min(64));
            assert_eq!((silent.thinking, silent.output), (0, cut.output - cut.thinking));
        }
        assert!(whole.iter().any(|ask| ask.thinking + 1 == ask.output));
        assert!(cut.iter().any(|ask| ask.is_cut) && cut.iter().any(|ask| !ask.is_cut));
    }

    /// Calls are hard as often as their law says, and none thinks at its largest value.
    #[test]
    fn a_call_thinks_when_it_is_hard_enough() {
        for (threshold, share) in [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0)] {
            let difficulty = Distribution::uniform(0.0, 1.0).unwrap();
            let when = Thinks::Above { threshold, difficulty };
            let spec = scenario::Thinking { when, amount: tokens(), budget: None, is_kept: false };
            let asked = asked(&Thinking::new(&spec, Streams::new(1, 0), 7));
            let found = asked.iter().filter(|ask| ask.thinking > 0).count() as f64 / CALLS as f64;
            assert!((found - share).abs() < 0.016, "{threshold}: {found}");
        }
    }

    /// The quantiles and the deciles that were measured of a reasoning model.
    #[test]
    fn the_preset_has_two_modes() {
        let profile = crate::catalog::Catalog::embedded().reasoning("deepseek-r1").unwrap();
        let mut stream = Streams::new(1, 0).stream(Component::Thinking, 0, 0);
        let mut counts = [0u32; 10];
        let mut sum = 0.0;
        for _ in 0..200_000 {
            let share = profile.share.sample(&mut stream);
            counts[((share * 10.0) as usize).min(9)] += 1;
            sum += share;
        }
        assert!((sum / 200_000.0 - 0.702).abs() < 0.004, "{}", sum / 200_000.0);
        let measured = [0.000, 0.002, 0.031, 0.120, 0.097, 0.073, 0.089, 0.151, 0.194, 0.243];
        let shares = counts.map(|count| f64::from(count) / 200_000.0);
        let apart: f64 = shares.iter().zip(measured).map(|(a, b)| (a - b).abs()).sum();
        assert!(apart < 0.035, "{apart}: {shares:?}");
    }
}
