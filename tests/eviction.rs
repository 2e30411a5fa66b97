//! The eviction policy as a key that is swept, from scenario file to outputs.

mod common;

use common::Folder;
use serde_json::Value;

/// Sessions whose contexts are several times what 1,500 KV blocks hold, behind
/// system prompts of which some are popular.
const SCENARIO: &str = r#"name = "s"
duration = "90 s"
warm_up = "10 s"
replications = 2

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { kv_blocks = 1_500, eviction = "lru" }

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "1 /s" }
prefix = [{ tokens = 800, groups = 30, zipf = 1.0 }]
session = { turns = 4, think = "5 s" }
prompt_tokens = { distribution = "lognormal", median = 200, sigma = 0.9 }
output_tokens = 40

"#;

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let output = folder.tokenmill(arguments).args(["--json", "--no-progress"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn sweep(eviction: &str, axis: &str) -> (Folder, Vec<Value>) {
    let text = SCENARIO.replace("\"lru\"", eviction) + &format!("[sweep]\n{axis}\n");
    let folder = Folder::new(&text);
    let mut sweep = json(&folder, &["sweep", "s.toml", "--out", "sweep"]);
    let points = sweep["points"].take().as_array_mut().map(std::mem::take);
    (folder, points.expect("points"))
}

fn hits(point: &Value) -> f64 {
    point["figures"]["pools.a.cache_hit_fraction"]["mean"].as_f64().expect("a hit rate")
}

#[test]
fn policies_are_swept_by_name_and_each_point_is_the_run_with_that_policy() {
    const POLICIES: [&str; 6] = ["lru", "lfu", "s3-fifo", "ttl", "cost-aware", "agent-hold"];
    let axis = format!("\"pool.a.engine.eviction\" = {POLICIES:?}");
    let (folder, points) = sweep("\"lru\"", &axis);
    assert_eq!(points.len(), POLICIES.len());
    for (point, policy) in points.iter().zip(POLICIES) {
        assert_eq!(point["values"]["pool.a.engine.eviction"], policy);
        let set = format!("pool.a.engine.eviction={policy}");
        let run = json(&folder, &["run", "s.toml", "--set", &set, "--out", "run"]);
        assert_eq!(point["digest"], run["digest"], "{policy}");
        assert!((0.2..0.95).contains(&hits(point)), "{policy} hits {}", hits(point));
    }
    // Nothing lives five minutes here, and no agent waits for tools, so `ttl` and
    // `agent-hold` do what `lru` does; the others do something else.
    let digest = |at: usize| points[at]["digest"].as_str().unwrap();
    assert_eq!((digest(0), digest(0)), (digest(3), digest(5)));
    for (one, other) in [(0, 1), (0, 2), (0, 4), (1, 2), (1, 4), (2, 4)] {
        assert_ne!(digest(one), digest(other), "{} and {}", POLICIES[one], POLICIES[other]);
    }
    let table = std::fs::read_to_string(folder.path("sweep/points.csv")).unwrap();
    assert!(POLICIES.iter().all(|policy| table.contains(policy)), "{table}");
}

#[test]
fn a_parameter_of_a_policy_is_swept_too() {
    let ttl = "{ policy = \"ttl\", ttl = \"5 s\" }";
    let axis = "\"pool.a.engine.eviction.ttl\" = [\"2 s\", \"8 s\", \"1 h\"]";
    let (_folder, points) = sweep(ttl, axis);
    let found: Vec<f64> = points.iter().map(hits).collect();
    assert!(found[0] < found[1] && found[1] <= found[2], "{found:?}");
}

/// Agents that wait ten seconds for their tools, beside prompts that nobody repeats:
/// what the agents go on from is about half of 3,000 KV blocks.
const AGENTS: &str = r#"name = "s"
duration = "20 min"
warm_up = "10 min"
replications = 2

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { kv_blocks = 3_000, eviction = { policy = "agent-hold", hold = "60 s" } }

[[use_case]]
name = "agents"
agent = "worker"
arrivals = { process = "closed-loop", clients = 5 }

[[use_case]]
name = "others"
arrivals = { process = "poisson", rate = "3 /s" }
prompt_tokens = 1_500
output_tokens = 20

[[agent]]
name = "worker"
context = { message_tokens = 4_000 }
turns = { count = 10, output_tokens = 60 }

[agent.tools]
calls = [1.0]
class = [{ name = "t", latency = { distribution = "exponential", mean = "10 s" }, result_tokens = 300 }]

"#;

fn figure(point: &Value, name: &str) -> f64 {
    point["figures"][name]["mean"].as_f64().unwrap_or_else(|| panic!("{name} in {point}"))
}

#[test]
fn contexts_are_there_after_the_tools_of_agents_if_they_are_held_as_long() {
    let axis = "\"pool.a.engine.eviction.hold\" = [\"1 ms\", \"15 s\", \"60 s\"]";
    let folder = Folder::new(&format!("{AGENTS}[sweep]\n{axis}\n"));
    let sweep = json(&folder, &["sweep", "s.toml", "--out", "sweep"]);
    let points = sweep["points"].as_array().expect("points");
    let each = |name: &str| -> Vec<f64> {
        let name = format!("use_cases.agents.{name}");
        points.iter().map(|point| figure(point, &name)).collect()
    };
    let set = "pool.a.engine.eviction=lru";
    let lru = json(&folder, &["run", "s.toml", "--set", set, "--out", "lru"]);
    let of_lru = lru["use_cases"]["agents"]["cache_hit_fraction"]["mean"].as_f64().unwrap();
    // 22 % of the tools take longer than 15 s, one in 400 longer than 60 s.
    let hits = each("cache_hit_fraction");
    assert!((hits[0] - of_lru).abs() < 0.01, "{hits:?} {of_lru}");
    assert!(hits[0] + 0.2 < hits[1] && hits[1] + 0.1 < hits[2], "{hits:?}");
    let prefill = each("agents.worker.path.prefill_s.mean");
    assert!(prefill[0] > 1.5 * prefill[1] && prefill[1] > 1.5 * prefill[2], "{prefill:?}");
    let runs = each("agents.worker.run_s.mean");
    assert!(runs[0] > runs[1] && runs[1] > runs[2], "{runs:?}");
}
