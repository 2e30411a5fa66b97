//! Variants of one scenario: the same file with some keys changed.
//!
//! The file is read once and every trace in it once, whatever the number of
//! variants; a variant is a copy of the tree with other values, checked like a
//! file. Cost: about 0.1 ms a variant.

use super::trace::Traces;
use super::{Check, Error, Mistake, Result, Scenario, in_order, schema};
use crate::scenario::overrides::assign;
use crate::scenario::raw::RawScenario;
use crate::scenario::shape::Findings;
use crate::scenario::sweep::{self, Sweep};
use crate::scenario::tree::{At, Node, Value};
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

    pub(super) fn tree(&self) -> &Node {
        &self.tree
    }

    /// The scenario with these keys changed, its studies left out. Mistakes
    /// point at where the values were written.
    pub fn scenario(&self, changes: &[(&str, Node)]) -> Result<Scenario> {
        let mut tree = self.tree.clone();
        if let Value::Table(table) = &mut tree.value {
            table.shift_remove("sweep");
        }
        let put = |(path, value): &(&str, Node)| assign(&mut tree, path, path, value.clone());
        let outcomes = changes.iter().map(put);
        let mistakes = outcomes.filter_map(|outcome| Some(*outcome.err()?)).collect();
        Ok(self.check(&tree, mistakes)?.0)
    }

    /// Checks `tree`, in which these mistakes were found already.
    pub(super) fn check(
        &self,
        tree: &Node,
        mistakes: Vec<Mistake>,
    ) -> Result<(Scenario, RawScenario, Option<Sweep>)> {
        let mut check = Check {
            mistakes,
            warnings: Vec::new(),
            base_dir: &self.base_dir,
            skip_bad_lines: self.skip_bad_lines,
            traces: &self.traces,
            unusable_entries: Vec::new(),
        };
        let root = At::root(tree);
        let mut findings = Findings::default();
        findings.walk(&root, schema());
        check.mistakes.append(&mut findings.mistakes);
        let outcome = check.scenario(&root);
        let replications = outcome.as_ref().map_or(1, |(scenario, _)| scenario.replications);
        let sweep = sweep::read(&root.key("sweep"), replications, &mut check.mistakes);
        match outcome {
            Some((scenario, raw)) if check.mistakes.is_empty() => Ok((scenario, raw, sweep)),
            _ => Err(Error::Invalid(in_order(check.mistakes, &self.file))),
        }
    }
}
