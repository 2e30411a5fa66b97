//! A point made ready to run, by the first thread that needs it.

use super::plan::Plan;
use crate::scenario::Scenario;
use crate::study::figures::{Figure, figures};
use crate::study::runs::Runs;
use crate::study::steady::Expectations;
use crate::study::windows::Plan as Windows;
use std::sync::OnceLock;

/// A point, made ready when asked for.
#[derive(Default)]
pub(super) struct Ready(OnceLock<Prepared>);

/// What the runs of a point have in common.
pub(super) struct Prepared {
    pub scenario: Scenario,
    pub figures: Vec<Figure>,
    pub windows: Option<Windows>,
    pub expectations: Expectations,
}

impl Ready {
    /// What `point` of `plan` is.
    pub(super) fn get(&self, plan: &Plan, point: u32) -> &Prepared {
        self.0.get_or_init(|| {
            let scenario = plan.scenario(point);
            let Runs { plan, expectations, .. } = Runs::of(&scenario);
            Prepared { figures: figures(&scenario), windows: plan, expectations, scenario }
        })
    }
}
