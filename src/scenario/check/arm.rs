//! Checks arms: each is the scenario with some keys changed, and has to be a
//! valid scenario of its own.
//!
//! What is wrong with the scenario as it stands is not said again of its arms.

use super::{BASELINE, Check};
use crate::error::Mistake;
use crate::scenario::overrides::assign;
use crate::scenario::raw::RawArm;
use crate::scenario::tree::{At, Node, Origin};
use crate::scenario::{Arm, Scenario};
use indexmap::IndexMap;

/// Most arms of a scenario.
const ARMS_MAX: usize = 64;

/// Keys that say how the arms are measured, not what they are; differences are
/// paired only where all arms share them.
const SHARED: [&str; 11] = [
    "arm",
    "duration",
    "name",
    "regime",
    "replications",
    "schema",
    "sections",
    "seed",
    "sessions_at_start",
    "start",
    "warm_up",
];

/// What an arm may look like, for messages.
const EXAMPLE: &str = "write e.g. set = { \"pool.NAME.replicas\" = 4 }";

impl Check<'_> {
    /// The arms of the scenario `tree`, as written and as scenarios.
    pub(super) fn arms(&mut self, tree: &Node, baseline: Option<&Scenario>) -> Vec<(RawArm, Arm)> {
        let root = At::root(tree);
        let said = self.mistakes.clone();
        self.at_most(&root.key("arm"), ARMS_MAX);
        let entries = self.entries::<RawArm>(&root, "arm").into_iter().take(ARMS_MAX);
        let base = tree.clone().without("arm");
        let mut arms = Vec::new();
        for (at, raw) in entries {
            let Some(raw) = raw else { continue };
            self.arm_name(&at.key("name"), &raw.name);
            let Some(set) = at.key("set").node.and_then(Node::table) else { continue };
            if let Some(scenario) = self.arm(&at, set, base.clone(), &said) {
                self.same_regime(&at, &scenario, baseline);
                let changes = set.iter().map(|(path, value)| change(path, value)).collect();
                arms.push((raw.clone(), Arm { name: raw.name, changes, scenario }));
            }
        }
        arms
    }

    fn arm_name(&mut self, at: &At<'_>, name: &str) {
        self.name(at, name);
        if name == BASELINE {
            let problem = "is what the scenario as it stands is called";
            self.wrong(at, problem, "choose another name");
        }
    }

    /// The scenario with the changes `set`; mistakes in `said` are not repeated.
    fn arm(
        &mut self,
        at: &At<'_>,
        set: &IndexMap<String, Node>,
        mut tree: Node,
        said: &[Mistake],
    ) -> Option<Scenario> {
        let place = at.key("set");
        if set.is_empty() {
            self.wrong(&place, "is empty, so the arm equals the baseline", EXAMPLE);
        }
        let before = self.mistakes.len();
        for (path, value) in set {
            if let Err((problem, fix)) = change_key(&mut tree, path, value) {
                let key = format!("{}: {path}", at.path);
                self.mistakes.push(Mistake { key, ..place.key(path).mistake(problem, fix) });
            }
        }
        let mut check = Check::new(self.base_dir, self.skip_bad_lines, self.traces);
        let outcome = check.whole(&At::root(&tree));
        let fresh = check.mistakes.iter().filter(|mistake| !said.contains(mistake));
        self.mistakes.extend(fresh.map(|mistake| of_arm(mistake, at, set)));
        outcome.filter(|_| self.mistakes.len() == before).map(|(scenario, _)| scenario)
    }

    /// A sustained state cannot be compared with an episode.
    fn same_regime(&mut self, at: &At<'_>, arm: &Scenario, baseline: Option<&Scenario>) {
        if baseline.is_some_and(|baseline| baseline.regime != arm.regime) {
            let problem =
                "makes the arm terminating and leaves the baseline steady, or the reverse";
            let fix = "state the regime at the top of the scenario";
            self.wrong(&at.key("set"), problem, fix);
        }
    }
}

/// Changes one key; otherwise what is wrong with the path, and what would be right.
fn change_key(tree: &mut Node, path: &str, value: &Node) -> Result<(), (String, String)> {
    let wrong = |problem: &str, fix: &str| Err((problem.to_owned(), fix.to_owned()));
    let first = path.split('.').next().unwrap_or_default();
    if path.split('.').any(|part| part.trim().is_empty()) {
        return wrong("has an empty part", EXAMPLE);
    }
    if SHARED.contains(&first) {
        return wrong("is the same in all arms", "change it at the top of the scenario instead");
    }
    if tree.get(path).is_some_and(Node::is_list) && value.table().is_some() {
        let fix = "put the whole path in quotes, as in \"pool.NAME.replicas\"";
        return wrong("is only the beginning of a path", fix);
    }
    assign(tree, path, path, value.clone()).map_err(|mistake| (mistake.problem, mistake.fix))
}

/// A mistake in the changed scenario as one of the arm at `at`: at the change
/// itself, or at the first one where a change shows elsewhere.
fn of_arm(mistake: &Mistake, at: &At<'_>, set: &IndexMap<String, Node>) -> Mistake {
    let origins = || set.values().map(|node| &node.origin);
    let key = format!("{}: {}", at.path, mistake.key);
    let mut mistake = Mistake { key, ..mistake.clone() };
    let first = origins().next();
    let last_line = origins().filter_map(|origin| origin.line).max();
    let is_elsewhere = |first: &&Origin| {
        first.file == mistake.file && !(first.line..=last_line).contains(&mistake.line)
    };
    if let Some(first) = first.filter(is_elsewhere) {
        mistake.line = first.line;
    }
    mistake
}

/// "pool.assistant.replicas = 4"
fn change(path: &str, value: &Node) -> String {
    match &value.origin.written {
        Some(written) => format!("{path} = {written}"),
        None => format!("{path} = {}", value.to_toml()),
    }
}
