//! The documents say what the program does: every key is described, every
//! example works, every link leads somewhere, every verb exists.

use assert_cmd::Command;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tokenmill::scenario::{Overrides, parse, schema};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README.md and everything in docs/, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let mut paths: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.push(root().join("README.md"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// Texts of the fenced blocks marked `language`.
fn blocks<'t>(page: &'t str, language: &str) -> Vec<&'t str> {
    let fences = page.split("```").skip(1).step_by(2);
    let strip = |block: &'t str| block.strip_prefix(language)?.strip_prefix('\n');
    fences.filter_map(strip).collect()
}

/// `page` without its fenced blocks.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// Keys of every table below `schema`, and constant words of strings.
fn words(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member) {
                    ("properties", Value::Object(keys)) => {
                        found.extend(keys.keys().cloned());
                        keys.values().for_each(|key| words(key, found));
                    }
                    ("const", Value::String(word)) => {
                        found.insert(word.clone());
                    }
                    _ => words(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, found)),
        _ => {}
    }
}

#[test]
fn every_key_and_word_of_the_schema_is_described() {
    let mut found = BTreeSet::new();
    words(schema(), &mut found);
    assert!(found.len() > 100, "the walk finds the keys: {found:?}");
    let page = read(&root().join("docs/scenario.md"));
    let missing: Vec<&String> =
        found.iter().filter(|word| !page.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "docs/scenario.md says nothing of {missing:?}");
}

#[test]
fn whole_scenarios_in_the_documents_are_valid() {
    let mut seen = 0;
    for (path, page) in pages() {
        for block in blocks(&page, "toml") {
            let name = path.display();
            toml::from_str::<toml::Table>(block).unwrap_or_else(|e| panic!("{name}: {e}\n{block}"));
            if block.contains("[[pool]]") && block.contains("[[use_case]]") {
                let base = root().join("scenarios");
                let loaded = parse(block, &name.to_string(), &base, &Overrides::default());
                loaded.unwrap_or_else(|error| panic!("{error}\n{block}"));
                seen += 1;
            }
        }
    }
    assert!(seen >= 4, "{seen} scenarios");
}

/// Examples in the tables of a page, each with the heading above it.
fn examples(page: &str) -> Vec<(&str, &str)> {
    let mut heading = "";
    let mut has_examples = false;
    let mut examples = Vec::new();
    for line in page.lines() {
        if line.starts_with('#') {
            heading = line.split('`').nth(1).unwrap_or(line);
        }
        if !line.starts_with('|') {
            has_examples = false;
            continue;
        }
        let last = line.trim_matches('|').rsplit(" | ").next().unwrap_or_default().trim();
        if last == "example" {
            has_examples = true;
        } else if has_examples && last.starts_with('`') {
            examples.push((heading, last.trim_matches('`')));
        }
    }
    examples
}

const BASE: &str = r#"
name = "s"
start = "2026-11-16T00:00:00Z"
duration = "1 h"
[[hardware]]
name = "my-gpu"
base = "h100-sxm"
[[model]]
name = "my-model"
base = "llama-3.1-8b"
[[tier]]
name = "my-tier"
base = "local-nvme"
[[calendar]]
name = "my-calendar"
[[region]]
name = "us"
round_trips = { eu = "90 ms", asia = "233 ms" }
[[region]]
name = "eu"
[[region]]
name = "asia"
[[pool]]
name = "assistant"
region = "us"
model = "qwen3-30b-a3b"
hardware = "h100-sxm"
router = {}
engine = {}
[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "1 /s" }
prompt_tokens = 900
output_tokens = 200
prefix = [{ tokens = 100, groups = 10 }]
session = { turns = 3 }
price = { input = "$1/Mtok", output = "$1/Mtok" }
[[arm]]
name = "more"
set = { "pool.assistant.replicas" = 3 }
"#;

/// A valid scenario with `example` where docs/scenario.md has it.
fn scenario_with(heading: &str, example: &str) -> String {
    let mut scenario: toml::Table = toml::from_str(BASE).unwrap();
    let example = match heading {
        "## How values are written" => return scenario.to_string(),
        "### Distributions" => format!("prompt_tokens = {example}"),
        _ => example.to_owned(),
    };
    let (list, inner) = match heading {
        "## Top level" => ("", ""),
        "[[pool]]" | "offload" => ("pool", ""),
        "growth" => ("use_case", ""),
        "profile" | "variability" => ("use_case", heading),
        "router" | "engine" => ("pool", heading),
        "eviction" => ("pool", "engine"),
        "[[use_case]]" | "arrivals" | "batch" | "regions" | "replay" | "slo"
        | "### Distributions" => ("use_case", ""),
        "replications" => {
            scenario.insert(heading.to_owned(), toml::from_str("precision = 0.02").unwrap());
            ("", heading)
        }
        "[windows]" => {
            scenario.insert("duration".to_owned(), "14 days".into());
            scenario["use_case"][0]
                .as_table_mut()
                .unwrap()
                .insert("profile".to_owned(), "chat".into());
            let chosen =
                if example.starts_with("at") { "" } else { "choose = \"worst\"\ncount = 1" };
            scenario.insert("windows".to_owned(), toml::from_str(chosen).unwrap());
            ("", "windows")
        }
        "trace" | "price" | "session" | "prefix" | "thinking" => ("use_case", heading),
        "[[region]]" => ("region", ""),
        "[[hardware]]" => ("hardware", ""),
        "[[model]]" => ("model", ""),
        "[[tier]]" => ("tier", ""),
        "[[calendar]]" => ("calendar", ""),
        "[[arm]]" => ("arm", ""),
        other => panic!("a table of examples under {other}"),
    };
    let mut place = &mut scenario;
    if !list.is_empty() {
        place = place[list][0].as_table_mut().unwrap();
    }
    if inner == "trace" || example.starts_with("trace") {
        let trace = "trace = { format = \"azure\", path = \"traces/sample-azure.csv\" }";
        place.extend(toml::from_str::<toml::Table>(trace).unwrap());
        place.remove("arrivals");
    }
    if example.starts_with("users") || example.starts_with("sessions_per_user") {
        place.extend(
            toml::from_str::<toml::Table>("users = 1\nsessions_per_user_per_day = 1").unwrap(),
        );
        place.remove("arrivals");
    }
    if example.starts_with("batch") {
        for key in ["arrivals", "session"] {
            place.remove(key);
        }
    }
    if example.starts_with("replay") {
        for key in ["prompt_tokens", "output_tokens", "prefix", "session"] {
            place.remove(key);
        }
    }
    if example.starts_with("serve") {
        place.extend(toml::from_str::<toml::Table>("regions = { us = 1 }").unwrap());
    }
    if inner == "profile" {
        place.insert(inner.to_owned(), toml::from_str("weekday = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]").unwrap());
    }
    if inner == "thinking" {
        let beside = match example.split(' ').next() {
            Some("share") => "",
            Some("difficulty") => "tokens = 100\nthreshold = 0.5",
            _ => "tokens = 100",
        };
        place.insert(inner.to_owned(), toml::from_str(beside).unwrap());
    }
    if inner == "variability" {
        place.insert(inner.to_owned(), toml::Value::Table(toml::Table::new()));
    }
    if !inner.is_empty() {
        let inner = &mut place[inner];
        place = if inner.is_array() { &mut inner[0] } else { inner }.as_table_mut().unwrap();
    }
    place.extend(toml::from_str::<toml::Table>(&example).unwrap());
    scenario.to_string()
}

#[test]
fn examples_of_keys_are_valid_where_they_belong() {
    let page = read(&root().join("docs/scenario.md"));
    let examples = examples(&page);
    assert!(examples.len() > 60, "{} examples", examples.len());
    for (heading, example) in examples {
        let text = scenario_with(heading, example);
        let parsed = parse(&text, "s.toml", &root().join("scenarios"), &Overrides::default());
        let mistakes = parsed.err().map_or(String::new(), |error| error.to_string());
        // What an example names need not exist or suit the scenario it is tried in.
        let unsuitable =
            ["cannot be read", "does not fit", "does not divide", "says nothing about traces"];
        let is_wrong = |line: &&str| !unsuitable.iter().any(|known| line.contains(known));
        let wrong: Vec<&str> = mistakes.lines().filter(is_wrong).collect();
        assert!(wrong.is_empty(), "{heading}: {example}\n{}", wrong.join("\n"));
    }
}

#[test]
fn relative_links_lead_to_files() {
    let mut broken = Vec::new();
    for (path, page) in pages() {
        for target in prose(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere && !file.is_empty() && !path.with_file_name(file).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
            let anchor = target.split_once('#').filter(|(file, _)| file.is_empty());
            if let Some((_, anchor)) = anchor {
                assert!(has_anchor(&page, anchor), "{}: #{anchor}", path.display());
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Whether a heading or an explicit anchor of `page` is called `anchor`.
fn has_anchor(page: &str, anchor: &str) -> bool {
    let slug = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
    };
    page.contains(&format!("<a id=\"{anchor}\"></a>"))
        || page.lines().any(|line| line.starts_with('#') && slug(line) == anchor)
}

#[test]
fn verbs_of_the_readme_exist() {
    let page = read(&root().join("README.md"));
    let help = Command::cargo_bin("tokenmill").unwrap().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let exists = |verb: &str| help.lines().any(|line| line.split_whitespace().next() == Some(verb));
    let rows = page.lines().skip_while(|line| !line.starts_with("| verb |")).skip(2);
    let mut seen = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cell = row.split('|').nth(1).unwrap();
        for verb in cell.split('`').skip(1).step_by(2) {
            let verb = verb.split(' ').next().unwrap();
            assert!(exists(verb), "README.md names `{verb}`, which `tokenmill --help` does not");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} verbs");
}
