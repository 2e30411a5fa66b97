//! Whether conversations can start each other as they say.

use super::Fault;
use super::conversation::Conversation;
use indexmap::IndexMap;
use std::collections::HashMap;

/// Refuses children that are missing, that two conversations fork, and cycles; returns
/// the conversations that others start.
pub(super) fn judge(known: &IndexMap<String, Conversation>) -> Result<HashMap<&str, &str>, Fault> {
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
