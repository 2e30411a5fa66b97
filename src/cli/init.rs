//! `init`: writes a commented scenario to start from.

use super::{Globals, QUICKSTART, blame};
use crate::error::{Error, Mistake, Result};
use clap::{Args, ValueEnum};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to write into
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What to start from
    #[arg(long, value_enum, default_value_t = Template::Chat)]
    template: Template,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Template {
    /// A chat assistant with Poisson arrivals
    Chat,
    /// Replay of a recorded trace
    Trace,
    /// Clients who wait for an answer before they ask again
    ClosedLoop,
    /// Coding agents with tools in sandboxes and explorers
    CodingAgents,
    /// The other agents of the catalog, one use case each
    Assistants,
}

impl Template {
    /// Files to write: name and content; the scenario first.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Template::Chat => &[("scenario.toml", QUICKSTART)],
            Template::Trace => &[
                ("scenario.toml", include_str!("../../scenarios/trace-azure.toml")),
                (
                    "traces/sample-azure.csv",
                    include_str!("../../scenarios/traces/sample-azure.csv"),
                ),
            ],
            Template::ClosedLoop => {
                &[("scenario.toml", include_str!("../../scenarios/closed-loop.toml"))]
            }
            Template::CodingAgents => {
                &[("scenario.toml", include_str!("../../scenarios/coding-agents.toml"))]
            }
            Template::Assistants => {
                &[("scenario.toml", include_str!("../../scenarios/assistants.toml"))]
            }
        }
    }
}

pub(super) fn init(args: &InitArgs, globals: &Globals) -> Result<String> {
    let files = args.template.files();
    let existing = files.iter().map(|(name, _)| args.dir.join(name)).filter(|path| path.exists());
    let mistakes: Vec<Mistake> = existing.map(|path| in_the_way(&path)).collect();
    if !args.force && !mistakes.is_empty() {
        return Err(Error::Invalid(mistakes));
    }
    let mut paths = Vec::new();
    for (name, content) in files {
        let path = args.dir.join(name);
        write(&path, content).map_err(|error| blame("init", error))?;
        paths.push(path);
    }
    if globals.json {
        return Ok(super::json(&serde_json::json!({ "written": paths })));
    }
    let mut text = String::new();
    for path in &paths {
        let _ = writeln!(text, "wrote {}", path.display());
    }
    let _ =
        writeln!(text, "next: tokenmill validate {0}\n      tokenmill run {0}", paths[0].display());
    Ok(text)
}

fn in_the_way(path: &Path) -> Mistake {
    Mistake {
        file: path.display().to_string(),
        line: None,
        key: String::new(),
        value: None,
        problem: "exists already".to_owned(),
        fix: "choose another folder, or overwrite it with --force".to_owned(),
    }
}

fn write(path: &Path, content: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).and_then(|()| fs::write(path, content)).map_err(|source| Error::Io {
        action: "cannot write",
        path: path.to_owned(),
        source,
        fix: "choose a folder that can be written",
    })
}
