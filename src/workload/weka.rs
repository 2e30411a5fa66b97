//! WEKA's coding-agent sessions: a JSON object a session with `requests`, each
//! a call (`t` in s, `in` and `out` in tokens, `hash_ids`) or a sub-agent with
//! `requests` of its own whose `t` counts from its start
//! (<https://github.com/callanjfox/kv-cache-tester>).
//!
//! Ids may also be run-length coded: `hash_rle`, a list of first id and count.
//! With `hash_id_scope` "local", which is the default, they are known within
//! one session and its sub-agents only. Every session starts at its own zero;
//! `session_gap_ticks` spreads them. A file is one session, a list of them, or
//! several one after the other, best one a line: then a broken one can be left
//! out.

use super::ids::{Id, Ids};
use super::mooncake::{explain, ticks};
use super::read::{Builder, Link, Record, next_line_up_to, shorten};
use crate::kernel::TICKS_PER_SECOND;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, Read};

/// Prompt tokens of one block where a session does not say.
const BLOCK_TOKENS: u32 = 64;
/// Longest session, in bytes of JSON.
const SESSION_MAX: u64 = 1 << 30;
/// Most blocks of one prompt.
const BLOCKS_MAX: u64 = 1 << 26;
/// How deep sub-agents may nest, and how many seconds a session may last.
pub(super) const DEPTH_MAX: u32 = 64;
pub(super) const SECONDS_MAX: f64 = 3_653.0 * 86_400.0;
const EXAMPLE: &str = "{\"id\": \"a\", \"block_size\": 64, \"requests\": [{\"t\": 0.0, \
    \"type\": \"n\", \"in\": 17209, \"out\": 275, \"hash_ids\": [..]}]}";

/// A session whose requests are read as `E`.
#[derive(Deserialize)]
struct Session<E> {
    block_size: Option<u32>,
    hash_id_scope: Option<String>,
    requests: Vec<E>,
}

/// A call, or a sub-agent.
#[derive(Deserialize)]
struct Entry {
    t: Option<f64>,
    #[serde(rename = "in")]
    input: Option<u32>,
    out: Option<u32>,
    #[serde(default)]
    hash_ids: Ids,
    hash_rle: Option<Vec<(Id, u64)>>,
    requests: Option<Vec<Entry>>,
}

/// Where a session stands in the file, and what holds for all of it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its line.
    pub line: usize,
    /// The beginning of its text.
    pub shown: String,
    /// Sessions before it.
    pub number: u32,
    /// Where its ids are known.
    pub scope: u32,
}

/// Who takes a session.
type Take<'t, E> = &'t mut dyn FnMut(&Place, Vec<E>, &mut Builder<'_>);

pub(super) fn read(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    // Sessions and sub-agents so far.
    let mut agents = 0;
    each_session(input, builder, &mut |place, requests: Vec<Entry>, builder| {
        let start = i128::from(builder.options.session_gap_ticks) * i128::from(place.number);
        builder.settle(start);
        let mut records = Vec::new();
        if let Err(problem) = calls(requests, 0.0, DEPTH_MAX, &mut agents, &mut records) {
            return builder.add(place.line, place.shown.as_bytes(), Err(problem));
        }
        for (seconds, record) in records {
            let at_ticks = Some(start + ticks(seconds, TICKS_PER_SECOND as f64));
            let record = Record { at_ticks, scope: place.scope, ..record };
            builder.add(place.line, place.shown.as_bytes(), Ok(record));
        }
    });
}

/// Hands on all sessions that can be read.
pub(super) fn each_session<E: DeserializeOwned>(
    input: &mut impl BufRead,
    builder: &mut Builder<'_>,
    take: Take<'_, E>,
) {
    let mut reader = Reader { block_tokens: None, sessions: 0, take };
    let mut bytes = Vec::new();
    let mut is_first = true;
    while let Some((number, line)) = next_line_up_to(SESSION_MAX, input, &mut bytes, builder) {
        match serde_json::from_slice::<Session<E>>(line) {
            Ok(session) => reader.session(number, &shorten(line), session, builder),
            // Its first line is not all of it: a document over several lines.
            Err(error) if is_first && (error.is_eof() || line.starts_with(b"[")) => {
                let text = line.to_vec();
                return reader.document(number, text, input, builder);
            }
            Err(error) => builder.add(number, line, Err(explain(&error, line, EXAMPLE))),
        }
        is_first = false;
    }
}

/// What is known of the file so far.
struct Reader<'t, E> {
    block_tokens: Option<u32>,
    sessions: u32,
    take: Take<'t, E>,
}

impl<E: DeserializeOwned> Reader<'_, E> {
    /// Reads a whole document, which begins with `text` on line `number`.
    fn document(
        &mut self,
        number: usize,
        mut text: Vec<u8>,
        input: &mut impl BufRead,
        builder: &mut Builder<'_>,
    ) {
        text.push(b'\n');
        if let Err(error) = input.take(SESSION_MAX).read_to_end(&mut text) {
            return builder.fault(None, None, error.to_string(), "give a readable file");
        }
        let wrong = |builder: &mut Builder<'_>, error: &serde_json::Error| {
            let line = number + error.line().max(1) - 1;
            builder.fault(Some(line), None, explain(error, &[], EXAMPLE), "mend the file");
        };
        if text.starts_with(b"[") {
            return match serde_json::from_slice::<Vec<Session<E>>>(&text) {
                Ok(list) => list.into_iter().for_each(|s| self.session(number, "[", s, builder)),
                Err(error) => wrong(builder, &error),
            };
        }
        let mut start = 0;
        let mut sessions = serde_json::Deserializer::from_slice(&text).into_iter::<Session<E>>();
        while let Some(session) = sessions.next() {
            let line = number + text[..start].iter().filter(|byte| **byte == b'\n').count();
            start = sessions.byte_offset();
            match session {
                Ok(session) => self.session(line, "{", session, builder),
                Err(error) => return wrong(builder, &error),
            }
        }
    }

    fn session(
        &mut self,
        line: usize,
        shown: &str,
        session: Session<E>,
        builder: &mut Builder<'_>,
    ) {
        let own = session.block_size.unwrap_or(BLOCK_TOKENS);
        let known = *self.block_tokens.get_or_insert(own);
        if own != known || own == 0 {
            let problem = match own {
                0 => "`block_size` is 0".to_owned(),
                _ => format!("`block_size` is {own}, and was {known} before"),
            };
            return builder.add(line, shown.as_bytes(), Err(problem));
        }
        builder.default_block_tokens(own);
        let number = self.sessions;
        self.sessions += 1;
        let scope = match session.hash_id_scope.as_deref() {
            Some("global") => 0,
            _ => self.sessions,
        };
        let place = Place { line, shown: shown.to_owned(), number, scope };
        (self.take)(&place, session.requests, builder);
    }
}

/// The calls of `entries`, which count time from `start`, in the order of the file;
/// `agents` counts those whose calls they are.
fn calls(
    entries: Vec<Entry>,
    start: f64,
    depth: u32,
    agents: &mut u64,
    found: &mut Vec<(f64, Record)>,
) -> Result<(), String> {
    *agents += 1;
    let link = Link::Session(*agents);
    for entry in entries {
        let t = entry.t.unwrap_or(0.0);
        let at = start + t;
        if !(t >= 0.0 && at <= SECONDS_MAX) {
            return Err(format!("`t` = {t} is not a time within ten years"));
        }
        if let Some(inner) = entry.requests {
            let deeper = depth.checked_sub(1).ok_or("nests sub-agents too deeply")?;
            calls(inner, at, deeper, agents, found)?;
            continue;
        }
        let prompt = entry.input.ok_or_else(|| format!("the request at t = {t} has no `in`"))?;
        let prefix_ids = match entry.hash_rle {
            Some(runs) => expand(&runs)?,
            None => entry.hash_ids.0,
        };
        let output = entry.out.unwrap_or(0);
        found.push((at, Record { prompt, output, prefix_ids, link, ..Record::default() }));
    }
    Ok(())
}

/// The ids of run-length coded ones.
pub(super) fn expand(runs: &[(Id, u64)]) -> Result<Vec<u64>, String> {
    let total = runs.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    if total > BLOCKS_MAX {
        return Err(format!("`hash_rle` counts {total} blocks in one prompt"));
    }
    let run = |&(Id(first), count): &(Id, u64)| (0..count).map(move |i| first.wrapping_add(i));
    Ok(runs.iter().flat_map(run).collect())
}

#[cfg(test)]
mod tests {
    use crate::workload::{Format, IdsName, PrefixTree, ReadOptions};

    const A: &str = "{\"id\": \"a\", \"block_size\": 64, \"hash_id_scope\": \"local\", \
        \"requests\": [{\"t\": 0.5, \"type\": \"n\", \"in\": 130, \"out\": 5, \
        \"hash_rle\": [[1, 2]]}, {\"t\": 2.0, \"type\": \"subagent\", \"requests\": \
        [{\"t\": 1.0, \"type\": \"s\", \"in\": 70, \"hash_ids\": [9]}]}, \
        {\"t\": 2.5, \"type\": \"n\", \"in\": 192, \"hash_rle\": [[1, 2], [7, 1]]}]}";

    fn read(text: &str, options: ReadOptions) -> Result<PrefixTree, String> {
        let prefixes = IdsName::Prefixes;
        PrefixTree::read(Format::Weka, text.as_bytes(), "t.json", options, prefixes)
            .map_err(|mistakes| mistakes.iter().map(|m| format!("{m}\n")).collect())
    }

    /// Seconds and last node of each request.
    fn requests(tree: &PrefixTree) -> Vec<(f64, u32)> {
        tree.requests.iter().map(|r| (r.at_s - 0.5, r.node)).collect()
    }

    #[test]
    fn sessions_keep_their_ids_to_themselves_and_share_them_with_their_agents() {
        let two = format!("{A}\n\n{A}\n");
        let tree = read(&two, ReadOptions::default()).unwrap();
        assert_eq!(tree.block_tokens, 64);
        let expected = [(0.0, 1), (0.0, 5), (2.0, 3), (2.0, 7), (2.5, 2), (2.5, 6)];
        assert_eq!(requests(&tree), expected);
        let options = ReadOptions { session_gap_ticks: 10_000_000_000, ..ReadOptions::default() };
        assert_eq!(requests(&read(&two, options).unwrap())[1], (1.0, 5));
        let tree = read(&two.replace("local", "global"), ReadOptions::default()).unwrap();
        assert_eq!(tree.parent.len(), 4);
    }

    #[test]
    fn documents_of_several_lines() {
        let pretty = A.replace(", ", ",\n ");
        let expected = requests(&read(A, ReadOptions::default()).unwrap());
        assert_eq!(requests(&read(&pretty, ReadOptions::default()).unwrap()), expected);
        for two in [format!("[{A},\n{A}]"), format!("{pretty}\n{pretty}\n")] {
            assert_eq!(read(&two, ReadOptions::default()).unwrap().requests.len(), 6);
        }
        let error = read(&format!("{pretty}\n{{\"requests\": 7}}"), ReadOptions::default());
        let error = error.unwrap_err();
        let lines = pretty.lines().count() + 1;
        assert!(error.contains(&format!("t.json:{lines}: ")), "{error}");
    }

    #[test]
    fn broken_sessions_are_named() {
        let skip = ReadOptions { skip_bad_lines: true, ..ReadOptions::default() };
        for (wrong, problem) in [
            (A.replace("\"t\": 0.5", "\"t\": -0.5"), "not a time"),
            (A.replace("\"block_size\": 64", "\"block_size\": 128"), "was 64 before"),
            (A.replace("\"in\": 70, ", ""), "has no `in`"),
            (A.replace("[[1, 2]]", "[[1, 99999999999]]"), "counts 99999999999 blocks"),
            ("{}".to_owned(), "missing field `requests`"),
        ] {
            let text = format!("{A}\n{wrong}\n");
            let error = read(&text, ReadOptions::default()).unwrap_err();
            assert!(error.contains("t.json:2: ") && error.contains(problem), "{error}");
            let tree = read(&text, skip.clone()).unwrap();
            assert_eq!((tree.tally.skipped_lines, tree.requests.len()), (1, 3));
        }
    }
}
