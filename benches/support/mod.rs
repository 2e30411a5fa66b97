//! What the benches share: CPU time, interleaved repetitions, quartiles, tables.
//!
//! Machines are shared and wall clocks lie, so everything is measured as CPU
//! time of the thread (or process) that does the work. What is compared takes
//! turns within one process, so that a slow minute slows all of it, and what is
//! printed is the median and the quartiles over the turns.

// Each bench compiles this file for itself and uses its part of it.
#![allow(dead_code)]

use cpu_time::ThreadTime;
use std::path::Path;
use tokenmill::kernel::Span;
use tokenmill::metrics::RunRecord;
use tokenmill::scenario::{Overrides, Scenario, parse};
use tokenmill::simulation::{Options, run};

/// First quartile, median and third quartile.
#[derive(Clone, Copy, Debug)]
pub struct Quartiles {
    /// A quarter of the values lies below.
    pub low: f64,
    /// Half of the values lies below.
    pub median: f64,
    /// Three quarters of the values lie below.
    pub high: f64,
}

impl Quartiles {
    /// The quartiles of `values`, of which there is at least one.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |fraction: f64| {
            let place = fraction * (sorted.len() - 1) as f64;
            let (below, part) = (place as usize, place.fract());
            let above = (below + 1).min(sorted.len() - 1);
            sorted[below] + part * (sorted[above] - sorted[below])
        };
        Quartiles { low: at(0.25), median: at(0.5), high: at(0.75) }
    }

    /// `median [low - high]` with `digits` decimals.
    pub fn text(&self, digits: usize) -> String {
        let Quartiles { low, median, high } = self;
        format!("{median:.digits$} [{low:.digits$} - {high:.digits$}]")
    }
}

/// CPU seconds of this thread that `work` takes, and what it returns.
pub fn cpu_seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = ThreadTime::now();
    let result = work();
    (start.elapsed().as_secs_f64(), result)
}

/// Runs each of `arms` once to warm up and then `turns` times, taking turns;
/// returns the values of each arm.
pub fn interleave<T>(turns: usize, arms: &mut [Box<dyn FnMut() -> T + '_>]) -> Vec<Vec<T>> {
    for arm in arms.iter_mut() {
        std::hint::black_box(arm());
    }
    let mut values: Vec<Vec<T>> = arms.iter().map(|_| Vec::with_capacity(turns)).collect();
    for _ in 0..turns {
        for (arm, values) in arms.iter_mut().zip(&mut values) {
            values.push(arm());
        }
    }
    values
}

/// The checked scenario of `toml`.
pub fn scenario(toml: &str) -> Scenario {
    match parse(toml, "bench.toml", Path::new("."), &Overrides::default()) {
        Ok(loaded) => loaded.scenario,
        Err(error) => panic!("{error}"),
    }
}

/// The same scenario, ending its arrivals after `seconds`.
pub fn lasting(scenario: &Scenario, seconds: f64) -> Scenario {
    Scenario { duration: Some(Span::from_seconds(seconds)), ..scenario.clone() }
}

/// Simulates a replication on this thread; CPU seconds and the record.
pub fn simulate(scenario: &Scenario, replication: u64) -> (f64, RunRecord) {
    cpu_seconds(|| run(scenario, replication, Options::default()))
}

/// The chat row: one replica of llama-3.1-8b on an H100, 1000 tokens in, 250 out.
pub const CHAT: Chat = Chat {
    replicas: 1,
    prompt: "1_000",
    output: "250",
    router: "least-loaded",
    engine: "",
    arrivals: Arrive::Load(0.7),
};

/// A chat scenario; see [`CHAT`].
#[derive(Clone, Copy, Debug)]
pub struct Chat {
    /// Replicas of the pool.
    pub replicas: u32,
    /// TOML value of `prompt_tokens`.
    pub prompt: &'static str,
    /// TOML value of `output_tokens`.
    pub output: &'static str,
    /// Routing policy.
    pub router: &'static str,
    /// Further keys of the engine, each after a comma.
    pub engine: &'static str,
    /// Who calls.
    pub arrivals: Arrive,
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub enum Arrive {
    /// Poisson arrivals at this share of what the replicas can serve.
    Load(f64),
    /// Poisson arrivals at this rate, calls/s, all replicas together.
    Rate(f64),
    /// Clients of a closed loop without thinking, all replicas together.
    Clients(u32),
}

impl Chat {
    /// The scenario, without a duration that matters.
    pub fn scenario(&self) -> Scenario {
        let arrivals = match self.arrivals {
            Arrive::Load(share) => {
                let rate = share * self.saturation() * f64::from(self.replicas);
                return Chat { arrivals: Arrive::Rate(rate), ..*self }.scenario();
            }
            Arrive::Rate(rate) => format!("process = \"poisson\", rate = \"{rate:.6} /s\""),
            Arrive::Clients(clients) => format!("process = \"closed-loop\", clients = {clients}"),
        };
        scenario(&format!(
            r#"
            name = "chat"
            duration = "1 h"
            warm_up = "0 s"
            [[pool]]
            name = "assistant"
            model = "llama-3.1-8b"
            hardware = "h100-sxm"
            replicas = {replicas}
            router = {{ policy = "{router}" }}
            engine = {{ max_num_seqs = 256{engine} }}
            [[use_case]]
            name = "chat"
            arrivals = {{ {arrivals} }}
            prompt_tokens = {prompt}
            output_tokens = {output}
            "#,
            replicas = self.replicas,
            router = self.router,
            engine = self.engine,
            prompt = self.prompt,
            output = self.output,
        ))
    }

    /// Calls/s that one replica completes when it is never short of work: the
    /// throughput of as many clients as it runs sequences at once (256), who
    /// do not think, over 2,000 simulated seconds.
    pub fn saturation(&self) -> f64 {
        let full = Chat { replicas: 1, arrivals: Arrive::Clients(256), ..*self };
        let record = run(&lasting(&full.scenario(), 2_000.0), 0, Options::default());
        record.whole.pools[0].finished as f64 / record.whole.window_s
    }

    /// The arrivals' rate in calls/s, all replicas together.
    pub fn rate(&self) -> f64 {
        match self.arrivals {
            Arrive::Load(share) => share * self.saturation() * f64::from(self.replicas),
            Arrive::Rate(rate) => rate,
            Arrive::Clients(_) => panic!("clients have no rate"),
        }
    }
}

/// Sessions a second and replica that load [`multi_turn`] to about 70 %.
pub const MULTI_TURN_RATE: f64 = 0.12;

/// 12-turn sessions, 1,500 tokens in and 250 out a turn, behind one of 8 prefixes
/// of 450 tokens (0.3 of the first prompt), 3 s between turns; `replicas` of
/// llama-3.1-8b on an H100, prefix cache on.
/// Whole runs: the regime is terminating.
pub fn multi_turn(router: &str, replicas: u32, sessions_per_second: f64) -> Scenario {
    scenario(&format!(
        r#"
        name = "sessions"
        duration = "1 h"
        regime = "terminating"
        [[pool]]
        name = "agents"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        replicas = {replicas}
        router = {{ policy = "{router}" }}
        engine = {{ max_num_seqs = 256 }}
        [[use_case]]
        name = "agent"
        arrivals = {{ process = "poisson", rate = "{sessions_per_second:.6} /s" }}
        prefix = [{{ tokens = 450, groups = 8 }}]
        session = {{ turns = 12, think = "3 s" }}
        prompt_tokens = 1_500
        output_tokens = 250
        "#
    ))
}

/// Coding agents of the catalog in a closed loop, who keep their replica. One is never
/// between two runs: when a run has ended the next session begins.
#[derive(Clone, Copy, Debug)]
pub struct Agents {
    /// Agents, all at work at once.
    pub agents: u32,
    /// Replicas of qwen3-30b-a3b-2507 in fp8.
    pub replicas: u32,
    /// GPUs of a replica.
    pub hardware: &'static str,
    /// How many of them.
    pub tensor_parallel: u32,
    /// Sessions have pauses and several runs, as in the catalog.
    pub pause: bool,
}

/// 10,000 agents whose contexts all have room: 64 replicas of four GB300.
pub const AGENTS: Agents =
    Agents { agents: 10_000, replicas: 64, hardware: "gb300", tensor_parallel: 4, pause: false };

impl Agents {
    /// The scenario: an hour, all of it measured.
    pub fn scenario(&self) -> Scenario {
        let Agents { agents, replicas, hardware, tensor_parallel, pause } = self;
        let session = if *pause { "" } else { "session = { runs = 1 }" };
        scenario(&format!(
            r#"
            name = "agents"
            duration = "1 h"
            warm_up = "0 s"
            [[pool]]
            name = "coder"
            model = "qwen3-30b-a3b-2507"
            hardware = "{hardware}"
            tensor_parallel = {tensor_parallel}
            precision = "fp8"
            kv_precision = "fp8"
            engine = {{ max_num_seqs = 256 }}
            replicas = {replicas}
            router = {{ policy = "session-affinity" }}
            [[use_case]]
            name = "developers"
            agent = "worker"
            arrivals = {{ process = "closed-loop", clients = {agents} }}
            [[agent]]
            name = "worker"
            base = "coding-agent"
            {session}
            "#
        ))
    }
}

/// Prints a table whose columns are as wide as their widest cell.
pub fn table(header: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("| {} |", padded.join(" | "));
    };
    line(&mut header.iter().copied());
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&mut dashes.iter().map(String::as_str));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    println!();
}
