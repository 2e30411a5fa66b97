//! Variants of one scenario: the same file with some keys changed.
//!
//! The file is read once and every trace in it once, whatever the number of
//! variants; a variant is a copy of the tree with other values, checked like a
//! file. Cost: about 0.1 ms a variant.

use super::trace::Traces;
use super::{Check, Error, Loaded, Mistake, RawScenario, Result, Scenario, in_order, loaded};
use crate::scenario::overrides::assign;
use crate::scenario::tree::{At, Node, Value};
use crate::scenario::{seek, sweep};
use std::path::{Path, PathBuf};

/// A scenario file, ready to be changed and checked again.
#[derive(Debug)]
pub struct Variants {
    tree: Node,
    file: String,
    base_dir: PathBuf,
    skip_bad_lines: bool,
    traces: Traces,
}

impl Variants {
    pub(super) fn new(tree: Node, file: &str, base_dir: &Path, skip_bad_lines: bool) -> Self {
        let (file, base_dir) = (file.to_owned(), base_dir.to_owned());
        Variants { tree, file, base_dir, skip_bad_lines, traces: Traces::default() }
    }

    /// The scenario with these keys changed, its studies left out. Mistakes
    /// point at where the values were written.
    pub fn scenario(&self, changes: &[(&str, Node)]) -> Result<Scenario> {
        self.varied(changes, |check, root| check.whole(root))
    }

    /// As [`Variants::scenario`], for changes that it has accepted before: their
    /// form is not looked at again.
    pub fn scenario_again(&self, changes: &[(&str, Node)]) -> Result<Scenario> {
        self.varied(changes, |check, root| check.well_formed(root))
    }

    fn varied(
        &self,
        changes: &[(&str, Node)],
        look: impl FnOnce(&mut Check<'_>, &At<'_>) -> Option<(Scenario, RawScenario)>,
    ) -> Result<Scenario> {
        let mut tree = self.tree.clone();
        if let Value::Table(table) = &mut tree.value {
            table.shift_remove("sweep");
            table.shift_remove("arm");
            table.shift_remove("seek");
        }
        let put = |(path, value): &(&str, Node)| assign(&mut tree, path, path, value.clone());
        let outcomes = changes.iter().map(put);
        let mistakes = outcomes.filter_map(|outcome| Some(*outcome.err()?)).collect();
        let mut check = self.check(mistakes);
        let outcome = look(&mut check, &At::root(&tree));
        Ok(self.settle(outcome, check)?.0)
    }

    /// A mistake at the top-level key `key`.
    pub fn mistake(&self, key: &str, problem: &str, fix: &str) -> Mistake {
        At::root(&self.tree).key(key).mistake(problem, fix)
    }

    /// Checks the file as it stands, with its studies.
    pub(super) fn whole(&self, mistakes: Vec<Mistake>) -> Result<Loaded> {
        let mut check = self.check(mistakes);
        let root = At::root(&self.tree);
        let outcome = check.whole(&root);
        // A sweep has its own word on replications without a number.
        let replications = match &outcome {
            Some((scenario, _)) if scenario.stopping.is_none() => scenario.replications,
            _ => 1,
        };
        let sweep = sweep::read(&root.key("sweep"), replications, &mut check.mistakes);
        let seek = seek::read(&root.key("seek"), &mut check.mistakes);
        let arms = check.arms(&self.tree, outcome.as_ref().map(|(scenario, _)| scenario));
        let (scenario, raw) = self.settle(outcome, check)?;
        Ok(loaded(scenario, raw, arms, sweep, seek))
    }

    fn check(&self, mistakes: Vec<Mistake>) -> Check<'_> {
        Check { mistakes, ..Check::new(&self.base_dir, self.skip_bad_lines, &self.traces) }
    }

    fn settle<T>(&self, outcome: Option<T>, check: Check<'_>) -> Result<T> {
        match outcome {
            Some(found) if check.mistakes.is_empty() => Ok(found),
            _ => Err(Error::Invalid(in_order(check.mistakes, &self.file))),
        }
    }
}
