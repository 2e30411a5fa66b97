//! Simulated calls per CPU-second: `cargo bench --bench factory`.

use cpu_time::ThreadTime;
use tokenmill::catalog::Catalog;
use tokenmill::factory::{KvPlan, Parallelism, Placement, StepTime};
use tokenmill::kernel::Span;
use tokenmill::random::Distribution;
use tokenmill::scenario::*;
use tokenmill::simulation::{Options, run};

fn chat(rate: f64, seconds: f64, replicas: u32) -> Scenario {
    let catalog = Catalog::embedded();
    let (model, hardware) =
        (catalog.model("llama-3.1-8b").unwrap(), catalog.hardware("h100-sxm").unwrap());
    let precision = "bf16".parse().unwrap();
    let parallelism = Parallelism { tensor: 1, data: 1, expert: 1 };
    let placement = Placement {
        model: &model,
        hardware: &hardware,
        precision,
        parallelism,
        gpu_memory_utilization: 0.9,
        max_num_batched_tokens: 8192,
        max_num_seqs: 256,
        block_tokens: 16,
        blocks: None,
    };
    let kv = KvPlan::new(&placement, catalog).unwrap();
    let step_time = StepTime::new(&model, &hardware, precision, parallelism, 1.06, 0.0004);
    let pool = Pool {
        name: "p".into(),
        model,
        hardware,
        precision,
        replicas,
        parallelism,
        router: Router::LeastLoaded,
        engine: Engine {
            max_num_seqs: 256,
            max_num_batched_tokens: 8192,
            max_model_len: 131072,
            reserve_full_prompt: true,
            kv_watermark: 0.0,
            step_scale: 1.06,
            step_overhead: Span::from_seconds(0.0004),
        },
        kv,
        step_time,
        gpu_hour: GpuHour { usd: None, origin: String::new(), is_estimate: false },
        watts_per_gpu: None,
        pue: 1.0,
    };
    let use_case = UseCase {
        name: "chat".into(),
        pool: 0,
        arrivals: Arrivals::Poisson { rate: rate * replicas as f64 },
        lengths: Lengths::Drawn {
            prompt: Distribution::constant(1000.0).unwrap(),
            output: Distribution::constant(250.0).unwrap(),
        },
        slo: Slo::default(),
        price: None,
    };
    Scenario {
        name: "chat".into(),
        seed: 1,
        replications: 1,
        start: None,
        duration: Some(Span::from_seconds(seconds)),
        regime: Regime::Steady,
        warm_up: WarmUp::Fixed(Span::ZERO),
        pools: vec![pool],
        use_cases: vec![use_case],
        warnings: vec![],
    }
}

fn main() {
    for (rate, replicas) in
        [(10.0, 1), (21.0, 1), (25.0, 1), (28.0, 1), (32.0, 1), (21.0, 10), (21.0, 1000)]
    {
        let scenario = chat(rate, 400_000.0 / rate / replicas as f64, replicas);
        let mut rates = vec![];
        let mut info = String::new();
        for _ in 0..5 {
            let t = ThreadTime::now();
            let r = run(&scenario, 0, Options::default());
            rates.push(r.calls as f64 / t.elapsed().as_secs_f64());
            info = format!(
                "util {:.3} running {:.1} events/call {:.2} ttft {:.4} tpot {:.5}",
                r.pools[0].busy_s / r.window_s / replicas as f64,
                r.pools[0].running_mean,
                r.events as f64 / r.calls as f64,
                r.use_cases[0].ttft.mean,
                r.use_cases[0].tpot.mean
            );
        }
        rates.sort_by(f64::total_cmp);
        println!("rate {rate} x{replicas}: {:.0} calls/CPU-s; {info}", rates[2]);
    }
}
