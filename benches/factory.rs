//! Simulated calls per CPU-second: `cargo bench --bench factory`.
//!
//! Every rate is a share of the saturation that [`Chat::saturation`] measures.
//! Cost per call is taken between two horizons of one scenario, so that neither
//! start-up nor the first fill of the batch counts. `-- ROW` runs the rows whose
//! name contains ROW.

mod support;

use std::cell::RefCell;
use support::{
    AGENTS, Agents, Arrive, CHAT, Chat, Quartiles, interleave, lasting, simulate, table,
};
use tokenmill::metrics::RunRecord;
use tokenmill::scenario::Scenario;

/// Repetitions of each row.
const TURNS: usize = 9;

const LOGNORMAL_PROMPT: &str =
    r#"{ distribution = "lognormal", median = 700, sigma = 0.8, max = 32_000 }"#;
const LOGNORMAL_OUTPUT: &str =
    r#"{ distribution = "lognormal", median = 190, sigma = 0.7, max = 8_000 }"#;

/// A row: its name, the scenario, and how many calls one repetition simulates.
struct Row {
    name: String,
    scenario: Scenario,
    rate: f64,
    replicas: u32,
    calls: f64,
    /// Runs that a repetition adds up, each with its own random numbers.
    runs: u64,
}

impl Row {
    fn new(name: &str, chat: Chat, calls: f64) -> Self {
        let rate = chat.rate();
        let chat = Chat { arrivals: Arrive::Rate(rate), ..chat };
        let name = name.to_owned();
        Row { name, scenario: chat.scenario(), rate, replicas: chat.replicas, calls, runs: 1 }
    }

    /// CPU nanoseconds a call, from a warm state: the difference between a
    /// horizon and one a third as long. The longer record is left in `last`.
    fn ns_per_call(&self, last: &RefCell<Option<RunRecord>>) -> f64 {
        let until = |calls: f64| lasting(&self.scenario, calls / self.rate);
        let (short, long) = (until(self.calls / 2.0), until(self.calls * 1.5));
        let (mut seconds, mut calls) = (0.0, 0.0);
        for replication in 0..self.runs {
            let (short_s, short) = simulate(&short, replication);
            let (long_s, long) = simulate(&long, replication);
            seconds += long_s - short_s;
            calls += (long.calls - short.calls) as f64;
            *last.borrow_mut() = Some(long);
        }
        seconds * 1e9 / calls
    }

    fn cells(&self, ns: &[f64], record: &RunRecord) -> Vec<String> {
        let rates: Vec<f64> = ns.iter().map(|ns| 1e9 / ns).collect();
        let calls = record.calls as f64;
        let pool = &record.whole.pools[0];
        vec![
            self.name.clone(),
            format!("{:.2}", self.rate / f64::from(self.replicas)),
            Quartiles::of(&rates).text(0),
            Quartiles::of(ns).text(0),
            format!("{:.2}", record.events as f64 / calls),
            format!("{:.0}", pool.running_mean / f64::from(self.replicas)),
            format!("{:.2}", pool.preemptions as f64 / calls),
        ]
    }
}

/// Measures `rows` in turns, prints them, returns the nanoseconds of each.
fn measure(rows: &[Row]) -> Vec<Vec<f64>> {
    let records: Vec<RefCell<Option<RunRecord>>> =
        rows.iter().map(|_| RefCell::default()).collect();
    let arm = |at: usize| -> Box<dyn FnMut() -> f64 + '_> {
        let (row, record) = (&rows[at], &records[at]);
        Box::new(move || row.ns_per_call(record))
    };
    let ns = interleave(TURNS, &mut (0..rows.len()).map(arm).collect::<Vec<_>>());
    let cells =
        rows.iter().zip(&ns).zip(&records).map(|((row, ns), record)| {
            row.cells(ns, record.borrow().as_ref().expect("the row ran"))
        });
    let header = [
        "row",
        "calls/s a replica",
        "calls per CPU-second",
        "ns a call",
        "events a call",
        "running a replica",
        "preemptions a call",
    ];
    table(&header, &cells.collect::<Vec<_>>());
    ns
}

/// One replica, several kinds of work.
fn one_replica(wanted: impl Fn(&str) -> bool) {
    let lognormal = Chat { prompt: LOGNORMAL_PROMPT, output: LOGNORMAL_OUTPUT, ..CHAT };
    let reasoning = Chat { prompt: "200", output: "4_000", ..CHAT };
    // Room for 40 whole calls of mean length; prompts are let in chunk by chunk.
    let tight = Chat {
        engine: ", kv_blocks = 3_200, reserve_full_prompt = false",
        arrivals: Arrive::Load(0.95),
        ..lognormal
    };
    let rows: Vec<Row> = [
        ("chat", CHAT, 400_000.0),
        ("chat, lognormal lengths", lognormal, 400_000.0),
        ("chat, 30 % load", Chat { arrivals: Arrive::Load(0.3), ..CHAT }, 400_000.0),
        ("chat, 95 % load", Chat { arrivals: Arrive::Load(0.95), ..CHAT }, 400_000.0),
        ("reasoning, 200 in / 4000 out", reasoning, 200_000.0),
        ("tight KV, lognormal, 95 % load", tight, 200_000.0),
    ]
    .into_iter()
    .filter(|(name, ..)| wanted(name))
    .map(|(name, chat, calls)| Row::new(name, chat, calls))
    .collect();
    if !rows.is_empty() {
        measure(&rows);
    }
}

/// Calls a replica that a repetition of [`many_replicas`] simulates.
const CALLS_EACH: f64 = 2_000.0;

/// 10 and 1000 replicas at the same load each and for the same time, by router.
fn many_replicas(wanted: impl Fn(&str) -> bool) {
    let lognormal = Chat { prompt: LOGNORMAL_PROMPT, output: LOGNORMAL_OUTPUT, ..CHAT };
    for (router, lengths, chat) in [
        ("least-loaded", "", CHAT),
        ("least-loaded", ", lognormal lengths", lognormal),
        ("power-of-two", "", CHAT),
        ("round-robin", "", CHAT),
        ("kv-aware", "", CHAT),
        ("prefix-affinity", "", CHAT),
    ] {
        let name = |replicas: u32| format!("{replicas} replicas, {router}{lengths}");
        if !wanted(&name(10)) {
            continue;
        }
        // As many runs of the small pool as make up the calls of a fifth of the large one.
        let rows = [(10, 20), (1_000, 1)].map(|(replicas, runs)| {
            let calls = CALLS_EACH * f64::from(replicas);
            Row { runs, ..Row::new(&name(replicas), Chat { replicas, router, ..chat }, calls) }
        });
        let ns = measure(&rows);
        let growth: Vec<f64> = ns[1].iter().zip(&ns[0]).map(|(many, few)| many / few).collect();
        println!("cost of a call, 1000 over 10: {}x\n", Quartiles::of(&growth).text(2));
    }
}

/// Sessions of the multi-turn scenario that one repetition simulates: as many as
/// it is defined with, several times over.
const SESSIONS: f64 = 1_000.0;
const SESSION_RUNS: u64 = 4;
/// Repetitions of the rows of a thousand replicas.
const MANY_TURNS: usize = 5;

/// A row of [`sessions`].
struct SessionRow {
    name: String,
    scenario: Scenario,
    runs: u64,
}

impl SessionRow {
    fn new(name: &str, router: &str, replicas: u32, sessions_per_second: f64) -> Self {
        let scenario = support::multi_turn(router, replicas, sessions_per_second);
        let sessions = SESSIONS * f64::from(replicas) / 8.0;
        SessionRow {
            name: format!("{name}, {router}"),
            scenario: lasting(&scenario, sessions / sessions_per_second),
            runs: SESSION_RUNS,
        }
    }

    /// CPU nanoseconds a call over whole runs, from an empty factory to an empty
    /// one. The last record is left in `last`.
    fn ns_per_call(&self, last: &RefCell<Option<RunRecord>>) -> f64 {
        let (mut seconds, mut calls) = (0.0, 0.0);
        for replication in 0..self.runs {
            let (run_s, record) = simulate(&self.scenario, replication);
            seconds += run_s;
            calls += record.calls as f64;
            *last.borrow_mut() = Some(record);
        }
        seconds * 1e9 / calls
    }

    fn cells(&self, ns: &[f64], record: &RunRecord) -> Vec<String> {
        let rates: Vec<f64> = ns.iter().map(|ns| 1e9 / ns).collect();
        let (calls, use_case) = (record.calls as f64, &record.whole.use_cases[0]);
        vec![
            self.name.clone(),
            format!("{:.2}", calls / record.end_s),
            Quartiles::of(&rates).text(0),
            Quartiles::of(ns).text(0),
            format!("{:.2}", record.events as f64 / calls),
            format!("{:.3}", use_case.cached_tokens as f64 / use_case.prompt_tokens as f64),
            format!("{:.2}", use_case.ttft.mean),
        ]
    }
}

/// The multi-turn scenario by router, overloaded and at 70 % of the calls that
/// come through then.
fn sessions(wanted: impl Fn(&str) -> bool) {
    if !wanted("sessions") {
        return;
    }
    let mut rows = Vec::new();
    for router in ["kv-aware", "session-affinity", "round-robin"] {
        let overload = SessionRow::new("overloaded", router, 8, 4.0);
        let last = RefCell::default();
        overload.ns_per_call(&last);
        let record = last.into_inner().expect("a run");
        let saturation = record.calls as f64 / record.end_s / 12.0;
        rows.push(overload);
        rows.push(SessionRow::new("70 % load", router, 8, 0.7 * saturation));
    }
    measure_sessions(&rows, TURNS);
}

/// Measures `rows` in turns, prints them, returns the nanoseconds of each.
fn measure_sessions(rows: &[SessionRow], turns: usize) -> Vec<Vec<f64>> {
    let records: Vec<RefCell<Option<RunRecord>>> =
        rows.iter().map(|_| RefCell::default()).collect();
    let arm = |at: usize| -> Box<dyn FnMut() -> f64 + '_> {
        let (row, record) = (&rows[at], &records[at]);
        Box::new(move || row.ns_per_call(record))
    };
    let ns = interleave(turns, &mut (0..rows.len()).map(arm).collect::<Vec<_>>());
    let cells =
        rows.iter().zip(&ns).zip(&records).map(|((row, ns), record)| {
            row.cells(ns, record.borrow().as_ref().expect("the row ran"))
        });
    let header = [
        "row",
        "calls/s",
        "calls per CPU-second",
        "ns a call",
        "events a call",
        "hits",
        "mean TTFT, s",
    ];
    table(&header, &cells.collect::<Vec<_>>());
    ns
}

/// Repetitions of the rows of agents.
const AGENT_TURNS: usize = 5;

/// An hour of 10,000 coding agents on 64 replicas, from its beginning on: all at work,
/// with the pauses of the catalog, and on GPUs that hold a tenth of their contexts.
fn agents(wanted: impl Fn(&str) -> bool) {
    if !wanted("agents") {
        return;
    }
    let small = Agents { hardware: "h200-sxm", tensor_parallel: 2, ..AGENTS };
    let rows = [
        ("agents, all at work", AGENTS),
        ("agents, with pauses", Agents { pause: true, ..AGENTS }),
        ("agents, overloaded", small),
    ];
    let row = |(name, agents): (&str, Agents)| SessionRow {
        name: name.to_owned(),
        scenario: agents.scenario(),
        runs: 1,
    };
    measure_sessions(&rows.map(row), AGENT_TURNS);
}

/// The multi-turn scenario on 10 and 1000 replicas, at about 70 % load each.
fn sessions_on_many_replicas(wanted: impl Fn(&str) -> bool) {
    if !wanted("sessions") && !wanted("replicas") {
        return;
    }
    for router in ["kv-aware", "session-affinity", "prefix-affinity"] {
        let rows = [(10, 20), (1_000, 1)].map(|(replicas, runs)| {
            let rate = support::MULTI_TURN_RATE * f64::from(replicas);
            let name = format!("{replicas} replicas");
            SessionRow { runs, ..SessionRow::new(&name, router, replicas, rate) }
        });
        let ns = measure_sessions(&rows, MANY_TURNS);
        let growth: Vec<f64> = ns[1].iter().zip(&ns[0]).map(|(many, few)| many / few).collect();
        println!("cost of a call, 1000 over 10: {}x\n", Quartiles::of(&growth).text(2));
    }
}

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|part| name.contains(part));
    println!("CPU time of one thread; median [quartiles] of {TURNS} interleaved repetitions");
    one_replica(wanted);
    many_replicas(wanted);
    sessions(wanted);
    sessions_on_many_replicas(wanted);
    agents(wanted);
}
