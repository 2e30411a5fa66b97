//! The defaults of the serving engine are those that docs/engine-defaults.md
//! lists, on each GPU of the catalog, and they do what the page says.

mod common;

use assert_cmd::Command;
use common::load;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tokenmill::catalog::Catalog;
use tokenmill::factory::Eviction;
use tokenmill::kernel::Span;
use tokenmill::scenario::Scenario;
use toml::{Table, Value};

fn text(pool: &str) -> String {
    format!(
        "name = \"k\"\nduration = \"1 min\"\n[[use_case]]\nname = \"c\"\n\
         arrivals = {{ process = \"poisson\", rate = \"1 /s\" }}\nprompt_tokens = 1000\n\
         output_tokens = 200\n[[pool]]\nname = \"a\"\n{pool}\n"
    )
}

fn scenario(pool: &str) -> Scenario {
    load(&text(pool)).scenario
}

/// The table of the page: key, then what it is on each class of GPUs.
fn page() -> (Vec<Vec<String>>, BTreeMap<String, Vec<String>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/engine-defaults.md");
    let page = fs::read_to_string(path).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = page.lines().skip_while(|line| !line.starts_with("| key |"));
    let header = cells(lines.next().unwrap());
    let classes = header[2..4].iter().map(|gpus| gpus.split(", ").map(str::to_owned).collect());
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells);
    let rows = rows.map(|row| (row[1].trim_matches('`').to_owned(), row[2..4].to_vec()));
    (classes.collect(), rows.collect())
}

/// What a pool resolves to: `[pool.engine]`, and the KV format beside it.
fn resolved(hardware: &str) -> Table {
    let pool = format!("model = \"llama-3.1-8b\"\nhardware = {hardware:?}");
    let resolved: Table = toml::from_str(&load(&text(&pool)).resolved_toml).unwrap();
    let pool = resolved["pool"][0].as_table().unwrap();
    let mut engine = pool["engine"].as_table().unwrap().clone();
    engine.insert("kv_precision".to_owned(), pool["kv_precision"].clone());
    engine
}

/// How the page writes a value.
fn written(key: &str, value: &Value) -> String {
    match value {
        // Of Llama 3.1.
        Value::Integer(131_072) if key == "max_model_len" => "the model's".to_owned(),
        Value::Float(number) => format!("{number:?}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn the_page_lists_every_default_as_it_is_on_each_gpu() {
    let (classes, rows) = page();
    let on_page: Vec<&String> = classes.iter().flatten().collect();
    assert_eq!(on_page.len(), Catalog::embedded().all_hardware().count(), "{on_page:?}");
    for (class, gpus) in classes.iter().enumerate() {
        for gpu in gpus {
            let hardware = Catalog::embedded().hardware(gpu).unwrap();
            let actual: BTreeMap<String, String> = resolved(&hardware.name)
                .iter()
                .map(|(key, value)| (key.clone(), written(key, value)))
                .collect();
            let listed: BTreeMap<String, String> =
                rows.iter().map(|(key, cells)| (key.clone(), cells[class].clone())).collect();
            assert_eq!(actual, listed, "{gpu}");
        }
    }
}

/// Parameters of eviction policies have defaults too, as docs/scenario.md says.
#[test]
fn eviction_policies_have_the_parameters_of_the_page() {
    let eviction = |name: &str| {
        let pool = "model = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"";
        let pool = format!("{pool}\nengine = {{ eviction = {name:?} }}");
        scenario(&pool).pools[0].engine.prefix_cache.unwrap().eviction
    };
    assert_eq!(eviction("lru"), Eviction::Lru);
    assert_eq!(eviction("ttl"), Eviction::Ttl { ttl: Span::from_seconds(300.0) });
    assert_eq!(eviction("agent-hold"), Eviction::AgentHold { hold: Span::from_seconds(60.0) });
}

const LLAMA_70B: &str =
    "model = \"llama-3.1-70b\"\nhardware = \"h100-sxm\"\ntensor_parallel = 2\nprecision = \"fp8\"";

fn blocks(rest: &str) -> u32 {
    scenario(&format!("{LLAMA_70B}\n{rest}")).pools[0].kv.blocks
}

/// 80 layers x 4 heads a GPU x 128 x 2, and 2 bytes of each unless told.
#[test]
fn weights_of_8_bits_leave_the_kv_cache_at_16() {
    let limits = "engine = { max_num_seqs = 256 }";
    assert_eq!(blocks(limits), 14_617);
    assert_eq!(blocks(&format!("kv_precision = \"bf16\"\n{limits}")), 14_617);
    assert_eq!(blocks(&format!("kv_precision = \"fp8\"\n{limits}")), 29_235);
    let block = |rest: &str| scenario(&format!("{LLAMA_70B}\n{rest}")).pools[0].kv.block_bytes;
    assert_eq!((block(""), block("kv_precision = \"fp8\"")), (2_621_440, 1_310_720));
    // Latent attention: 61 layers of 576 elements.
    let latent = "model = \"deepseek-r1\"\nhardware = \"h200-sxm\"\ntensor_parallel = 8\n\
                  precision = \"fp8\"";
    assert_eq!(scenario(latent).pools[0].kv.block_bytes, 61 * 576 * 2 * 16);
    for precision in ["bf16", "fp8", "nvfp4", "mxfp4", "mxfp4-a8"] {
        let pool = "model = \"gpt-oss-120b\"\nhardware = \"b200-sxm\"\ntensor_parallel = 4";
        let pool = scenario(&format!("{pool}\nprecision = {precision:?}")).pools.remove(0);
        assert_eq!(pool.precision.kv_cache.to_string(), "bf16", "{precision}");
    }
}

/// vLLM logged room for 32.0 GiB of blocks (llm-d-benchmark), with its default of 1,024 sequences.
#[test]
fn blocks_by_default_are_those_of_a_start_up_log() {
    let logged = 32.0 * f64::from(1 << 30) / 2_621_440.0;
    assert!((f64::from(blocks("")) / logged - 1.0).abs() < 0.011, "{} not {logged}", blocks(""));
    assert_eq!(blocks(""), 13_152);
}

#[test]
fn a_gpu_of_ones_own_has_the_limits_of_its_size_and_name() {
    let own = |name: &str, gib: f64| {
        let gpu = format!(
            "model = \"llama-3.1-8b\"\nhardware = {name:?}\n[[hardware]]\nname = {name:?}\n\
             title = \"Mine\"\ncooling = \"air\"\n[hardware.memory]\ncapacity_gib = {gib:?}\n\
             bandwidth_tb_per_s = 3.0\nsource = \"me\"\nconfidence = \"low\"\n[hardware.compute]\n\
             bf16_tflops = 900\nsource = \"me\"\nconfidence = \"low\"\n[hardware.interconnect]\n\
             kind = \"nvlink\"\ngb_per_s = 300\ndomain_gpus = 8\nsource = \"me\"\nconfidence = \"low\""
        );
        let engine = scenario(&gpu).pools.remove(0).engine;
        (engine.max_num_seqs, engine.max_num_batched_tokens)
    };
    assert_eq!(own("mi300x", 191.5), (1_024, 8_192));
    assert_eq!(own("big", 70.0), (1_024, 8_192));
    assert_eq!(own("small", 69.9), (256, 2_048));
    assert_eq!(own("a100-pcie-96gb", 95.0), (256, 2_048));
}

#[test]
fn validate_says_limits_and_kv_format_beside_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.toml");
    fs::write(&file, text(LLAMA_70B)).unwrap();
    let validate = |set: &[&str]| {
        let mut command = Command::cargo_bin("tokenmill").unwrap();
        command.arg("validate").arg(&file).args(set.iter().map(|set| format!("--set={set}")));
        String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
    };
    let default = "at most 1024 sequences and 8192 tokens a step, KV cache in bf16";
    let said = validate(&[]);
    assert!(said.contains(&format!("{default}: the defaults of vLLM 0.27 on h100-sxm")), "{said}");
    let said = validate(&["pool.a.kv_precision=fp8", "pool.a.engine.max_num_batched_tokens=512"]);
    assert!(
        said.contains("at most 512 sequences and 512 tokens a step, KV cache in fp8"),
        "{said}"
    );
    assert!(said.contains(&format!("(by default vLLM 0.27 on h100-sxm has {default})")), "{said}");
    let said = validate(&["pool.a.hardware=a100", "pool.a.tensor_parallel=4"]);
    assert!(said.contains("at most 256 sequences and 2048 tokens a step"), "{said}");
}
