//! Reads recorded sessions as a [`Graph`].

use super::graph::Graph;
use super::read::ReadOptions;
use super::{dag, weka_graph};
use crate::error::Mistake;
use std::io::{self, BufRead};

/// Layouts of recorded sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// WEKA coding-agent sessions.
    Weka,
    /// AIPerf's conversations that fork and spawn others.
    Dag,
}

/// Bytes from the start of a file that tell its format.
const HEAD: usize = 64 << 10;

impl GraphFormat {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            GraphFormat::Weka => "weka",
            GraphFormat::Dag => "dag",
        }
    }

    /// The format of the file that `input` starts with; consumes nothing.
    pub fn detect(input: &mut impl BufRead) -> io::Result<Option<GraphFormat>> {
        let head = input.fill_buf()?;
        let head = String::from_utf8_lossy(&head[..head.len().min(HEAD)]);
        let has = |key: &str| head.contains(&format!("\"{key}\""));
        Ok(match () {
            () if dag::is_dag(&head) => Some(GraphFormat::Dag),
            () if has("requests") => Some(GraphFormat::Weka),
            () => None,
        })
    }
}

/// Reads recorded sessions; `file` is their name in messages. `calls_max` of
/// `options` counts sessions. Turns that do not say how long their answers are get
/// `output` tokens.
pub fn read_graph(
    format: GraphFormat,
    input: impl BufRead,
    file: &str,
    options: ReadOptions,
    output: u32,
) -> Result<Graph, Vec<Mistake>> {
    match format {
        GraphFormat::Weka => weka_graph::read(input, file, options),
        GraphFormat::Dag => dag::read(input, file, options, output),
    }
}
