//! Simulated against measured serving: replays of real vLLM runs.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenmill::kernel::Span;
use tokenmill::scenario::{Arrivals, Lengths, Overrides, Scenario, parse};
use tokenmill::simulation::{Options, run};
use tokenmill::workload::{Trace, TraceCall};

struct Measured {
    at: f64,
    prompt: u32,
    output: u32,
    ttft: f64,
    tpot: f64,
    e2e: f64,
    queue: f64,
}

fn read(log: &Path) -> Vec<Measured> {
    let text = std::fs::read_to_string(log.join("requests.jsonl")).unwrap();
    let mut v: Vec<Measured> = text
        .lines()
        .map(|line| {
            let v: Value = serde_json::from_str(line).unwrap();
            let f = |k: &str| v[k].as_f64().unwrap();
            let out = f("output_toks");
            Measured {
                at: f("queued_ts"),
                prompt: f("input_toks") as u32,
                output: out as u32,
                ttft: f("first_token_ts") - f("queued_ts"),
                tpot: (f("last_token_ts") - f("first_token_ts")) / (out - 1.0),
                e2e: f("last_token_ts") - f("queued_ts"),
                queue: f("scheduled_ts") - f("queued_ts"),
            }
        })
        .collect();
    v.sort_by(|a, b| a.at.total_cmp(&b.at));
    v
}

fn scenario(toml: &str, calls: &[Measured]) -> Scenario {
    let mut s = parse(toml, "test", Path::new("."), &Overrides::default()).unwrap().scenario;
    let t0 = calls[0].at;
    let trace = Trace {
        calls: calls
            .iter()
            .map(|c| TraceCall {
                at: Span::from_seconds(c.at - t0),
                prompt: c.prompt,
                output: c.output,
                prefix_start: 0,
                prefix_len: 0,
            })
            .collect(),
        ..Trace::default()
    };
    s.use_cases[0].arrivals = Arrivals::Trace { trace: Arc::new(trace), time_scale: 1.0 };
    s.use_cases[0].lengths = Lengths::Recorded;
    s
}

fn mean(v: impl Iterator<Item = f64>) -> f64 {
    let v: Vec<f64> = v.collect();
    v.iter().sum::<f64>() / v.len() as f64
}

#[test]
fn logs() {
    let Some(shared) = std::env::var_os("TOKENMILL_SHARED").map(PathBuf::from) else { return };
    for (dir, pool) in [
        ("RTXPRO6000_Llama-3.1-8B", "model='llama-3.1-8b'\nhardware='rtx-pro-6000'\n"),
        (
            "RTXPRO6000_Qwen3-30B-A3B-Instruct-2507",
            "model='qwen3-30b-a3b'\nhardware='rtx-pro-6000'\ndata_parallel=2\nexpert_parallel=2\n",
        ),
    ] {
        let m = read(&shared.join("groundtruth/logs").join(dir));
        for (scale, oh) in [(1.0, "0 ms"), (1.04, "0.4 ms"), (1.06, "0.4 ms"), (1.08, "0.4 ms")] {
            let toml = format!(
                "name='v'\nregime='terminating'\nduration='10 min'\n[[pool]]\nname='p'\n{pool}engine={{max_num_seqs=128,max_num_batched_tokens=2048,step_scale={scale},step_overhead='{oh}'}}\n[[use_case]]\nname='u'\narrivals={{process='poisson',rate='1 /s'}}\nprompt_tokens=10\noutput_tokens=10\n"
            );
            let mut s = scenario(&toml, &m);
            s.duration = None;
            println!("kv {} {}", s.pools[0].kv.blocks, s.pools[0].kv);
            let r = run(&s, 0, Options { audit: true, ..Options::default() });
            let u = &r.use_cases[0];
            println!(
                "{dir} {scale} {oh}: ttft {:.3} vs {:.3} ({:+.1} %)  tpot {:.5} vs {:.5} ({:+.1} %) e2e {:.3} vs {:.3} ({:+.1} %) queue {:.3} vs {:.3}; p50 ttft {:.3}",
                u.ttft.mean,
                mean(m.iter().map(|m| m.ttft)),
                100.0 * (u.ttft.mean / mean(m.iter().map(|m| m.ttft)) - 1.0),
                u.tpot.mean,
                mean(m.iter().map(|m| m.tpot)),
                100.0 * (u.tpot.mean / mean(m.iter().map(|m| m.tpot)) - 1.0),
                u.e2e.mean,
                mean(m.iter().map(|m| m.e2e)),
                100.0 * (u.e2e.mean / mean(m.iter().map(|m| m.e2e)) - 1.0),
                u.queue.mean,
                mean(m.iter().map(|m| m.queue)),
                u.ttft.quantiles[0]
            );
        }
    }
}
