//! Holds a scenario tree against its JSON schema: unknown and missing keys,
//! types, units, ranges, all of them at once.
//!
//! A general schema validator would name JSON pointers and keyword failures;
//! this one speaks of keys and lines, suggests names, and needs only the part
//! of JSON Schema that schemars writes for `raw`.

use super::tree::{At, Node, Value, suggest};
use super::units;
use crate::error::Mistake;
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

/// The JSON schema of a scenario.
pub fn schema() -> &'static Json {
    static SCHEMA: LazyLock<Json> =
        LazyLock::new(|| schemars::schema_for!(super::raw::RawScenario).to_value());
    &SCHEMA
}

/// Keys that are planned and that a later version brings.
const LATER: [&str; 5] = ["assert", "fault", "link", "order", "size"];

/// Mistakes of form, and whether what was walked can be deserialized.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong, in the order of the file.
    pub mistakes: Vec<Mistake>,
    /// Mistakes that leave no usable value (all but unknown keys).
    pub unusable: usize,
}

impl Findings {
    /// Walks the tree at `at` against `schema`.
    pub fn walk(&mut self, at: &At<'_>, schema: &Json) {
        let Some(node) = at.node else { return };
        let candidates = alternatives(schema);
        let fitting: Vec<&Json> = candidates.iter().copied().filter(|s| fits(node, s)).collect();
        match fitting.as_slice() {
            [] => {
                let problem = format!("is {}", node.type_name());
                let expected: Vec<String> = candidates.iter().map(|s| expected(s)).collect();
                self.unusable(at.mistake(problem, format!("write {}", expected.join(" or "))));
            }
            [only] => self.walk_one(at, node, only),
            several => match node.value {
                Value::Table(_) => self.walk_table(at, &Json::Null, several),
                _ => self.walk_words(at, node, several),
            },
        }
    }

    fn unusable(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
        self.unusable += 1;
    }

    fn walk_one(&mut self, at: &At<'_>, node: &Node, schema: &Json) {
        match &node.value {
            Value::String(_) => self.walk_words(at, node, &[schema]),
            Value::Boolean(_) => {}
            Value::Integer(number) => self.walk_number(at, *number as f64, schema),
            Value::Float(number) => self.walk_number(at, *number, schema),
            Value::List(_) => {
                at.entries().for_each(|entry| self.walk(&entry, &schema["items"]));
            }
            Value::Table(_) => {
                let variants: Vec<&Json> = members(schema, "oneOf").iter().map(resolve).collect();
                self.walk_table(at, schema, &variants);
            }
        }
    }

    /// A string: one of a few words, or a quantity, or free.
    fn walk_words(&mut self, at: &At<'_>, node: &Node, schemas: &[&Json]) {
        let text = node.as_str().unwrap_or_default();
        let words: Vec<&str> = schemas.iter().flat_map(|schema| words(schema)).collect();
        if words.contains(&text) {
            return;
        }
        let Some(free) = schemas.iter().find(|schema| self::words(schema).is_empty()) else {
            return self.unusable(at.mistake("is not a known word", suggest(text, words)));
        };
        let Some(kind) = free["x-quantity"].as_str() else { return };
        match units::read_kind(kind, text) {
            Some(Ok(value)) => self.walk_number(at, value, free),
            Some(Err(error)) => {
                let word = words.first().map_or(String::new(), |word| format!(", or \"{word}\""));
                self.unusable(at.mistake(error.problem, error.fix + &word));
            }
            None => unreachable!("schema names the unknown quantity {kind}"),
        }
    }

    fn walk_number(&mut self, at: &At<'_>, number: f64, schema: &Json) {
        let bound = |key| schema[key].as_f64();
        // Widths of integers that the schema gives as a format.
        let width = match schema["format"].as_str() {
            Some("uint32") => Some(f64::from(u32::MAX)),
            _ => None,
        };
        let (low, high) = (bound("minimum"), bound("maximum").or(width));
        let fix = match (low, high) {
            (Some(low), Some(high)) => format!("write {} from {low} to {high}", expected(schema)),
            (Some(low), None) => format!("write {} of at least {low}", expected(schema)),
            _ => format!("write {}", expected(schema)),
        };
        let problem = match (low, high) {
            _ if !number.is_finite() => "is not a finite number".to_owned(),
            (Some(low), _) if number < low => format!("must be at least {low}"),
            (_, Some(high)) if number > high => format!("must be at most {high}"),
            _ => return,
        };
        self.unusable(at.mistake(problem, fix));
    }

    /// A table: the keys of `schema` itself and those of the variant it is.
    fn walk_table(&mut self, at: &At<'_>, schema: &Json, variants: &[&Json]) {
        let variant = match variants {
            [] => &Json::Null,
            _ => match self.variant(at, variants) {
                Some(variant) => variant,
                None => return,
            },
        };
        let parts = [schema, variant];
        let known: Vec<(&str, &Json)> = parts
            .iter()
            .filter_map(|part| part["properties"].as_object())
            .flat_map(|keys| keys.iter().map(|(key, schema)| (key.as_str(), schema)))
            .collect();
        let pattern = schema["patternProperties"].as_object();
        // Of tables whose keys are names that the user gives.
        let named = parts.iter().map(|part| &part["additionalProperties"]).find(|s| s.is_object());
        for key in at.node.and_then(Node::table).into_iter().flat_map(|table| table.keys()) {
            let place = at.key(key);
            match known.iter().find(|(name, _)| name == key) {
                Some((_, schema)) => self.walk(&place, schema),
                // Whoever reads such keys checks them: patterns would need a
                // regular-expression engine. All patterns want values of one type.
                None if pattern.is_some() => self.walk_type(&place, pattern),
                None => match named {
                    Some(schema) => self.walk(&place, schema),
                    None => self.mistakes.push(unknown_key(&place, key, &known)),
                },
            }
        }
        for key in parts.iter().flat_map(|part| members(part, "required")) {
            let key = key.as_str().unwrap_or_default();
            let place = at.key(key);
            if place.node.is_none() {
                let schema = known.iter().find(|(name, _)| *name == key);
                let schema = schema.map_or(&Json::Null, |(_, schema)| *schema);
                self.unusable(place.mistake("is missing", format!("add {}", described(schema))));
            }
        }
    }

    /// The type of a value whose key is known by a pattern.
    fn walk_type(&mut self, at: &At<'_>, pattern: Option<&Map<String, Json>>) {
        let schema = pattern.and_then(|patterns| patterns.values().next());
        let (Some(node), Some(schema)) = (at.node, schema) else { return };
        // A choice of types is left to whoever reads the key.
        if !types(schema).is_empty() && !fits(node, schema) {
            let mut fix = format!("write {}", expected(schema));
            if matches!(node.value, Value::Table(_)) {
                fix += "; a key with a dot in it goes in quotes";
            }
            self.unusable(at.mistake(format!("is {}", node.type_name()), fix));
        }
    }

    /// The variant that a table's tag names.
    fn variant<'s>(&mut self, at: &At<'_>, variants: &[&'s Json]) -> Option<&'s Json> {
        let tag = tag(variants[0])?;
        let names: Vec<&str> =
            variants.iter().filter_map(|v| v["properties"][tag]["const"].as_str()).collect();
        let place = at.key(tag);
        let Some(node) = place.node else {
            let fix = format!("add one of {}", names.join(", "));
            self.unusable(place.mistake("is missing", fix));
            return None;
        };
        let text = node.as_str().unwrap_or_default();
        let found = names.iter().position(|name| *name == text);
        if found.is_none() {
            self.unusable(place.mistake(format!("is not a known {tag}"), suggest(text, names)));
        }
        found.map(|index| variants[index])
    }
}

fn unknown_key(place: &At<'_>, key: &str, known: &[(&str, &Json)]) -> Mistake {
    if LATER.contains(&key) {
        return place.mistake("is not yet supported by this version of tokenmill", "remove it");
    }
    place.mistake("unknown key", suggest(key, known.iter().map(|(name, _)| *name)))
}

/// Follows references.
pub(super) fn resolve(mut schema: &Json) -> &Json {
    while let Some(reference) = schema["$ref"].as_str() {
        schema = self::schema()
            .pointer(reference.trim_start_matches('#'))
            .expect("schemars references its own definitions");
    }
    schema
}

/// What a value may be, without nulls and without nesting.
fn alternatives(schema: &Json) -> Vec<&Json> {
    let schema = resolve(schema);
    let nested = if schema["properties"].is_object() {
        &[][..]
    } else {
        [members(schema, "anyOf"), members(schema, "oneOf")]
            .into_iter()
            .max_by_key(|m| m.len())
            .unwrap_or_default()
    };
    match nested {
        [] if schema["type"] == "null" => Vec::new(),
        [] => vec![schema],
        nested => nested.iter().flat_map(alternatives).collect(),
    }
}

fn members<'s>(schema: &'s Json, key: &str) -> &'s [Json] {
    schema[key].as_array().map_or(&[], Vec::as_slice)
}

/// The words that a string may be; empty when it is free.
fn words(schema: &Json) -> Vec<&str> {
    let listed = members(schema, "enum").iter().filter_map(Json::as_str);
    schema["const"].as_str().into_iter().chain(listed).collect()
}

/// The key whose constant tells a variant from its siblings.
fn tag(variant: &Json) -> Option<&str> {
    let is_tag = |(_, schema): &(&String, &Json)| schema["const"].is_string();
    variant["properties"]
        .as_object()
        .and_then(|keys: &Map<_, _>| keys.iter().find(is_tag))
        .map(|(key, _)| key.as_str())
}

/// The type names that a schema allows.
fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(name) => vec![name],
        Json::Array(names) => {
            names.iter().filter_map(Json::as_str).filter(|n| *n != "null").collect()
        }
        _ if schema["properties"].is_object() => vec!["object"],
        _ => Vec::new(),
    }
}

fn fits(node: &Node, schema: &Json) -> bool {
    let fitting: &[&str] = match node.value {
        Value::String(_) => &["string"],
        Value::Integer(_) => &["integer", "number"],
        Value::Float(_) => &["number"],
        Value::Boolean(_) => &["boolean"],
        Value::List(_) => &["array"],
        Value::Table(_) => &["object"],
    };
    types(schema).iter().any(|name| fitting.contains(name))
}

/// What a schema wants, in words.
fn expected(schema: &Json) -> String {
    if let Some(kind) = schema["x-quantity"].as_str() {
        return format!("a {kind} in quotes such as {}", units::example(kind));
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("\"{word}\"");
    }
    match types(schema).first() {
        Some(&"string") => "a text in quotes".to_owned(),
        Some(&"integer") => "a whole number".to_owned(),
        Some(&"number") => "a number".to_owned(),
        Some(&"boolean") => "true or false".to_owned(),
        Some(&"array") => "a list".to_owned(),
        Some(&"object") => "a table { ... }".to_owned(),
        _ => "another value".to_owned(),
    }
}

/// What a schema wants, and what for.
fn described(schema: &Json) -> String {
    let expected: Vec<String> = alternatives(schema).into_iter().map(expected).collect();
    let what = expected.join(" or ");
    match schema["description"].as_str().and_then(|text| text.lines().next()) {
        Some(description) => format!("{what}: {}", description.trim_end_matches('.')),
        None => what,
    }
}
