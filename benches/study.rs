//! Long horizons and many replications: `cargo bench --bench study`.
//!
//! *A week*: 100 calls/s on five replicas, 60 million calls in one run. Cost has
//! to be linear in the horizon, so an hour, a day and the week are shown.
//!
//! *Threads*: 64 replications through [`replicate`] on one thread and on two.
//! CPU seconds of the process tell what sharing costs. Idle is what a thread
//! neither ran nor waited for a core, as the scheduler of Linux counts it
//! (`/proc/self/task/*/schedstat`), so that other people's work on the machine
//! does not look like ours waiting. `-- week` or `-- threads` runs one of them.

mod support;

use cpu_time::ProcessTime;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::fs;
use std::time::Instant;
use support::{Arrive, CHAT, Chat, Quartiles, interleave, lasting, scenario, simulate, table};
use tokenmill::scenario::Scenario;
use tokenmill::study::replicate;

/// Replications shared by the threads.
const REPLICATIONS: u32 = 64;
/// Repetitions of each number of threads.
const TURNS: usize = 9;
const HOUR_S: f64 = 3_600.0;

fn week() {
    let chat = Chat { replicas: 5, arrivals: Arrive::Rate(100.0), ..CHAT };
    let share = 100.0 / (5.0 * chat.saturation());
    println!("100 calls/s on 5 replicas: {:.0} % load", share * 100.0);
    let scenario = chat.scenario();
    let horizons = [("hour", HOUR_S), ("day", 24.0 * HOUR_S), ("week", 168.0 * HOUR_S)];
    let rows: Vec<Vec<String>> = horizons
        .iter()
        .map(|(name, seconds)| {
            let (cpu_s, record) = simulate(&lasting(&scenario, *seconds), 0);
            vec![
                (*name).to_owned(),
                record.calls.to_string(),
                format!("{cpu_s:.2}"),
                format!("{:.0}", cpu_s * 1e9 / record.calls as f64),
                format!("{:.0}", seconds / cpu_s),
            ]
        })
        .collect();
    table(&["horizon", "calls", "CPU s", "ns a call", "simulated s per CPU s"], &rows);
}

/// What one repetition cost.
#[derive(Clone, Copy)]
struct Cost {
    cpu_s: f64,
    idle_share: f64,
}

fn once(pool: &ThreadPool, scenario: &Scenario) -> Cost {
    let tasks = worker_tasks(pool);
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    let before_ns = active_ns(&tasks);
    pool.install(|| std::hint::black_box(replicate(scenario, false, |_| {})));
    let wall_ns = wall.elapsed().as_nanos() as f64 * pool.current_num_threads() as f64;
    let active_ns = (active_ns(&tasks) - before_ns) as f64;
    Cost { cpu_s: cpu.elapsed().as_secs_f64(), idle_share: 1.0 - active_ns / wall_ns }
}

/// Scheduler records of the threads of `pool`.
fn worker_tasks(pool: &ThreadPool) -> Vec<String> {
    let task = |_: rayon::BroadcastContext<'_>| {
        let link = fs::read_link("/proc/thread-self").expect("Linux");
        format!("/proc/{}/schedstat", link.display())
    };
    pool.broadcast(task)
}

/// Time that threads ran or waited for a core.
fn active_ns(tasks: &[String]) -> u64 {
    let read = |task: &String| -> u64 {
        let text = fs::read_to_string(task).expect("a live thread");
        text.split_whitespace().take(2).map(|ns| ns.parse::<u64>().expect("a count")).sum()
    };
    tasks.iter().map(read).sum()
}

fn threads() {
    let scenario = Scenario {
        replications: REPLICATIONS,
        ..scenario(include_str!("../scenarios/quickstart.toml"))
    };
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let (one, two) = (pool(1), pool(2));
    let mut arms: [Box<dyn FnMut() -> Cost + '_>; 2] =
        [Box::new(|| once(&one, &scenario)), Box::new(|| once(&two, &scenario))];
    let costs = interleave(TURNS, &mut arms);
    let column =
        |at: usize, value: fn(&Cost) -> f64| -> Vec<f64> { costs[at].iter().map(value).collect() };
    let row = |at: usize| {
        vec![
            (at + 1).to_string(),
            Quartiles::of(&column(at, |cost| cost.cpu_s)).text(3),
            Quartiles::of(&column(at, |cost| cost.idle_share * 100.0)).text(1),
        ]
    };
    println!("quickstart, {REPLICATIONS} replications and their pilots");
    table(&["threads", "CPU s", "idle, %"], &[row(0), row(1)]);
    let ratios: Vec<f64> =
        costs[1].iter().zip(&costs[0]).map(|(two, one)| two.cpu_s / one.cpu_s).collect();
    println!("CPU seconds, 2 threads over 1: {}x\n", Quartiles::of(&ratios).text(3));
}

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|part| name == part);
    if wanted("threads") {
        threads();
    }
    if wanted("week") {
        week();
    }
}
