//! Variants of one scenario: the same file with some keys changed.
//!
//! The file is read once and every trace in it once, whatever the number of
//! variants; a variant is a copy of the tree with other values, checked like a
//! file. Cost: about 0.1 ms a variant.

use super::trace::Traces;
use super::{Check, Error, Result, Scenario, in_order};
use crate::scenario::overrides::assign;
use crate::scenario::tree::{At, Node};
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

    /// A check of one of them, still without any finding.
    pub(super) fn check(&self) -> Check<'_> {
        Check::new(&self.base_dir, self.skip_bad_lines, &self.traces)
    }

    /// The scenario with these keys changed, its studies left out. Mistakes
    /// point at where the values were written.
    pub fn scenario(&self, changes: &[(&str, Node)]) -> Result<Scenario> {
        let mut tree = self.tree.clone().without("sweep").without("arm");
        let put = |(path, value): &(&str, Node)| assign(&mut tree, path, path, value.clone());
        let outcomes = changes.iter().map(put);
        let mut check = self.check();
        check.mistakes = outcomes.filter_map(|outcome| Some(*outcome.err()?)).collect();
        match check.whole(&At::root(&tree)) {
            Some((scenario, _)) if check.mistakes.is_empty() => Ok(scenario),
            _ => Err(Error::Invalid(in_order(check.mistakes, &self.file))),
        }
    }
}
