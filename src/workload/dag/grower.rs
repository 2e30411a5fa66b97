//! Threads of conversations, and the texts that they share.

use super::Fault;
use super::conversation::Conversation;
use crate::workload::graph::{Draft, DraftCall, Entry, Graph, NEVER, RecordedCall};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

/// How deep conversations may start each other.
const DEPTH_MAX: usize = 64;
/// Kinds of threads.
const KINDS: [&str; 3] = ["main", "fork", "spawn"];

/// No text yet.
const ROOT: u32 = u32::MAX;

/// A part of a text, behind the parts before it.
struct Node {
    parent: u32,
    strand: u32,
    /// Tokens before it, and after it.
    from: u32,
    until: u32,
    /// Whether another goes on with its strand.
    goes_on: bool,
    /// It is an answer that no prompt has had.
    is_unread: bool,
}

/// Makes threads of conversations.
pub(super) struct Grower<'k> {
    known: &'k IndexMap<String, Conversation>,
    output: u32,
    pub graph: Graph,
    nodes: Vec<Node>,
    /// Nodes by parent and fold.
    named: HashMap<(u32, u64), u32>,
    calls: usize,
}

impl<'k> Grower<'k> {
    pub fn new(known: &'k IndexMap<String, Conversation>, output: u32) -> Self {
        let mut graph = Graph::default();
        graph.kinds.extend(KINDS.map(str::to_owned));
        let (nodes, named) = Default::default();
        Grower { known, output, graph, nodes, named, calls: 0 }
    }

    /// The thread of a conversation that goes on with what `node` ends, or is spawned.
    pub fn thread(&mut self, name: &str, depth: usize, node: Option<u32>) -> Result<Draft, Fault> {
        let conversation = &self.known[name];
        let kind = KINDS[if depth == 0 { 0 } else { 2 - usize::from(node.is_some()) }].to_owned();
        let mut draft = Draft { kind, ..Draft::default() };
        let too_many = |problem: &str| {
            let problem = format!("session \"{name}\" {problem}");
            Err((conversation.line, problem, "let fewer sessions start each other"))
        };
        if depth > DEPTH_MAX {
            return too_many(&format!("is started more than {DEPTH_MAX} deep"));
        }
        self.calls += conversation.turns.len();
        if self.calls > Graph::CALLS_MAX / 10 {
            return too_many("brings the sessions above ten million turns");
        }
        for child in &conversation.first {
            let child = self.thread(child, depth + 1, None)?;
            draft.starts.push((child, NEVER));
        }
        let mut at = node.unwrap_or(ROOT);
        for turn in &conversation.turns {
            if conversation.is_isolated {
                at = ROOT;
            }
            let before = self.nodes.len() as u32;
            let mut known = at;
            for &(fold, tokens) in &turn.parts {
                at = self.node(at, Some(fold), tokens);
                known = if at < before { at } else { known };
            }
            let prompt = if turn.asks { self.until(at) } else { 0 };
            let (repeated, answered) = self.read(known);
            let output = turn.output.unwrap_or(self.output);
            if turn.asks {
                at = self.node(at, None, output);
                self.graph.notes.estimated_calls += u64::from(turn.is_estimated);
                self.graph.notes.unsaid_outputs += u64::from(turn.output.is_none());
            }
            let call = RecordedCall {
                pause: turn.pause,
                after_tools: turn.after_tools,
                model: self.graph.model(turn.model.as_deref()),
                prompt,
                output,
                repeated: repeated.min(prompt),
                answered,
                covered: u32::MAX,
                ..RecordedCall::default()
            };
            let text = if turn.asks { self.text(at) } else { Vec::new() };
            let mut starts = Vec::new();
            for start in &turn.starts {
                let node = start.is_fork.then_some(at);
                starts.push((self.thread(&start.child, depth + 1, node)?, start.join));
            }
            draft.calls.push(DraftCall { call, text, starts });
        }
        if self.until(at) == u32::MAX || self.nodes.len() >= ROOT as usize {
            return too_many("says more than four billion tokens");
        }
        Ok(draft)
    }

    /// Tokens up to the end of `node` that prompts have had, and behind them those of
    /// an answer that none has had before this one; its last token has no KV yet.
    fn read(&mut self, node: u32) -> (u32, u32) {
        let Some(node) = self.nodes.get_mut(node as usize) else { return (0, 0) };
        match std::mem::take(&mut node.is_unread) {
            true => (node.from, node.until - node.from - 1),
            false => (node.until, 0),
        }
    }

    /// Strands so far.
    pub fn strands(&self) -> u64 {
        self.nodes.len() as u64
    }

    fn until(&self, node: u32) -> u32 {
        self.nodes.get(node as usize).map_or(0, |node| node.until)
    }

    /// The part with this fold behind `parent`, which may be new; without a fold it is.
    fn node(&mut self, parent: u32, fold: Option<u64>, tokens: u32) -> u32 {
        let new = self.nodes.len() as u32;
        if let Some(fold) = fold {
            match self.named.entry((parent, fold)) {
                Slot::Occupied(entry) => return *entry.get(),
                Slot::Vacant(entry) => _ = entry.insert(new),
            }
        }
        let from = self.until(parent);
        let strand = match self.nodes.get_mut(parent as usize) {
            Some(parent) if !parent.goes_on => {
                parent.goes_on = true;
                parent.strand
            }
            _ => new,
        };
        let until = from.saturating_add(tokens);
        let is_unread = fold.is_none();
        self.nodes.push(Node { parent, strand, from, until, goes_on: false, is_unread });
        new
    }

    /// Where the text that ends with `node` enters its strands.
    fn text(&self, node: u32) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut at = node;
        while let Some(node) = self.nodes.get(at as usize) {
            match entries.last_mut() {
                Some(last) if last.strand == node.strand => last.from = node.from,
                _ => entries.push(Entry { strand: node.strand, from: node.from }),
            }
            at = node.parent;
        }
        entries.reverse();
        entries
    }
}
