use super::*;
use crate::simulation::{Options, run};

const META: &str = r#"{
  "model": "meta-llama/Llama-3.1-8B",
  "engine_kwargs": {
    "model": "meta-llama/Llama-3.1-8B",
    "tensor_parallel_size": 1,
    "data_parallel_size": 1,
    "enable_expert_parallel": false,
    "max_num_seqs": 64,
    "max_num_batched_tokens": 1024,
    "max_model_len": null,
    "dtype": "bfloat16",
    "kv_cache_dtype": "auto",
    "seed": 42
  }
}"#;

const REQUESTS: &str = r#"{"request_id": "b", "input_toks": 20, "output_toks": 3, "arrival_time": 5.0, "queued_ts": 101.5, "scheduled_ts": 101.6, "first_token_ts": 102.0, "last_token_ts": 103.0}

{"request_id": "a", "input_toks": 10, "output_toks": 1, "queued_ts": 100.0, "scheduled_ts": 100.0, "first_token_ts": 100.5, "last_token_ts": 100.5}
"#;

fn text<'a>(meta: &'a str, requests: &'a str) -> LogText<'a> {
    let folder = Path::new("logs/H100_x");
    LogText { name: "H100_x", folder, meta, requests, cluster: None }
}

fn mistakes(text: LogText<'_>) -> String {
    Log::parse(text, false).map(|log| log.scenario(Constants::Default)).map_or_else(
        |error| error.to_string(),
        |scenario| scenario.expect_err("a mistake").to_string(),
    )
}

#[test]
fn calls_are_sorted_and_taken_apart() {
    let log = Log::parse(text(META, REQUESTS), false).unwrap();
    let [a, b] = log.calls[..] else { panic!("two calls") };
    assert_eq!((a.at_s, a.prompt, a.output, a.tpot_s, a.ttft_s), (0.0, 10, 1, None, 0.5));
    assert_eq!((b.at_s, b.prompt, b.output, b.tpot_s, b.e2e_s), (1.5, 20, 3, Some(0.5), 1.5));
    assert!((b.queue_s - 0.1).abs() < 1e-9);
}

#[test]
fn the_scenario_is_the_configuration_and_the_arrivals() {
    let log = Log::parse(text(META, REQUESTS), false).unwrap();
    let scenario = log.scenario(Constants::Default).unwrap();
    let pool = &scenario.pools[0];
    assert_eq!((pool.hardware.name.as_str(), pool.gpus()), ("h100-sxm", 1));
    assert_eq!((pool.engine.max_num_seqs, pool.engine.max_num_batched_tokens), (64, 1024));
    assert_eq!(pool.engine.step_scale, 1.06);
    let plain = log.scenario(Constants::Uncalibrated).unwrap().pools.remove(0).engine;
    assert_eq!((plain.step_scale, plain.step_overhead), (1.0, Span::ZERO));
    let record = run(&scenario, 0, Options::default());
    assert_eq!((record.calls, record.whole.use_cases[0].output_tokens), (2, 4));
    assert!(record.end_s > 1.5);
}

#[test]
fn ranks_are_lockstep_for_experts_and_replicas_otherwise() {
    let two = META.replace("\"data_parallel_size\": 1", "\"data_parallel_size\": 2");
    let pool = |meta: &str| {
        let log = Log::parse(text(meta, REQUESTS), false).unwrap();
        log.scenario(Constants::Default).unwrap().pools.remove(0)
    };
    let dense = pool(&two);
    assert_eq!((dense.replicas, dense.parallelism.data), (2, 1));
    let moe = two.replace("meta-llama/Llama-3.1-8B", "Qwen/Qwen3-30B-A3B");
    let split = pool(&moe);
    let spread = pool(&moe.replace("expert_parallel\": false", "expert_parallel\": true"));
    assert_eq!((split.replicas, split.parallelism.data, split.parallelism.expert), (1, 2, 1));
    assert_eq!(spread.parallelism.expert, 2);
}

#[test]
fn formats_follow_vllm() {
    let pool = |meta: &str| {
        let log = Log::parse(text(meta, REQUESTS), false).unwrap();
        log.scenario(Constants::Default).unwrap().pools.remove(0).precision.to_string()
    };
    assert_eq!(pool(META), "bf16 with bf16 KV cache");
    let quantized = META.replace("\"seed\"", "\"quantization\": \"fp8\", \"seed\"");
    assert_eq!(pool(&quantized), "fp8 with bf16 KV cache");
    assert_eq!(pool(&quantized.replace("auto", "fp8_e4m3")), "fp8 with fp8 KV cache");
    let published = META.replace("meta-llama/Llama-3.1-8B", "openai/gpt-oss-120b");
    assert_eq!(pool(&published), "mxfp4 with bf16 KV cache");
}

#[test]
fn the_cluster_names_the_hardware() {
    let cluster = r#"{"nodes": [{"instances": [{"hardware": "A100"}, {"hardware": "A100"}]}]}"#;
    let with =
        |cluster| LogText { cluster: Some(("cluster.json", cluster)), ..text(META, REQUESTS) };
    let log = Log::parse(with(cluster), false).unwrap();
    assert_eq!(log.scenario(Constants::Default).unwrap().pools[0].hardware.name, "a100-sxm");
    insta::assert_snapshot!(
        [mistakes(with("{}")), mistakes(with("{\n")),
         mistakes(with(&cluster.replacen("A100", "H100", 1)))].join("\n"),
        @r#"
    logs/H100_x/cluster.json: hardware: is missing; name the GPU of nodes.instances
    logs/H100_x/cluster.json:2: hardware: EOF while parsing an object at line 2 column 0; mend the JSON
    logs/H100_x/cluster.json: hardware: differs between instances: H100, A100; replay one kind of GPU at a time
    "#);
}

#[test]
fn broken_lines_are_named_or_counted() {
    let broken = format!(
        "{REQUESTS}rubbish\n{}\n{}",
        REQUESTS
            .lines()
            .next()
            .unwrap()
            .replace("\"scheduled_ts\": 101.6", "\"scheduled_ts\": 101"),
        REQUESTS.lines().next().unwrap().replace("\"output_toks\": 3", "\"output_toks\": 0"),
    );
    insta::assert_snapshot!(mistakes(text(META, &broken)), @r#"
    logs/H100_x/requests.jsonl:4: column 1: expected value; mend the line, or leave such lines out with --skip-bad-lines
    logs/H100_x/requests.jsonl:5: is not in the order queued, scheduled, first token, last token; mend the line, or leave such lines out with --skip-bad-lines
    logs/H100_x/requests.jsonl:6: has no prompt or no output tokens; mend the line, or leave such lines out with --skip-bad-lines
    "#);
    let log = Log::parse(text(META, &broken), true).unwrap();
    assert_eq!((log.calls.len(), log.skipped_lines), (2, 3));
    assert!(mistakes(text(META, "")).contains("has no readable call"));
}

#[test]
fn configurations_that_cannot_be_replayed() {
    let changed = |from: &str, to: &str| mistakes(text(&META.replace(from, to), REQUESTS));
    let unknown = changed("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-9B");
    let said = "meta.json:4: model = meta-llama/Llama-3.1-9B: unknown model; did you mean \"llama-3.1-8b\"?";
    assert!(unknown.contains(said), "{unknown}");
    insta::assert_snapshot!(
        [
            changed("\"seed\"", "\"pipeline_parallel_size\": 2, \"speculative_config\": {}, \"seed\""),
            changed("bfloat16", "float32"),
            changed("\"tensor_parallel_size\": 1", "\"tensor_parallel_size\": 5"),
            changed("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-405B"),
            changed("\"max_num_seqs\": 64,", "\"max_num_seqs\": many,"),
        ].join("\n"),
        @r#"
    logs/H100_x/meta.json:13: pipeline_parallel_size = 2: pipelines are not modeled; replay runs of one stage
    logs/H100_x/meta.json:13: speculative_config: speculative decoding is not modeled; replay runs without it
    logs/H100_x/meta.json:11: dtype = float32: is not a modeled format; give bfloat16, float16 or auto
    logs/H100_x/meta.json:5: tensor_parallel_size = 5: 32 attention heads cannot be split over 5 GPUs; give a divisor of 32
    logs/H100_x/meta.json:5: tensor_parallel_size = 5: 8 KV heads neither split over nor repeat on 5 GPUs; give a divisor or a multiple of 8
    logs/H100_x/meta.json:5: tensor_parallel_size = 5: a feed-forward width of 14336 cannot be split over 5 GPUs; give a divisor of 14336
    logs/H100_x/meta.json:4: model = "llama-3.1-405b": llama-3.1-405b in bf16 does not fit h100-sxm with TP1: 735.8 GB short on each GPU (811.7 GB of weights, 76.5 GB usable); split it over more GPUs, or choose a smaller model
    logs/H100_x/meta.json:8: expected value at line 8 column 21; give the engine's arguments as JSON
    "#);
}
