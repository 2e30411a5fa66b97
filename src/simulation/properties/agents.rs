//! Random crews: agents of a few turns with tools, sub-agents and limits.

use crate::catalog::{Agent, Catalog, RawAgent};
use crate::kernel::Span;
use crate::scenario::ToolPool;
use crate::workload::agent::{Crew, Member};
use proptest::prelude::*;
use std::sync::Arc;

fn agent(text: &str) -> RawAgent {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What an agent says and does, its sub-agents apart.
fn body() -> impl Strategy<Value = String> {
    let context = (0..60u32, 0..40u32, 1..4u32, 0..50u32, 1..120u32).prop_map(
        |(global, group, groups, session, message)| {
            let groups = if group > 0 { groups } else { 1 };
            format!(
                "[context]\nglobal_tokens = {global}\ngroup_tokens = {group}\ngroups = {groups}\n\
                 session_tokens = {session}\nmessage_tokens = {message}\n"
            )
        },
    );
    let turns = (1..5u32, 1..60u32).prop_map(|(turns, output)| {
        format!(
            "[turns]\ncount = {{ distribution = \"uniform\", low = 0.5, high = {turns}.5 }}\n\
             output_tokens = {{ distribution = \"uniform\", low = 1, high = {output}.5 }}\n"
        )
    });
    let thinking = proptest::option::of((0.1..1.0f64, 1..40u32, any::<bool>())).prop_map(|some| {
        some.map_or(String::new(), |(probability, tokens, kept)| {
            format!("[thinking]\nprobability = {probability}\ntokens = {tokens}\nkept = {kept}\n")
        })
    });
    let tools = proptest::option::weighted(0.8, (0..2u32, any::<bool>(), 0.0..0.4f64, 0.0..0.1f64));
    let tools = tools.prop_map(|some| {
        some.map_or(String::new(), |(calls, in_sequence, failure, mean_s)| {
            let calls = ["[1.0]", "[0.3, 0.5, 0.2]"][calls as usize];
            let order = if in_sequence { "sequence" } else { "parallel" };
            let latency =
                format!("{{ distribution = \"exponential\", mean = \"{} s\" }}", mean_s + 0.001);
            format!(
                "[tools]\ncalls = {calls}\norder = \"{order}\"\nfailure = {failure}\n\
                 error_tokens = 7\n[[tools.class]]\nname = \"a\"\nshare = 0.5\n\
                 latency = {latency}\nresult_tokens = 9\n[[tools.class]]\nname = \"b\"\n\
                 share = 0.5\nlatency = {latency}\nresult_tokens = 30\n"
            )
        })
    });
    let compaction = proptest::option::of(100..600u32).prop_map(|some| {
        some.map_or(String::new(), |above| {
            format!("[compaction]\nabove_tokens = {above}\nkeep_tokens = 20\noutput_tokens = 5\n")
        })
    });
    let limits = (proptest::option::of(0.01..1.0f64), proptest::option::of(0.01..0.5f64), 0..4u32);
    let limits = limits.prop_map(|(patience_s, timeout_s, retries)| {
        let key = |key: &str, seconds: Option<f64>| {
            seconds.map_or(String::new(), |seconds| format!("{key} = \"{seconds} s\"\n"))
        };
        let (patience, timeout) = (key("patience", patience_s), key("timeout", timeout_s));
        format!(
            "[limits]\ndeadline = \"0.5 s\"\n{patience}{timeout}retries = {retries}\ndepth = 2\n"
        )
    });
    (context, turns, thinking, tools, compaction, limits).prop_map(
        |(context, turns, thinking, tools, compaction, limits)| {
            format!("{context}{turns}{thinking}{tools}{compaction}{limits}")
        },
    )
}

fn children() -> impl Strategy<Value = String> {
    let kind = (0.1..1.0f64, 0..3u32, any::<bool>(), 0..2u32, any::<bool>());
    kind.prop_map(|(probability, order, forks, join, is_own_kind)| {
        let order = ["parallel", "sequence", "background"][order as usize];
        let join = match (order, join) {
            ("parallel", 1) => "join = { at_least = 2 }\n",
            _ => "",
        };
        format!(
            "[children]\nprobability = {probability}\nfan_out = [0.3, 0.4, 0.3]\nagent = \"{}\"\n\
             start = \"{}\"\norder = \"{order}\"\n{join}summary_tokens = 11\n",
            if is_own_kind { "root" } else { "child" },
            if forks { "fork" } else { "spawn" },
        )
    })
}

/// An agent, which may start others of its kind, or of another.
pub fn crew() -> impl Strategy<Value = Crew> {
    let runs = (1..4u32).prop_map(|runs| {
        format!(
            "[session]\nruns = {{ distribution = \"uniform\", low = 0.5, high = {runs}.5 }}\n\
                 gap = {{ distribution = \"exponential\", mean = \"0.05 s\" }}\n"
        )
    });
    let tool_pools = proptest::option::of((any::<bool>(), any::<bool>()));
    let parts = (runs, body(), proptest::option::weighted(0.6, children()), body(), tool_pools);
    parts.prop_map(|(runs, root, children, child, tool_pools)| {
        let mut catalog = Catalog::embedded().clone();
        let child = agent(&format!("name = \"child\"\n{child}"));
        let child = catalog.add_agent(&child).unwrap();
        let more = children.clone().unwrap_or_default();
        let root =
            catalog.add_agent(&agent(&format!("name = \"root\"\n{runs}{root}{more}"))).unwrap();
        let of_its_kind = more.contains("agent = \"root\"");
        let pools = tool_pools
            .map_or(Vec::new(), |(a, b)| [a, b].map(|is_pooled| is_pooled.then_some(0)).to_vec());
        let first = children.map(|_| u16::from(!of_its_kind));
        let members = vec![member(root, first, pools.clone()), member(child, None, pools)];
        Crew { members }
    })
}

fn member(agent: Arc<Agent>, child: Option<u16>, tool_pools: Vec<Option<u16>>) -> Member {
    Member { agent, site: None, share: 0.5, child, tool_pools }
}

/// With sub-agents at a site of their own.
pub fn with_site(mut crew: Crew, site: Option<u8>) -> Arc<Crew> {
    crew.members[1].site = site;
    Arc::new(crew)
}

/// A pool of few workers.
pub fn tool_pool() -> impl Strategy<Value = ToolPool> {
    (1..4u32, 0..2u32).prop_map(|(slots, start_up)| ToolPool {
        name: "workers".to_owned(),
        workers: 1,
        slots,
        start_up: Span::from_seconds(f64::from(start_up) * 0.01),
        usd_per_hour: None,
        watts: None,
    })
}
