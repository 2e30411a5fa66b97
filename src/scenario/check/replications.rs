//! Checks how many replications run: a number, or when they are enough.

use super::Check;
use crate::scenario::raw::{RawPaths, RawReplications, RawScenario, RawStopping};
use crate::scenario::tree::{At, nearest};
use crate::scenario::{Regime, Scenario, Stopping};
use crate::study::figure_paths;

/// Replications of a scenario in which something is random.
const REPLICATIONS: u32 = 32;
/// Replications after which their precision is tested first: with fewer,
/// intervals of 95 % hold less (docs/statistics.md).
const FIRST_WAVE: u32 = 16;
/// A path of a figure, for messages.
const EXAMPLE: &str = "use_cases.NAME.ttft_s.p95";

impl Check<'_> {
    /// Puts the replications of `raw` into `scenario`, which is complete but for
    /// them. Without randomness one is exact.
    pub(super) fn replications(
        &mut self,
        root: &At<'_>,
        scenario: &mut Scenario,
        raw: &mut RawScenario,
    ) {
        let is_random = scenario.is_random();
        let default = RawReplications::Fixed(if is_random { REPLICATIONS } else { 1 });
        match raw.replications.get_or_insert(default) {
            RawReplications::Fixed(count) => scenario.replications = *count,
            RawReplications::UntilPrecise(raw) => {
                scenario.replications = if is_random { raw.max } else { 1 };
                scenario.stopping = Some(self.stopping(&root.key("replications"), scenario, raw));
            }
        }
    }

    /// Sections of an episode differ in kind; those of a steady state by chance.
    pub(super) fn sections(&mut self, root: &At<'_>, regime: Regime, sections: u32) {
        if sections > 1 && regime == Regime::Terminating {
            let fix = "remove it and run several replications, or set regime = \"steady\"";
            let problem = "divides an episode, whose parts are not alike";
            self.wrong(&root.key("sections"), problem, fix);
        }
    }

    fn stopping(&mut self, at: &At<'_>, scenario: &Scenario, raw: &mut RawStopping) -> Stopping {
        let min = *raw.min.get_or_insert(FIRST_WAVE.min(raw.max));
        if raw.precision.0 <= 0.0 {
            let problem = "is never reached";
            self.wrong(&at.key("precision"), problem, "write a share such as \"2 %\"");
        }
        if min > raw.max {
            let fix = format!("write {min} or more, or a smaller min");
            self.wrong(&at.key("max"), format!("is below min, which is {min}"), fix);
        }
        let of = match &raw.of {
            None => Vec::new(),
            Some(RawPaths::One(path)) => vec![path.clone()],
            Some(RawPaths::Several(paths)) => paths.clone(),
        };
        let place = at.key("of");
        if raw.of.is_some() && of.is_empty() {
            self.wrong(&place, "names no figure", format!("name one, e.g. \"{EXAMPLE}\""));
        }
        let known = figure_paths(scenario);
        for path in of.iter().filter(|path| !known.contains(path)) {
            let fix = match nearest(path, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("paths are keys of summary.json joined by dots, e.g. {EXAMPLE}"),
            };
            self.wrong(&place, format!("`{path}` is no figure of this scenario"), fix);
        }
        Stopping { precision: raw.precision.0, of, min }
    }
}
