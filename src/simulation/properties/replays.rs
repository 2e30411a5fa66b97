//! Random recordings.

use crate::catalog::Agent;
use crate::kernel::Span;
use crate::workload::agent::{Crew, Member, Repeats, Replay, Timing};
use crate::workload::{GraphFormat, ReadOptions, read_graph};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write;
use std::sync::Arc;

/// A call: prompt and output tokens, ids, times in ms, and whether it ends a run; its
/// model is the parity of its prompt.
type RecordedCall = (u32, u32, Vec<u8>, (u32, u32), bool);

/// A recorded sub-agent: its calls, and whether it runs beside.
type SubAgent = (Vec<RecordedCall>, bool);

fn calls(most: usize) -> impl Strategy<Value = Vec<RecordedCall>> {
    let call = (1..300u32, 1..20u32, vec(0..3u8, 0..6), (0..40u32, 0..60u32), any::<bool>());
    vec(call, 1..most)
}

/// Sessions of calls, each after which some sub-agents may start.
fn text() -> impl Strategy<Value = String> {
    let children = vec((calls(4), any::<bool>()), 0..3);
    let session = (calls(6), vec(children, 6));
    vec(session, 1..4).prop_map(|sessions| {
        let mut text = String::new();
        for (calls, children) in sessions {
            let mut at = 0;
            let mut items = Vec::new();
            for (call, children) in calls.iter().zip(&children) {
                items.push(written(call, &mut at));
                items.extend(children.iter().map(|child| sub_agent(child, at)));
            }
            let scope = if at % 2 == 0 { "local" } else { "global" };
            writeln!(
                text,
                "{{\"block_size\": 16, \"hash_id_scope\": \"{scope}\", \"requests\": [{}]}}",
                items.join(", ")
            )
            .unwrap();
        }
        text
    })
}

/// A call, and when it ends.
fn written((prompt, output, ids, (think, api), ends): &RecordedCall, at_ms: &mut u32) -> String {
    *at_ms += think;
    let ms = |ms: u32| f64::from(ms) / 1e3;
    let stop = if *ends { "end_turn" } else { "tool_use" };
    let line = format!(
        "{{\"t\": {}, \"in\": {prompt}, \"out\": {output}, \"hash_ids\": {ids:?}, \"stop\": \
         \"{stop}\", \"model\": \"{}\", \"api_time\": {}, \"think_time\": {}}}",
        ms(*at_ms),
        prompt % 2,
        ms(*api),
        ms(*think)
    );
    *at_ms += api;
    line
}

fn sub_agent((calls, is_beside): &SubAgent, at_ms: u32) -> String {
    let mut inner_ms = 0;
    let inner: Vec<String> = calls.iter().map(|call| written(call, &mut inner_ms)).collect();
    let status = if *is_beside { "async_launched" } else { "completed" };
    format!(
        "{{\"t\": {}, \"subagent_type\": \"x\", \"duration_ms\": {inner_ms}, \"status\": \
         \"{status}\", \"requests\": [{}]}}",
        f64::from(at_ms) / 1e3,
        inner.join(", ")
    )
}

/// A recording, replayed in any way.
pub fn replay() -> impl Strategy<Value = Replay> {
    let timing = prop_oneof![
        Just(Timing::ThinkOnly),
        Just(Timing::Recorded),
        (0.0..2.0).prop_map(Timing::ApiScaled)
    ];
    let repeats = prop_oneof![Just(Repeats::Fresh), Just(Repeats::Same)];
    let pause_max =
        proptest::option::of((0..20u32).prop_map(|ms| Span::from_seconds(f64::from(ms) / 1e3)));
    (text(), timing, repeats, pause_max).prop_map(|(text, timing, repeats, pause_max)| {
        let options = ReadOptions::default();
        let graph = read_graph(GraphFormat::Weka, text.as_bytes(), "t", options, 1).unwrap();
        let member = |kind: &String| Member {
            agent: Arc::new(Agent::recorded(kind, 1.0)),
            site: None,
            share: 1.0,
            child: None,
            tool_pools: Vec::new(),
        };
        let crew = Arc::new(Crew { members: graph.kinds.iter().map(member).collect() });
        let graph = Arc::new(graph);
        let (models, shares) = (Vec::new(), vec![(None, 1.0)]);
        Replay { graph, crew, models, shares, timing, time_scale: 1.0, pause_max, repeats }
    })
}

/// With sub-agents, and the calls of one model, at a site of their own.
pub fn with_site(replay: Replay, site: Option<u8>) -> Arc<Replay> {
    let mut members = replay.crew.members.clone();
    members.iter_mut().skip(1).for_each(|member| member.site = site);
    let models = vec![None, site];
    Arc::new(Replay { crew: Arc::new(Crew { members }), models, ..replay })
}
