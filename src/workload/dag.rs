//! AIPerf's `dag_jsonl`: conversations whose turns fork and spawn others, a JSON
//! object a line (<https://docs.nvidia.com/aiperf/benchmark-modes/conversation-dag-benchmarks>).
//!
//! A conversation that no other names is a session. A turn adds its messages to
//! what was said and answered before; `forks` go on with all of that, `spawns`
//! start with nothing, and a later turn of the parent waits for them. A file has
//! texts where a simulator needs counts: tokens are those that it states, or else
//! a token for four characters. Messages are the same where role and content are,
//! so conversations share the KV of what they begin with. The delay of a turn with
//! messages of the role `tool` is that of tools.

mod conversation;
mod grower;
mod judge;
mod raw;

use super::graph::Graph;
use super::mooncake::explain;
use super::read::{BadLine, Builder, ReadOptions, Record, Sink, next_line};
use crate::error::Mistake;
use conversation::Conversation;
use grower::Grower;
use indexmap::IndexMap;
use raw::{RawConversation, RawDocument};
use std::io::BufRead;

const EXAMPLE: &str = "{\"session_id\": \"a\", \"turns\": [{\"messages\": [{\"role\": \"user\", \
    \"content\": \"..\"}], \"max_tokens\": 128, \"forks\": [\"b\"]}]}";

/// Nobody: conversations are kept as they are read.
struct Nobody;

impl Sink for Nobody {
    fn take(&mut self, _: usize, _: Record) -> Result<(), BadLine> {
        unreachable!("conversations are not taken apart")
    }
}

/// Whether a file that begins like this is one of these.
pub(super) fn is_dag(head: &str) -> bool {
    let has = |key: &str| head.contains(&format!("\"{key}\""));
    has("session_id") && (has("turns") || has("orchestrator"))
}

/// Reads conversations; `file` is their name in messages, and turns that do not say
/// how long their answers are get `output` tokens.
pub(super) fn read(
    mut input: impl BufRead,
    file: &str,
    options: ReadOptions,
    output: u32,
) -> Result<Graph, Vec<Mistake>> {
    let sessions_max = options.calls_max;
    let mut nobody = Nobody;
    let options = ReadOptions { calls_max: None, ..options };
    let mut builder = Builder::new(file, options, &mut nobody);
    let mut known: IndexMap<String, Conversation> = IndexMap::new();
    let mut bytes = Vec::new();
    while let Some((line, text)) = next_line(&mut input, &mut bytes, &mut builder) {
        let read = conversations(text).and_then(|raw| {
            raw.into_iter().try_for_each(|raw| {
                let (name, conversation) = conversation::read(line, raw)?;
                match known.get(&name) {
                    Some(other) => Err(format!(
                        "`session_id` \"{name}\" is that of line {} as well",
                        other.line
                    )),
                    None => {
                        known.insert(name, conversation);
                        Ok(())
                    }
                }
            })
        });
        builder.admit(line, text, read.map(|()| 1));
    }
    let mut grower = Grower::new(&known, output);
    let grown = judge::judge(&known).and_then(|children| {
        let roots = known.keys().filter(|name| !children.contains_key(name.as_str()));
        let most = sessions_max.map_or(usize::MAX, |most| most as usize);
        roots.take(most).try_for_each(|name| {
            let draft = grower.thread(name, 0, None)?;
            grower.graph.add(draft);
            Ok(())
        })
    });
    if let Err((line, problem, fix)) = grown {
        builder.fault(Some(line), None, problem, fix);
    }
    let tally = builder.finish()?;
    let strands = grower.strands();
    let mut graph = grower.graph;
    graph.strands = strands;
    graph.notes.skipped_lines = tally.skipped_lines;
    Ok(graph)
}

/// A mistake: its line, the problem, what would mend it.
type Fault = (usize, String, &'static str);

fn conversations(text: &[u8]) -> Result<Vec<RawConversation>, String> {
    match serde_json::from_slice::<RawConversation>(text) {
        Ok(conversation) => Ok(vec![conversation]),
        Err(error) => match serde_json::from_slice::<RawDocument>(text) {
            Ok(document) => Ok(document.conversations),
            Err(_) => Err(explain(&error, text, EXAMPLE)),
        },
    }
}
