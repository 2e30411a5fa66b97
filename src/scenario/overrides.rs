//! Changes to a scenario from the command line: `--set key.path=value`.
//!
//! Entries of lists are addressed by name ("pool.assistant.replicas"), the
//! longest name first, so that names may hold dots. Whether the key exists is
//! not decided here: the changed tree is checked like a file, and its mistakes
//! say "--set".

use super::tree::{Node, Origin, Value, suggest};
use crate::error::Mistake;
use indexmap::IndexMap;

/// What the command line changes.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Assignments, `key.path=value`, in order.
    pub set: Vec<String>,
    /// Root seed.
    pub seed: Option<u64>,
    /// Replications.
    pub replications: Option<u32>,
    /// Replications until figures are as precise as this, e.g. "2 %".
    pub precision: Option<String>,
    /// Simulate the whole horizon, whatever `[windows]` says.
    pub full_horizon: bool,
    /// Leave broken trace lines out and count them.
    pub skip_bad_lines: bool,
}

impl Overrides {
    /// Changes `tree`; what cannot be applied is returned.
    pub(super) fn apply(&self, tree: &mut Node) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if let Some(share) = &self.precision {
            let outcome = until_precise(tree, share);
            mistakes.extend(outcome.err().map(|mistake| *mistake));
        }
        for assignment in &self.set {
            let outcome = match assignment.split_once('=') {
                Some((path, value)) => set(tree, path.trim(), value.trim(), "--set"),
                None => {
                    let origin = Origin { file: "--set".to_owned(), line: None, written: None };
                    Err(mistake(&origin, assignment, "has no value", "write --set key.path=value"))
                }
            };
            mistakes.extend(outcome.err().map(|mistake| *mistake));
        }
        let seed = self.seed.map(|seed| ("seed", "--seed", seed.to_string()));
        let replications =
            self.replications.map(|n| ("replications", "--replications", n.to_string()));
        for (key, option, value) in seed.into_iter().chain(replications) {
            let outcome = set(tree, key, &value, option);
            mistakes.extend(outcome.err().map(|mistake| *mistake));
        }
        if let (true, Value::Table(table)) = (self.full_horizon, &mut tree.value) {
            table.shift_remove("windows");
        }
        mistakes
    }
}

/// Lets replications go on until figures are as precise as `share`; what else a
/// table of `replications` says stays.
fn until_precise(tree: &mut Node, share: &str) -> Result<(), Box<Mistake>> {
    const OPTION: &str = "--precision";
    if tree.get("replications").and_then(Node::table).is_none() {
        assign(tree, "replications", "replications", Node::empty_table(OPTION))?;
    }
    set(tree, "replications.precision", share, OPTION)
}

/// Puts the value that `text` is at `path`; `option` names where it was given.
fn set(tree: &mut Node, path: &str, text: &str, option: &str) -> Result<(), Box<Mistake>> {
    let value = Node::parse_value(text, option)
        .map_err(|mistake| Box::new(Mistake { line: None, key: path.to_owned(), ..*mistake }))?;
    assign(tree, path, path, value)
}

/// Splits the first key off a path. Like in TOML, a key in quotes may hold dots.
fn split_key(path: &str) -> (&str, Option<&str>) {
    let quoted = path.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    if let Some((key, rest)) = quoted {
        match rest.trim_start().strip_prefix('.') {
            Some(rest) => return (key, Some(rest)),
            None if rest.trim().is_empty() => return (key, None),
            None => {}
        }
    }
    match path.split_once('.') {
        Some((key, rest)) => (key.trim(), Some(rest)),
        None => (path, None),
    }
}

/// Puts `value` where `rest`, the end of `path`, leads from `node`. Mistakes
/// point at where the value was written.
pub(super) fn assign(
    node: &mut Node,
    path: &str,
    rest: &str,
    value: Node,
) -> Result<(), Box<Mistake>> {
    match &mut node.value {
        Value::Table(table) => {
            let (key, rest) = split_key(rest);
            if key.is_empty() {
                return Err(mistake(
                    &value.origin,
                    path,
                    "has an empty part",
                    "write --set key.path=value",
                ));
            }
            match rest {
                None => {
                    table.insert(key.to_owned(), value);
                    Ok(())
                }
                Some(rest) => {
                    let origin = Origin { written: None, ..value.origin.clone() };
                    let empty = || Node { value: Value::Table(IndexMap::new()), origin };
                    let child = table.entry(key.to_owned()).or_insert_with(empty);
                    assign(child, path, rest, value)
                }
            }
        }
        Value::List(items) => {
            let names: Vec<String> =
                items.iter().map(|item| item.name().unwrap_or_default().to_owned()).collect();
            let addressed = |name: &str| {
                rest.strip_prefix(name).is_some_and(|tail| tail.is_empty() || tail.starts_with('.'))
            };
            let longest = names
                .iter()
                .enumerate()
                .filter(|(_, name)| !name.is_empty() && addressed(name))
                .max_by_key(|(_, name)| name.len());
            let Some((index, name)) = longest else {
                let wanted = rest.split('.').next().unwrap_or_default();
                let fix = suggest(wanted, names.iter().map(String::as_str));
                let problem = format!("there is no entry named `{wanted}`");
                return Err(mistake(&value.origin, path, &problem, &fix));
            };
            match rest[name.len()..].strip_prefix('.') {
                Some(rest) => assign(&mut items[index], path, rest, value),
                None => Err(mistake(
                    &value.origin,
                    path,
                    "names a whole entry",
                    "add the key of it that should change",
                )),
            }
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
            let problem = "leads into a value that has no parts";
            Err(mistake(&value.origin, path, problem, "shorten the path"))
        }
    }
}

fn mistake(origin: &Origin, path: &str, problem: &str, fix: &str) -> Box<Mistake> {
    Box::new(Mistake {
        file: origin.file.clone(),
        line: origin.line,
        key: path.to_owned(),
        value: None,
        problem: problem.to_owned(),
        fix: fix.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(assignment: &str) -> Result<toml::Value, String> {
        let text = "seed = 1\n[[pool]]\nname = \"a\"\n[[pool]]\nname = \"a.b\"\nreplicas = 1\n";
        let mut tree = Node::parse(text, "s.toml").unwrap();
        let set = vec![assignment.to_owned()];
        match (Overrides { set, ..Overrides::default() }).apply(&mut tree).first() {
            Some(mistake) => Err(mistake.to_string()),
            None => Ok(tree.to_toml()),
        }
    }

    #[test]
    fn entries_are_addressed_by_name() {
        assert_eq!(apply("seed=7").unwrap()["seed"].as_integer(), Some(7));
        let changed = apply("pool.a.b.replicas = 4").unwrap();
        assert_eq!(changed["pool"][1]["replicas"].as_integer(), Some(4));
        assert!(changed["pool"][0].get("b").is_none());
        let added = apply("pool.a.engine.step_overhead=1 ms").unwrap();
        assert_eq!(added["pool"][0]["engine"]["step_overhead"].as_str(), Some("1 ms"));
        let quoted = apply("pool.a.slo.\"ttft_p99.9\" = 1 s").unwrap();
        assert_eq!(quoted["pool"][0]["slo"]["ttft_p99.9"].as_str(), Some("1 s"));
    }

    #[test]
    fn paths_that_lead_nowhere() {
        insta::assert_snapshot!(
            [apply("seed"), apply("pool.c.replicas=4"), apply("pool.a=4"), apply("seed.x=4"),
             apply(".x=4")].map(Result::unwrap_err).join("\n"),
            @r"
        --set: seed: has no value; write --set key.path=value
        --set: pool.c.replicas: there is no entry named `c`; known are a, a.b
        --set: pool.a: names a whole entry; add the key of it that should change
        --set: seed.x: leads into a value that has no parts; shorten the path
        --set: .x: has an empty part; write --set key.path=value
        ");
    }
}
