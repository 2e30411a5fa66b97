//! AIPerf's `dag_jsonl`: conversations whose turns fork and spawn others, a JSON
//! object a line (<https://docs.nvidia.com/aiperf/benchmark-modes/conversation-dag-benchmarks>).
//!
//! A conversation that no other names is a session. A turn adds its messages to
//! what was said and answered before; `forks` go on with all of that, `spawns`
//! start with nothing, and a later turn of the parent waits for them. A file has
//! texts where a simulator needs counts: tokens are those that it states, or else
//! a token for four characters. Messages are the same where role and content are,
//! so conversations share the KV of what they begin with.

use super::graph::{Draft, DraftCall, Entry, Graph, NEVER, RecordedCall};
use super::mooncake::explain;
use super::read::{BadLine, Builder, ReadOptions, Record, Sink, next_line, shorten};
use crate::error::Mistake;
use crate::kernel::Span;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::io::BufRead;

/// Characters of a token, where tokens are not counted.
const TOKEN_CHARS: u64 = 4;
/// Most tokens of one message, or answer.
const TOKENS_MAX: u64 = 1 << 30;
/// How deep conversations may start each other.
const DEPTH_MAX: usize = 64;
/// Most rounds of a conversation that asks nothing itself.
const ROUNDS_MAX: u64 = 100_000;
const EXAMPLE: &str = "{\"session_id\": \"a\", \"turns\": [{\"messages\": [{\"role\": \"user\", \
    \"content\": \"..\"}], \"max_tokens\": 128, \"forks\": [\"b\"]}]}";
/// Kinds of threads.
const KINDS: [&str; 3] = ["main", "fork", "spawn"];

#[derive(Deserialize)]
struct RawConversation {
    session_id: String,
    #[serde(default)]
    turns: Vec<RawTurn>,
    #[serde(default)]
    pre_session_spawns: Vec<String>,
    #[serde(default)]
    orchestrator: bool,
    #[serde(default)]
    spawns: Vec<String>,
    rounds: Option<RawRounds>,
    think_time_ms: Option<f64>,
    context_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawRounds {
    Count(u64),
    Each(Vec<RawRound>),
}

#[derive(Deserialize)]
struct RawRound {
    spawns: Vec<String>,
    think_time_ms: Option<f64>,
}

#[derive(Deserialize)]
struct RawTurn {
    #[serde(default)]
    messages: Vec<Value>,
    max_tokens: Option<u64>,
    #[serde(alias = "prompt_tokens", alias = "input_length")]
    input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens", alias = "output_length")]
    output_tokens: Option<u64>,
    tools: Option<Vec<Value>>,
    extra: Option<Value>,
    #[serde(default)]
    forks: Vec<RawFork>,
    #[serde(default)]
    spawns: Vec<RawSpawn>,
    #[serde(default)]
    delay: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawFork {
    Child(String),
    Told {
        child: String,
        #[serde(default)]
        background: bool,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawSpawn {
    Child(String),
    Told { children: Vec<String>, join_at: Option<u32> },
}

/// A file is conversations, or documents with lists of them.
#[derive(Deserialize)]
struct RawDocument {
    conversations: Vec<RawConversation>,
}

/// A conversation, its texts counted.
struct Conversation {
    line: usize,
    turns: Vec<Turn>,
    /// Those that start before the first turn.
    first: Vec<String>,
    /// Each turn carries all of its prompt.
    is_isolated: bool,
}

#[derive(Default)]
struct Turn {
    /// What it adds to the prompt: a fold of each part, and its tokens.
    parts: Vec<(u64, u32)>,
    output: Option<u32>,
    is_estimated: bool,
    asks: bool,
    pause: Span,
    /// What it starts.
    starts: Vec<Start>,
}

struct Start {
    child: String,
    is_fork: bool,
    join: u32,
}

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
                let (name, conversation) = conversation(line, raw)?;
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
    let grown = judge(&known).and_then(|children| {
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
    let mut graph = grower.graph;
    graph.strands = grower.nodes.len() as u64;
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

fn conversation(line: usize, raw: RawConversation) -> Result<(String, Conversation), String> {
    let name = raw.session_id;
    let of = |problem: String| format!("session \"{}\": {problem}", shorten(name.as_bytes()));
    let mut turns = Vec::new();
    if raw.orchestrator {
        if !raw.turns.is_empty() {
            return Err(of("an orchestrator has no `turns` of its own".to_owned()));
        }
        turns = rounds(raw.rounds, &raw.spawns, raw.think_time_ms).map_err(of)?;
    } else if raw.turns.is_empty() {
        return Err(of("`turns` is empty".to_owned()));
    }
    let count = raw.turns.len();
    for (at, turn) in raw.turns.into_iter().enumerate() {
        turns.push(self::turn(at, count, turn).map_err(|it| of(format!("turn {at}: {it}")))?);
    }
    let is_isolated = raw.context_mode.as_deref() == Some("message_array_with_responses");
    Ok((name, Conversation { line, turns, first: raw.pre_session_spawns, is_isolated }))
}

/// Turns of a conversation that only starts others: a round each, and one that waits
/// for the last.
fn rounds(
    rounds: Option<RawRounds>,
    spawns: &[String],
    think_ms: Option<f64>,
) -> Result<Vec<Turn>, String> {
    let each: Vec<(Vec<String>, Option<f64>)> = match rounds {
        None => vec![(spawns.to_vec(), None)],
        Some(RawRounds::Count(count)) if count <= ROUNDS_MAX => {
            (0..count).map(|_| (spawns.to_vec(), None)).collect()
        }
        Some(RawRounds::Count(count)) => return Err(format!("`rounds` is {count}")),
        Some(RawRounds::Each(list)) => {
            list.into_iter().map(|round| (round.spawns, round.think_time_ms)).collect()
        }
    };
    if each.is_empty() || each.iter().any(|(spawns, _)| spawns.is_empty()) {
        return Err("an orchestrator needs `spawns`".to_owned());
    }
    let round = |(at, (spawns, own_ms)): (usize, (Vec<String>, Option<f64>))| {
        let join = at as u32 + 1;
        let start = |child: String| Start { child, is_fork: false, join };
        let pause = pause(own_ms.or(think_ms).unwrap_or(0.0))?;
        Ok(Turn { pause, starts: spawns.into_iter().map(start).collect(), ..Turn::default() })
    };
    let mut turns =
        each.into_iter().enumerate().map(round).collect::<Result<Vec<Turn>, String>>()?;
    turns.push(Turn::default());
    Ok(turns)
}

fn turn(at: usize, count: usize, raw: RawTurn) -> Result<Turn, String> {
    let mut parts = Vec::new();
    let mut is_estimated = false;
    for tool in raw.tools.iter().flatten() {
        parts.push(part("tool", &tool.to_string(), None, &mut is_estimated));
    }
    for message in &raw.messages {
        parts.push(said(message, &mut is_estimated)?);
    }
    if let Some(tokens) = raw.input_tokens {
        // All of it is one part with as many tokens as the file says.
        let fold = parts.iter().fold(FNV, |fold, (part, _)| mix_in(fold, &part.to_le_bytes()));
        parts = vec![(fold, tokens.clamp(1, TOKENS_MAX) as u32)];
        is_estimated = false;
    } else if raw.messages.is_empty() {
        return Err("has neither `messages` nor `input_tokens`".to_owned());
    }
    let extra = raw.extra.as_ref().and_then(|extra| extra.get("min_tokens")?.as_u64());
    let output = raw.output_tokens.or(raw.max_tokens).or(extra);
    let mut starts = Vec::new();
    for fork in raw.forks {
        let (child, background) = match fork {
            RawFork::Child(child) => (child, false),
            RawFork::Told { child, background } => (child, background),
        };
        if !background && at + 1 < count {
            return Err(format!(
                "forks \"{child}\" and goes on: say \"background\": true, or fork at the last turn"
            ));
        }
        // What follows the last turn is waited for before the thread ends.
        let join = if background { NEVER } else { count as u32 };
        starts.push(Start { child, is_fork: true, join });
    }
    for spawn in raw.spawns {
        let (children, join_at) = match spawn {
            RawSpawn::Child(child) => (vec![child], None),
            RawSpawn::Told { children, join_at } => (children, join_at),
        };
        if children.is_empty() {
            return Err("spawns nobody".to_owned());
        }
        if let Some(join) = join_at
            && !(at + 1..count).contains(&(join as usize))
        {
            return Err(format!("`join_at` is {join}: it is a later turn of {count}, from 0"));
        }
        let join = join_at.unwrap_or(at as u32 + 1);
        starts.extend(children.into_iter().map(|child| Start { child, is_fork: false, join }));
    }
    for (number, start) in starts.iter().enumerate() {
        if starts[..number].iter().any(|other| other.child == start.child) {
            return Err(format!("starts \"{}\" twice", start.child));
        }
    }
    let output = output.map(|output| output.clamp(1, TOKENS_MAX) as u32);
    Ok(Turn { parts, output, is_estimated, asks: true, pause: pause(raw.delay)?, starts })
}

fn pause(ms: f64) -> Result<Span, String> {
    match ms {
        0.0..=3.2e14 => Ok(Span::from_seconds(ms / 1e3)),
        _ => Err(format!("a pause of {ms} ms is none within ten years")),
    }
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

fn mix_in(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A message: what tells it from others, and its tokens.
fn said(message: &Value, is_estimated: &mut bool) -> Result<(u64, u32), String> {
    let role = message.get("role").and_then(Value::as_str).ok_or("a message has no `role`")?;
    let told = ["tokens", "token_count"].iter().find_map(|key| message.get(key)?.as_u64());
    let mut text = String::new();
    match message.get("content") {
        Some(Value::String(content)) => text.push_str(content),
        Some(Value::Array(parts)) => {
            for part in parts {
                match part.get("text").and_then(Value::as_str) {
                    Some(part) => text.push_str(part),
                    // A picture has no tokens here; its kind tells it from others.
                    None => text.push_str(part.get("type").and_then(Value::as_str).unwrap_or("")),
                }
            }
        }
        _ => {}
    }
    if let Some(calls) = message.get("tool_calls") {
        text.push_str(&calls.to_string());
    }
    Ok(part(role, &text, told, is_estimated))
}

fn part(role: &str, text: &str, told: Option<u64>, is_estimated: &mut bool) -> (u64, u32) {
    *is_estimated |= told.is_none();
    let tokens = told.unwrap_or_else(|| (text.chars().count() as u64).div_ceil(TOKEN_CHARS));
    let tokens = tokens.clamp(1, TOKENS_MAX);
    let bytes = [role.as_bytes(), b"\n", text.as_bytes(), &tokens.to_le_bytes()];
    (bytes.into_iter().fold(FNV, mix_in), tokens as u32)
}

/// Refuses children that are missing, that two conversations fork, and cycles; returns
/// the conversations that others start.
fn judge(known: &IndexMap<String, Conversation>) -> Result<HashMap<&str, &str>, Fault> {
    let mut children: HashMap<&str, &str> = HashMap::new();
    let mut forked: HashMap<&str, &str> = HashMap::new();
    for (name, conversation) in known {
        let firsts = conversation.first.iter().map(|child| (child, false));
        let starts = conversation.turns.iter().flat_map(|turn| &turn.starts);
        for (child, is_fork) in firsts.chain(starts.map(|start| (&start.child, start.is_fork))) {
            if !known.contains_key(child.as_str()) {
                let problem = format!("session \"{name}\" starts \"{child}\", which is not there");
                return Err((conversation.line, problem, "add it, or do not start it"));
            }
            children.insert(child, name);
            if is_fork && let Some(other) = forked.insert(child, name) {
                let problem = format!("\"{child}\" is forked by \"{other}\" and by \"{name}\"");
                return Err((
                    conversation.line,
                    problem,
                    "fork it once: it goes on with one of them",
                ));
            }
        }
    }
    for name in forked.keys() {
        let conversation = &known[*name];
        if conversation.is_isolated {
            let problem = format!("\"{name}\" is forked, and its turns carry all of their prompts");
            return Err((conversation.line, problem, "spawn it, or leave its `context_mode` out"));
        }
    }
    acyclic(known)?;
    Ok(children)
}

/// Refuses conversations that start each other in a circle.
fn acyclic(known: &IndexMap<String, Conversation>) -> Result<(), Fault> {
    let below = |at: usize| {
        let (_, conversation) = known.get_index(at).expect("a conversation");
        let starts = conversation.turns.iter().flat_map(|turn| &turn.starts);
        let children = conversation.first.iter().chain(starts.map(|start| &start.child));
        children.map(|child| known.get_index_of(child).expect("judged")).collect::<Vec<usize>>()
    };
    // Depth first: 1 while it is on the way down, 2 when all below is known.
    let mut state = vec![0u8; known.len()];
    for root in 0..known.len() {
        let mut way: Vec<(usize, Vec<usize>)> = Vec::new();
        if state[root] == 0 {
            state[root] = 1;
            way.push((root, below(root)));
        }
        while let Some((at, left)) = way.last_mut() {
            let Some(child) = left.pop() else {
                state[*at] = 2;
                way.pop();
                continue;
            };
            if state[child] == 1 {
                let from = way.iter().position(|(at, _)| *at == child).expect("on the way");
                let names = way[from..].iter().map(|(at, _)| *at).chain([child]);
                let names = names.map(|at| known.get_index(at).expect("known").0.as_str());
                let circle = names.collect::<Vec<&str>>().join(" -> ");
                let line = known[child].line;
                return Err((
                    line,
                    format!("sessions start each other: {circle}"),
                    "cut the circle",
                ));
            }
            if state[child] == 0 {
                state[child] = 1;
                way.push((child, below(child)));
            }
        }
    }
    Ok(())
}

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
}

/// Makes threads of conversations.
struct Grower<'k> {
    known: &'k IndexMap<String, Conversation>,
    output: u32,
    graph: Graph,
    nodes: Vec<Node>,
    /// Nodes by parent and fold.
    named: HashMap<(u32, u64), u32>,
    calls: usize,
}

impl<'k> Grower<'k> {
    fn new(known: &'k IndexMap<String, Conversation>, output: u32) -> Self {
        let mut graph = Graph::default();
        graph.kinds.extend(KINDS.map(str::to_owned));
        let (nodes, named) = Default::default();
        Grower { known, output, graph, nodes, named, calls: 0 }
    }

    /// The thread of a conversation that goes on with what `node` ends, or is spawned.
    fn thread(&mut self, name: &str, depth: usize, node: Option<u32>) -> Result<Draft, Fault> {
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
            let mut repeated = self.until(at);
            for &(fold, tokens) in &turn.parts {
                at = self.node(at, Some(fold), tokens);
                repeated = if at < before { self.until(at) } else { repeated };
            }
            let prompt = if turn.asks { self.until(at) } else { 0 };
            let output = turn.output.unwrap_or(self.output);
            if turn.asks {
                at = self.node(at, None, output);
                self.graph.notes.estimated_calls += u64::from(turn.is_estimated);
                self.graph.notes.unsaid_outputs += u64::from(turn.output.is_none());
            }
            let call = RecordedCall {
                pause: turn.pause,
                prompt,
                output,
                repeated: repeated.min(prompt),
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
        self.nodes.push(Node { parent, strand, from, until, goes_on: false });
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
