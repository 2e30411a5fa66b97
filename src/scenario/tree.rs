//! The scenario file as a tree in which every value remembers where it came
//! from, and cursors that name a place in it the way a user would.
//!
//! Checks walk cursors, so that every mistake can say line, key and value
//! without any check carrying them along. Entries of a list are addressed by
//! their `name`: "pool.assistant.replicas".

use crate::error::Mistake;
use indexmap::IndexMap;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
}

/// A TOML value; dates are kept as strings.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(IndexMap<String, Node>),
}

/// Where a value was written.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The file, or "--set".
    pub file: String,
    /// Line, counted from 1.
    pub line: Option<usize>,
    /// The value as written; `None` for tables and lists.
    pub written: Option<String>,
}

/// Longest value that a message repeats, in characters.
const WRITTEN_MAX: usize = 60;
/// Longest path of a key that a message repeats, and longest name within it.
const KEY_MAX: usize = 300;
const NAME_MAX: usize = 100;

impl Node {
    /// Parses a whole file.
    pub fn parse(text: &str, file: &str) -> Result<Node, Box<Mistake>> {
        let table = DeTable::parse(text).map_err(|e| syntax_mistake(&e, text, file))?;
        let source = Source { text, file, lines: line_starts(text) };
        let span = table.span();
        source.table(table.get_ref(), span)
    }

    /// Parses one value, as given to `--set`; what is not TOML is a string.
    pub fn parse_value(text: &str, file: &str) -> Result<Node, Box<Mistake>> {
        let source = Source { text, file, lines: vec![0] };
        let mut node = match DeValue::parse(text.trim()) {
            Ok(value) => source.node(value.get_ref(), value.span())?,
            Err(_) => Node {
                value: Value::String(text.to_owned()),
                origin: Origin { file: file.to_owned(), line: None, written: None },
            },
        };
        node.unplace(text);
        Ok(node)
    }

    /// An empty table that no file holds.
    pub fn empty_table(file: &str) -> Node {
        let origin = Origin { file: file.to_owned(), line: None, written: None };
        Node { value: Value::Table(IndexMap::new()), origin }
    }

    /// Takes away the line, and lets every part be quoted as the whole.
    fn unplace(&mut self, written: &str) {
        self.origin.line = None;
        self.origin.written = Some(shorten(written, WRITTEN_MAX));
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.unplace(written)),
            Value::Table(table) => table.values_mut().for_each(|item| item.unplace(written)),
            Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {}
        }
    }

    /// The table, if it is one.
    pub fn table(&self) -> Option<&IndexMap<String, Node>> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The list's items; none if it is not a list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// The member of a table called `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.table()?.get(key)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// What entries of lists are addressed by: their name, or that of the tier
    /// they are.
    pub fn name(&self) -> Option<&str> {
        self.get("name").or_else(|| self.get("tier"))?.as_str()
    }

    /// What it is, for messages.
    pub fn type_name(&self) -> &'static str {
        match self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The same table without the member called `key`.
    pub fn without(mut self, key: &str) -> Node {
        if let Value::Table(table) = &mut self.value {
            table.shift_remove(key);
        }
        self
    }

    /// Without its origins, for serde.
    pub fn to_toml(&self) -> toml::Value {
        match &self.value {
            Value::String(text) => toml::Value::String(text.clone()),
            Value::Integer(number) => toml::Value::Integer(*number),
            Value::Float(number) => toml::Value::Float(*number),
            Value::Boolean(truth) => toml::Value::Boolean(*truth),
            Value::List(items) => toml::Value::Array(items.iter().map(Node::to_toml).collect()),
            Value::Table(table) => toml::Value::Table(
                table.iter().map(|(key, node)| (key.clone(), node.to_toml())).collect(),
            ),
        }
    }
}

/// A place in the tree, existing or not, with the path a user would give it.
#[derive(Clone, Debug)]
pub struct At<'a> {
    /// The value there, if there is one.
    pub node: Option<&'a Node>,
    /// Dotted path by names.
    pub path: String,
    nearest: &'a Origin,
}

impl<'a> At<'a> {
    /// The root of a file.
    pub fn root(node: &'a Node) -> Self {
        Self { node: Some(node), path: String::new(), nearest: &node.origin }
    }

    /// The member called `key`.
    pub fn key(&self, key: &str) -> At<'a> {
        self.step(self.node.and_then(|node| node.get(key)), key)
    }

    /// The list entry at `index`.
    pub fn entry(&self, index: usize) -> At<'a> {
        let node = self.node.and_then(|node| node.items().get(index));
        match node.and_then(Node::name) {
            Some(name) if is_short(name) => self.step(node, name),
            _ => self.step(node, &format!("#{}", index + 1)),
        }
    }

    /// Cursors to all entries of the list here.
    pub fn entries(&self) -> impl Iterator<Item = At<'a>> + '_ {
        (0..self.node.map_or(0, |node| node.items().len())).map(|index| self.entry(index))
    }

    fn step(&self, node: Option<&'a Node>, name: &str) -> At<'a> {
        let path =
            if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        At { node, path, nearest: node.map_or(self.nearest, |node| &node.origin) }
    }

    /// A mistake here.
    pub fn mistake(&self, problem: impl Into<String>, fix: impl Into<String>) -> Mistake {
        self.place().mistake(problem, fix)
    }

    /// The place without its tree.
    pub fn place(&self) -> Place {
        let written = self.node.and_then(|node| node.origin.written.clone());
        Place { path: self.path.clone(), origin: Origin { written, ..self.nearest.clone() } }
    }
}

/// A place in a file that outlives its tree, for checks that come later.
#[derive(Clone, Debug)]
pub struct Place {
    /// Dotted path by names.
    pub path: String,
    /// What is written there.
    pub origin: Origin,
}

impl Place {
    /// A mistake here.
    pub fn mistake(&self, problem: impl Into<String>, fix: impl Into<String>) -> Mistake {
        let Origin { file, line, written } = self.origin.clone();
        Mistake {
            file,
            line,
            key: shorten(&self.path, KEY_MAX),
            value: written,
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

/// The name among `known` that `name` was most likely meant to be.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?" where a name is near, and the known names otherwise.
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = known.into_iter().collect();
            format!("known are {}", names.join(", "))
        }
    }
}

struct Source<'t> {
    text: &'t str,
    file: &'t str,
    lines: Vec<usize>,
}

impl Source<'_> {
    fn node(&self, value: &DeValue<'_>, span: Range<usize>) -> Result<Node, Box<Mistake>> {
        let converted = match value {
            DeValue::Table(table) => return self.table(table, span),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.node(item.get_ref(), item.span()));
                let origin = self.origin(&span, false);
                return Ok(Node { value: Value::List(items.collect::<Result<_, _>>()?), origin });
            }
            DeValue::String(text) => Ok(Value::String(text.to_string())),
            DeValue::Boolean(truth) => Ok(Value::Boolean(*truth)),
            DeValue::Datetime(date) => Ok(Value::String(date.to_string())),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map(Value::Integer)
                .map_err(|_| "is too large an integer"),
            DeValue::Float(number) => {
                number.as_str().parse().map(Value::Float).map_err(|_| "is not a number")
            }
        };
        let origin = self.origin(&span, true);
        match converted {
            Ok(value) => Ok(Node { value, origin }),
            Err(problem) => Err(Box::new(Mistake {
                file: origin.file,
                line: origin.line,
                key: String::new(),
                value: origin.written,
                problem: problem.to_owned(),
                fix: format!("write a whole number up to {}", i64::MAX),
            })),
        }
    }

    fn table(&self, table: &DeTable<'_>, span: Range<usize>) -> Result<Node, Box<Mistake>> {
        let mut members = IndexMap::new();
        for (key, value) in table.iter() {
            let mut node = self.node(value.get_ref(), value.span())?;
            // A mistake in a table that has no line of its own is best shown
            // where its key stands.
            if matches!(node.value, Value::Table(_) | Value::List(_)) && value.span().is_empty() {
                node.origin.line = Some(self.line(key.span().start));
            }
            members.insert(key.get_ref().to_string(), node);
        }
        Ok(Node { value: Value::Table(members), origin: self.origin(&span, false) })
    }

    fn origin(&self, span: &Range<usize>, written: bool) -> Origin {
        Origin {
            file: self.file.to_owned(),
            line: Some(self.line(span.start)),
            written: written
                .then(|| shorten(self.text.get(span.clone()).unwrap_or_default(), WRITTEN_MAX)),
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_breaks).collect()
}

/// The first `most` characters; control characters, which could garble a
/// terminal, are escaped.
fn shorten(written: &str, most: usize) -> String {
    let mut short = String::new();
    for (index, c) in written.chars().enumerate() {
        match c {
            _ if index == most => return short + "...",
            c if c.is_control() => short.extend(c.escape_debug()),
            c => short.push(c),
        }
    }
    short
}

/// Whether a name can stand in the path of a message.
fn is_short(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && !name.contains(char::is_control)
}

fn syntax_mistake(error: &toml::de::Error, text: &str, file: &str) -> Box<Mistake> {
    let offset = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = &text.as_bytes()[..offset];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let content = text.as_bytes()[line_start..].split(|b| *b == b'\n').next().unwrap_or_default();
    Box::new(Mistake {
        file: file.to_owned(),
        line: Some(line),
        key: String::new(),
        value: Some(shorten(String::from_utf8_lossy(content).trim(), WRITTEN_MAX)),
        problem: format!("column {}: {}", offset - line_start + 1, error.message()),
        fix: "mend the TOML syntax here".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_lines_values_and_named_paths() {
        let text = "seed = 3\n\n[[pool]]\nname = \"a.b\"\nreplicas = 0\nengine = { x = 1 }\n";
        let tree = Node::parse(text, "s.toml").unwrap();
        let pool = At::root(&tree).key("pool").entry(0);
        let mistake = pool.key("replicas").mistake("p", "f");
        assert_eq!(mistake.to_string(), "s.toml:5: pool.a.b.replicas = 0: p; f");
        let missing = pool.key("engine").key("y").mistake("p", "");
        assert_eq!(missing.to_string(), "s.toml:6: pool.a.b.engine.y: p");
        assert_eq!(pool.mistake("p", "").line, Some(3));
    }

    #[test]
    fn syntax_errors_have_line_and_column() {
        let mistake = Node::parse("a = 1\nb = = 2\n", "s.toml").unwrap_err();
        assert_eq!(mistake.line, Some(2));
        assert!(mistake.problem.starts_with("column 5: "), "{mistake}");
        assert!(mistake.to_string().contains("b = = 2"), "{mistake}");
    }

    #[test]
    fn values_given_by_hand_need_no_quotes() {
        let parse = |text| Node::parse_value(text, "--set").unwrap();
        assert_eq!(parse("2 min").as_str(), Some("2 min"));
        assert!(matches!(parse("4").value, Value::Integer(4)));
        assert_eq!(parse("\"x\"").as_str(), Some("x"));
        assert!(Node::parse_value("18446744073709551615", "--seed").is_err());
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(nearest("replcas", ["name", "replicas", "router"]), Some("replicas"));
        assert_eq!(nearest("zzz", ["name"]), None);
        assert_eq!(suggest("zzz", ["name", "seed"]), "known are name, seed");
    }
}
