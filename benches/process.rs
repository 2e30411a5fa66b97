//! What only a process of its own can tell: `cargo bench --bench process`.
//!
//! *Memory*: the largest resident set (`VmHWM`) of a child that simulates
//! 10 million calls of the chat row. *Agents*: the same of children that simulate
//! coding agents, by their number and by hours. *Start-up*: CPU and wall time of the
//! program's short verbs, a hundred runs each. *Instructions*: what callgrind
//! counts a call of the chat row and of 1000 replicas, between two horizons;
//! instruction counts do not predict time, but they repeat exactly, so they
//! show drift that a loaded machine hides. *Sweep*: CPU time and memory of
//! sweeps whose runs simulate next to nothing, so that what is left is what the
//! sweep adds to them. `-- memory`, `-- agents`, `-- start-up`,
//! `-- instructions` or `-- sweep` runs one of them.

mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;
use support::{AGENTS, Agents, Arrive, CHAT, Chat, MULTI_TURN_RATE, Quartiles};
use support::{lasting, multi_turn, table};
use tokenmill::simulation::{Options, run};

/// Runs of the program that one start-up figure is the mean of; the system
/// counts the CPU time of children in hundredths of a second.
const STARTS: u32 = 100;
/// Start-up figures taken.
const TURNS: usize = 7;

/// The child's part: simulates `calls` calls of the chat row, or of the
/// multi-turn sessions behind a `router`, and prints its own peak memory. Of agents it
/// is told hours in place of calls.
fn simulate_calls(work: &str, replicas: u32, calls: f64) {
    if work == "agents" {
        let agents = AGENTS.agents * replicas / AGENTS.replicas;
        let scenario = Agents { agents, replicas, ..AGENTS }.scenario();
        let record = run(&lasting(&scenario, calls * 3600.0), 0, Options::default());
        return println!("{} {}", record.calls, peak_kib());
    }
    let (scenario, rate) = match work {
        "chat" => {
            let rate = Chat { replicas, ..CHAT }.rate();
            (Chat { replicas, arrivals: Arrive::Rate(rate), ..CHAT }.scenario(), rate)
        }
        router => {
            let rate = MULTI_TURN_RATE * f64::from(replicas);
            (multi_turn(router, replicas, rate), 12.0 * rate)
        }
    };
    let record = run(&lasting(&scenario, calls / rate), 0, Options::default());
    println!("{} {}", record.calls, peak_kib());
}

/// Largest resident set of this process so far, KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a count")
}

/// This program as a child that simulates.
fn child_args(work: &str, replicas: u32, calls: f64) -> [String; 4] {
    ["simulate".to_owned(), work.to_owned(), replicas.to_string(), calls.to_string()]
}

/// Calls simulated and peak KiB of a child.
fn child_figures(output: &[u8]) -> (f64, f64) {
    let text = String::from_utf8_lossy(output);
    let mut figures = text.split_whitespace().map(|figure| figure.parse().expect("a figure"));
    (figures.next().expect("calls"), figures.next().expect("KiB"))
}

fn memory() {
    let this = std::env::current_exe().expect("a path");
    let rows: Vec<Vec<String>> = [0.0, 1e5, 1e6, 1e7]
        .iter()
        .map(|&calls| {
            let output =
                Command::new(&this).args(child_args("chat", 1, calls)).output().expect("a child");
            let (calls, kib) = child_figures(&output.stdout);
            vec![format!("{calls}"), format!("{:.1}", kib * 1024.0 / 1e6)]
        })
        .collect();
    table(&["calls", "peak resident memory, MB"], &rows);
}

/// Agents with their replicas, and hours: a quarter, the row of 10,000, four times as
/// many, and twice as long. From two hours on every metric has its million values.
fn agents_memory() {
    let this = std::env::current_exe().expect("a path");
    let rows = [(16, 2.0), (64, 2.0), (256, 2.0), (64, 4.0)].map(|(replicas, hours)| {
        let args = child_args("agents", replicas, hours);
        let output = Command::new(&this).args(args).output().expect("a child");
        let (calls, kib) = child_figures(&output.stdout);
        let agents = AGENTS.agents * replicas / AGENTS.replicas;
        let mb = kib * 1024.0 / 1e6;
        vec![agents.to_string(), hours.to_string(), calls.to_string(), format!("{mb:.1}")]
    });
    table(&["agents", "hours", "calls", "peak resident memory, MB"], &rows);
}

/// CPU seconds of the children waited for so far.
fn children_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(')').next().expect("fields");
    let ticks = after_name.split_whitespace().skip(13).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().expect("a count")).sum::<f64>() / 100.0
}

/// CPU and wall milliseconds of one run, mean of [`STARTS`].
fn start_ms(args: &[&str]) -> (f64, f64) {
    let (cpu, wall) = (children_cpu_seconds(), Instant::now());
    for _ in 0..STARTS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenmill"));
        let status = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.expect("it starts").success(), "tokenmill {args:?} failed");
    }
    let per_run = |seconds: f64| seconds * 1e3 / f64::from(STARTS);
    (per_run(children_cpu_seconds() - cpu), per_run(wall.elapsed().as_secs_f64()))
}

fn start_up() {
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/quickstart.toml");
    let verbs: [&[&str]; 3] = [&["--version"], &["catalog", "--json"], &["validate", quickstart]];
    let rows: Vec<Vec<String>> = verbs
        .iter()
        .map(|args| {
            let (cpu, wall): (Vec<f64>, Vec<f64>) = (0..TURNS).map(|_| start_ms(args)).unzip();
            let name = args.first().expect("a verb");
            vec![(*name).to_owned(), Quartiles::of(&cpu).text(1), Quartiles::of(&wall).text(1)]
        })
        .collect();
    table(&["tokenmill", "CPU, ms", "wall, ms"], &rows);
}

/// Instructions of a child under callgrind, and the calls it simulated.
fn counted(work: &str, replicas: u32, calls: f64) -> Option<(f64, f64)> {
    let this = std::env::current_exe().expect("a path");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this);
    let output = command.args(child_args(work, replicas, calls)).output().ok()?;
    let log = String::from_utf8_lossy(&output.stderr);
    let line = log.lines().find(|line| line.contains("Collected :"))?;
    let instructions = line.rsplit(' ').next()?.parse().ok()?;
    Some((instructions, child_figures(&output.stdout).0))
}

fn instructions() {
    let rows: Vec<Vec<String>> = [
        ("chat", 1, 20_000.0),
        ("chat", 1_000, 200_000.0),
        ("session-affinity", 10, 20_000.0),
        ("session-affinity", 1_000, 200_000.0),
        ("prefix-affinity", 10, 20_000.0),
        ("prefix-affinity", 1_000, 200_000.0),
        ("kv-aware", 10, 20_000.0),
        ("kv-aware", 1_000, 200_000.0),
    ]
    .iter()
    .map(|&(work, replicas, calls)| {
        let few = counted(work, replicas, calls);
        let counts = few.zip(counted(work, replicas, 4.0 * calls));
        let per_call = counts.map_or("valgrind is not installed".to_owned(), |(few, many)| {
            format!("{:.0}", (many.0 - few.0) / (many.1 - few.1))
        });
        let work = if work == "chat" { work } else { &format!("sessions, {work}") };
        vec![work.to_owned(), replicas.to_string(), per_call]
    })
    .collect();
    table(&["work", "replicas", "instructions a call"], &rows);
}

/// Points of the larger sweep.
const POINTS: u32 = 10_000;
/// CPU time of a run that the cost of a sweep is held against, µs.
const RUN_US: f64 = 20_000.0;

/// A sweep of `points` points with one run each, of 2 ms of simulated time.
fn sweep_toml(points: u32) -> String {
    let chat = include_str!("../scenarios/sweep-load.toml");
    let (scenario, _) = chat.split_once("\n[sweep]\n").expect("its last table");
    let axis = |to: u32| format!("{{ from = 1, to = {to}, points = {to} }}");
    format!(
        "{}\n[sweep]\n\"seed\" = {}\n\"pool.assistant.replicas\" = {}\n",
        scenario
            .replace("replications = 8", "replications = 1")
            .replace("\"3 min\"", "\"2 ms\"")
            .replace("\"30 s\"", "\"1 ms\""),
        axis(points / 10),
        axis(10)
    )
}

/// CPU seconds of a sweep of that many points, and its peak memory in MB.
fn sweep_once(points: u32) -> (f64, f64) {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("sweep.toml");
    fs::write(&file, sweep_toml(points)).expect("a scenario");
    let before = children_cpu_seconds();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenmill"));
    command.args(["sweep", "--no-progress", "--threads", "1", "--out"]).arg(dir.path().join("out"));
    command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut peak_kib = 0.0f64;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0.0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    assert!(status.success(), "the sweep failed");
    (children_cpu_seconds() - before, peak_kib * 1024.0 / 1e6)
}

/// CPU µs of one of those runs alone.
fn bare_run_us() -> f64 {
    let text = sweep_toml(POINTS);
    let (toml, _) = text.split_once("\n[sweep]\n").expect("its last table");
    let runs = 1_000;
    let scenario = support::scenario(toml);
    let start = cpu_time::ThreadTime::now();
    (0..runs).for_each(|replication| drop(run(&scenario, replication, Options::default())));
    start.elapsed().as_secs_f64() * 1e6 / runs as f64
}

fn sweep() {
    let (mut few, mut many, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        few.push(sweep_once(POINTS / 10));
        many.push(sweep_once(POINTS));
        bare.push(bare_run_us());
    }
    let row = |points: u32, turns: &[(f64, f64)]| {
        let added_us: Vec<f64> = turns
            .iter()
            .zip(&bare)
            .map(|((cpu_s, _), bare)| cpu_s * 1e6 / f64::from(points) - bare)
            .collect();
        let shares: Vec<f64> = added_us.iter().map(|us| us / RUN_US * 100.0).collect();
        let peaks: Vec<f64> = turns.iter().map(|(_, peak)| *peak).collect();
        vec![
            points.to_string(),
            Quartiles::of(&added_us).text(0),
            Quartiles::of(&shares).text(2),
            Quartiles::of(&peaks).text(1),
        ]
    };
    let heads = ["runs", "added to a run, CPU µs", "% of a run of 20 ms", "peak memory, MB"];
    table(&heads, &[row(POINTS / 10, &few), row(POINTS, &many)]);
    println!("a run alone: {} CPU µs", Quartiles::of(&bare).text(0));
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let ["simulate", work, replicas, calls] =
        args.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        let (replicas, calls) = (replicas.parse().expect("a count"), calls.parse().expect("calls"));
        return simulate_calls(work, replicas, calls);
    }
    let wanted = |name: &str| args.is_empty() || args.iter().any(|part| name == part);
    if wanted("memory") {
        memory();
    }
    if wanted("agents") {
        agents_memory();
    }
    if wanted("start-up") {
        start_up();
    }
    if wanted("instructions") {
        instructions();
    }
    if wanted("sweep") {
        sweep();
    }
}
