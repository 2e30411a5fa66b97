//! Every mistake a scenario can hold is named with line, key, value and fix,
//! all of them at once.

use std::path::Path;
use tokenmill::error::Error;
use tokenmill::scenario::{Loaded, Overrides, parse};

const GOOD: &str = r#"name = "s"
duration = "10 min"

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
replicas = 2
engine = { max_num_seqs = 64 }

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "2 /s" }
prompt_tokens = { distribution = "lognormal", median = 900, sigma = 0.9 }
output_tokens = 200
slo = { ttft_p95 = "800 ms" }
"#;

fn check(text: &str, overrides: &Overrides) -> Result<(), String> {
    match parse(text, "s.toml", Path::new("no-such-folder"), overrides) {
        Ok(_) => Ok(()),
        Err(error @ Error::Invalid(_)) => Err(error.to_string()),
        Err(error) => panic!("not the user's mistake: {error}"),
    }
}

/// What is said when each `from` of the good scenario becomes its `to`.
fn mistakes(changes: &[(&str, &str)]) -> String {
    let mut text = GOOD.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    check(&text, &Overrides::default()).expect_err("a mistake")
}

fn set(assignments: &[&str]) -> String {
    let set = assignments.iter().map(ToString::to_string).collect();
    check(GOOD, &Overrides { set, ..Overrides::default() }).expect_err("a mistake")
}

/// What is said of a pool with these tiers.
fn offload(tiers: &str) -> String {
    let tiers = format!("replicas = 2\noffload = [{tiers}]");
    mistakes(&[("replicas = 2", tiers.as_str())])
}

#[test]
fn tiers_that_cannot_be() {
    insta::assert_snapshot!(
        [
            offload("{ tier = \"host-drma\" }, { capacity = \"1 GB\" }"),
            offload("{ tier = \"host-drma\" }, { tier = \"rdma-pool\" }"),
            offload("{ tier = \"host-dram\", capacity = \"0 GB\" }"),
            offload("{ tier = \"host-dram\", capacity = \"2 MB\", policy = \"write-trough\" }"),
            offload("{ tier = \"host-dram\", capacity = \"2 MB\" }, { tier = \"dram\" }"),
            offload("{ tier = \"rdma-pool\" }, { tier = \"cmx\", capacity = \"512\", scope = \"rack\" }"),
            mistakes(&[(
                "[[use_case]]",
                "[[tier]]\nname = \"x\"\n[[tier]]\nname = \"y\"\nbase = \"cmxx\"\n[[tier]]\nname = \"z\"\n\
                 base = \"cmx\"\ncapacity = { gb_per_gpu = -1 }\n\
                 transfer = { per = \"gpu\", read_gb_per_s = 0, write_gb_per_s = 1e30, latency_us = -1, \
                 efficiency = 2 }\n\n[[use_case]]"
            )]),
        ]
        .join("\n\n")
    );
}

#[test]
fn tiers_that_should_be_thought_over() {
    let with = |pool: &str, tier: &str| {
        let text = GOOD.replace("replicas = 2\n", &format!("{pool}\n"));
        let text = text.replace("engine = { max_num_seqs = 64 }\n", "");
        let text = text.replace("[[use_case]]", &format!("{tier}\n[[use_case]]"));
        let loaded = parse(&text, "s.toml", Path::new(""), &Overrides::default());
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        (loaded.scenario.warnings.join("\n"), loaded.scenario.pools[0].offload.len())
    };
    let dram = "offload = [{ tier = \"host-dram\" }]";
    let off = format!("engine = {{ prefix_caching = false }}\n{dram}");
    assert_eq!(with(dram, ""), (String::new(), 1));
    let (warning, tiers) = with(&off, "");
    assert_eq!(warning, "pool a: offload is left out because prefix_caching is off");
    assert_eq!(tiers, 0);
    let fast = "[[tier]]\nname = \"local-nvme\"\ntransfer = { per = \"gpu\", \
        read_gb_per_s = 100.0, write_gb_per_s = 5.0, latency_us = 80.0 }\n";
    let (warning, _) = with("offload = [{ tier = \"local-nvme\" }]", fast);
    assert_eq!(
        warning,
        "pool a: local-nvme moves 100 GB/s over a carrier of 64 GB/s; the carrier's rate counts"
    );
}

#[test]
fn prefixes_and_sessions_that_cannot_be() {
    let more = |text: &str| {
        let more = format!("output_tokens = 200\n{text}");
        mistakes(&[("output_tokens = 200", more.as_str())])
    };
    let twice = |first: &str, second: &str| {
        more(&format!(
            "prefix = [{first}]\n[[use_case]]\nname = \"other\"\nprefix = [{second}]\n\
             arrivals = {{ process = \"constant\", rate = \"1 /s\" }}\n\
             prompt_tokens = 1\noutput_tokens = 1"
        ))
    };
    insta::assert_snapshot!(
        [
            more("prefix = [{ tokens = 0.2 }]"),
            more("prefix = [{ tokens = 10, zipf = 1.0 }]"),
            more("prefix = [{ tokens = 10, groups = 0 }, { groups = 3 }]"),
            more("prefix = [{ tokens = 10, groups = 1e9 }]"),
            more(
                "prefix = [{ tokens = 10, groups = 1_000_000_000 }, { tokens = 1, groups = 5_000 }]"
            ),
            more(&format!("prefix = [{}]", "{ tokens = 1 }, ".repeat(17))),
            twice("{ tokens = 10, name = \"a b\" }", "{ tokens = 10 }"),
            twice("{ tokens = 10, name = \"rules\" }", "{ tokens = 20, name = \"rules\" }"),
            more("session = { think = \"1 s\" }"),
            more("session = { turns = 0 }"),
            more("session = { turns = 1e7, think = 3 }"),
            more("session = { turns = 12, thinks = \"1 s\" }"),
            more("cache_hit = 1.2"),
            more("cache_hit = \"60 tokens\""),
        ]
        .join("\n")
    );
}

#[test]
fn thinking_that_cannot_be() {
    let thinking = |text: &str| {
        let more = format!("output_tokens = 200\nthinking = {{ {text} }}");
        mistakes(&[("output_tokens = 200", more.as_str())])
    };
    insta::assert_snapshot!(
        [
            thinking("probability = 0.5"),
            thinking("tokens = 100, share = 0.5"),
            thinking("tokens = 0.4"),
            thinking("tokens = 100, probability = 1.5"),
            thinking("tokens = 100, probability = 0.5, threshold = 0.3"),
            thinking("tokens = 100, difficulty = 0.5"),
            thinking("tokens = 100, threshold = nan"),
            thinking("share = \"deepseek\""),
            thinking("share = 12"),
            thinking("share = { distribution = \"beta\", alpha = 0, beta = 2 }"),
            thinking("share = { distribution = \"beta\", alpha = 3 }"),
            thinking("tokens = 100, budget = -1"),
            thinking("tokens = 100, keep = true"),
        ]
        .join("\n")
    );
    let slo = mistakes(&[("ttft_p95", "visible_ttft_95")]);
    assert!(slo.contains("visible_ttft_p95"), "{slo}");
}

#[test]
fn routers_that_cannot_route() {
    let router = |text: &str| {
        let router = format!("replicas = 2\nrouter = {{ {text} }}");
        mistakes(&[("replicas = 2", router.as_str())])
    };
    insta::assert_snapshot!(
        [
            router("policy = \"kv-awair\""),
            router("policy = \"kv-aware\", overlap_weight = -1, temperature = -0.5"),
            router("policy = \"prefix-affinity\", spill_over = 0.9"),
            router("policy = \"kv-aware\", signal_delay = \"2 h\""),
            router("policy = \"kv-aware\", signal_delay = \"-1 ms\""),
            router("policy = \"kv-aware\", overlap = 1.0"),
        ]
        .join("\n")
    );
}

#[test]
fn routers_that_do_not_use_what_they_are_given() {
    let warnings = |router: &str, engine: &str| {
        let text = GOOD
            .replace("replicas = 2", &format!("replicas = 2\nrouter = {{ {router} }}"))
            .replace("max_num_seqs = 64", &format!("max_num_seqs = 64{engine}"));
        let loaded = parse(&text, "s.toml", Path::new(""), &Overrides::default()).expect("valid");
        loaded.scenario.warnings
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(warnings("policy = \"kv-aware\", temperature = 0.1", ""), none);
    assert_eq!(warnings("policy = \"prefix-affinity\", signal_delay = \"1 s\"", ""), none);
    let blind = warnings("policy = \"kv-aware\"", ", prefix_caching = false");
    assert!(blind[0].contains("has no cache to look for"), "{blind:?}");
    let idle = warnings("policy = \"least-loaded\", spill_over = 2, overlap_weight = 1", "");
    assert_eq!(idle.len(), 2);
    assert!(idle[0].contains("router.overlap_weight has no effect"), "{idle:?}");
    let idle = warnings("policy = \"round-robin\", signal_delay = \"1 s\"", "");
    assert!(idle[0].contains("router.signal_delay has no effect"), "{idle:?}");
}

#[test]
fn the_good_scenario_is_good() {
    assert_eq!(check(GOOD, &Overrides::default()), Ok(()));
}

#[test]
fn unknown_keys() {
    insta::assert_snapshot!(mistakes(&[
        ("duration", "sed = 1\nduration"),
        ("replicas = 2", "replcas = 2"),
        ("max_num_seqs = 64", "max_seqs = 64"),
        ("rate = \"2 /s\"", "rate = \"2 /s\", clients = 3"),
        ("sigma = 0.9", "sigma = 0.9, stddev = 3"),
        ("ttft_p95", "ttf_p95"),
    ]));
}

#[test]
fn precisions_that_cannot_be() {
    let all = [
        "{ precision = 0 }",
        "{ precision = \"2\" }",
        "{ precision = \"200 %\" }",
        "{ max = 100 }",
        "{ precision = 0.02, min = 4, maximum = 100 }",
        "{ precision = 0.02, min = 100, max = 50 }",
        "{ precision = 0.02, of = [] }",
        "{ precision = 0.02, of = 3 }",
        "{ precision = 0.02, of = \"use_cases.chat.tftt_s.p95\" }",
        "{ precision = 0.02, of = [\"use_cases.chat.e2e_s.p95\", \"latency\"] }",
        "\"2 %\"",
        "0",
    ];
    let told = |text: &str| mistakes(&[("duration", &format!("replications = {text}\nduration"))]);
    insta::assert_snapshot!(all.map(|text| format!("{text}\n{}", told(text))).join("\n"));
}

#[test]
fn demand_that_cannot_be() {
    let all = [
        "users = 1_000",
        "users = 0\nsessions_per_user_per_day = 2",
        "users = 1_000\nsessions_per_user_per_day = 2",
        "time_zone = \"America/New_Yrok\"",
        "time_zone = \"Mars\"",
        "growth = \"9.7 %\"",
        "growth = \"-3 %/month\"",
        "growth = { cause = \"launch\", at = \"2026-01-01T00:05\", factor = 1e6 }",
        "growth = { rate = \"3 %/month\" }",
        "growth = { cause = \"adoption\", doubling = \"0 s\", ceiling = 3 }",
        "growth = [{ cause = \"launch\", at = \"2026-02-30\", factor = 2 }]",
        "growth = { cause = \"launch\", at = \"2020-01-01\", factor = 2 }",
        "season = [1, 2, 3]",
        "season = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
        "profile = \"caht\"",
        "profile = { weekday = [1, 2] }",
        "profile = { weekday = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1] }",
        "calendar = \"retail-uk\"",
        "variability = { day_noise = { cv = 2, correlation = 1 } }",
        "variability = { gaps = { distribution = \"normal\" } }",
        "variability = { states = [{ factor = 0, mean = \"1 h\" }] }",
        "variability = { states = [{ factor = 1, mean = \"1 h\" }] }",
        "variability = { crowds = { every = \"1 s\", peak = 3, decay = \"1 h\" } }",
        "variability = { tenants = { count = 0, on = \"1 h\" } }",
    ];
    let start = "start = \"2026-01-01T00:00:00Z\"\nduration";
    let told =
        |text: &str| mistakes(&[("duration", start), ("arrivals", &format!("{text}\narrivals"))]);
    let mut said = all.map(|text| format!("{text}\n{}", told(text))).join("\n");
    let calendars = [
        "days = [{ on = \"5th monday of may\", multiple = 2 }]",
        "days = [{ on = \"12-25\", multiple = 2, hours = [1, 2] }]",
        "days = [{ on = \"01-01\", days = 366, multiple = 2 }]",
        "season = { from = \"11-31\", until = \"12-31\" }",
        "csv = \"none.csv\"",
    ];
    for text in calendars {
        let calendar = format!("[[calendar]]\nname = \"own\"\n{text}\n\n[[use_case]]");
        let told = mistakes(&[
            ("duration", start),
            ("[[use_case]]", &calendar),
            ("arrivals", "calendar = \"own\"\narrivals"),
        ]);
        said += &format!("{text}\n{told}\n");
    }
    let without_start = mistakes(&[("arrivals", "profile = \"chat\"\narrivals")]);
    let steady = mistakes(&[
        ("duration", "regime = \"steady\"\nduration"),
        ("arrivals", "growth = \"3 %/month\"\narrivals"),
    ]);
    insta::assert_snapshot!(format!("{said}\n{without_start}\n{steady}"));
}

#[test]
fn windows_that_cannot_be() {
    let all = [
        "",
        "choose = \"weekly\"",
        "choose = \"worst\"",
        "choose = \"worst\"\ncount = 0",
        "choose = \"worst\"\ncount = 200",
        "choose = \"random\"\ncount = 5000",
        "choose = \"weekly-peaks\"\ncount = 3",
        "choose = \"weekly-peaks\"\nat = [\"2026-01-02T10:00\"]",
        "choose = \"weekly-peaks\"\nlength = \"0 s\"",
        "choose = \"weekly-peaks\"\nlength = \"9 days\"",
        "choose = \"weekly-peaks\"\nwarm_up = \"7 days\"",
        "choose = \"weekly-peaks\"\nwarm_up = \"soon\"",
        "choose = \"weekly-peaks\"\npool = \"b\"",
        "at = []",
        "at = [\"2026-01-08\"]",
        "at = [\"2025-12-31\"]",
        "at = [\"2026-02-30T20:00\", \"noon\"]",
        "at = [\"2026-01-02T10:00\", \"2026-01-02T10:30\"]",
        "at = [\"2026-01-07T23:30\"]",
        "at = [\"2026-01-02T10:00\"]\ncount = 1",
        "windows = 3",
    ];
    let start = "start = \"2026-01-01T00:00:00Z\"\nduration = \"7 days\"";
    let told = |text: &str| {
        mistakes(&[
            ("duration = \"10 min\"", start),
            ("[[pool]]", &format!("[windows]\n{text}\n[[pool]]")),
            ("arrivals", "profile = \"chat\"\narrivals"),
        ])
    };
    let said = all.map(|text| format!("{text}\n{}", told(text))).join("\n");
    let windows = ("[[pool]]", "[windows]\nchoose = \"weekly-peaks\"\n[[pool]]");
    let steady = mistakes(&[windows]);
    let closed = "arrivals = { process = \"closed-loop\", clients = 2, requests = 9 }";
    let rate = "arrivals = { process = \"poisson\", rate = \"2 /s\" }";
    let ends = mistakes(&[windows, (rate, closed)]);
    let without_start = mistakes(&[
        ("[[pool]]", "[windows]\nat = [\"2026-01-02\"]\n[[pool]]"),
        ("arrivals", "growth = \"3 %/month\"\narrivals"),
    ]);
    insta::assert_snapshot!(format!("{said}\n{steady}\n{ends}\n{without_start}"));
}

#[test]
fn keys_of_later_versions() {
    insta::assert_snapshot!(mistakes(&[
        ("[[use_case]]", "[[fault]]\nname = \"x\"\n\n[[use_case]]"),
        ("replicas = 2", "replicas = 2\nlink = []"),
    ]));
}

#[test]
fn wrong_units() {
    insta::assert_snapshot!(mistakes(&[
        ("10 min", "10 minits"),
        ("replicas = 2", "power_per_gpu = \"1370 GBs\"\nprice_per_gpu_hour = \"2.10/h\""),
        ("max_num_seqs = 64", "kv_memory = \"80 GBs\""),
        ("2 /s", "2"),
        ("800 ms", "800"),
    ]));
}

#[test]
fn wrong_types_and_ranges() {
    insta::assert_snapshot!(mistakes(&[
        ("name = \"s\"", "name = \"s\"\nseed = \"one\"\nreplications = 0"),
        ("replicas = 2", "replicas = 0\ntensor_parallel = 1.5\npue = 0.5"),
        (
            "max_num_seqs = 64",
            "max_num_seqs = -1, reserve_full_prompt = 1, kv_watermark = \"101 %\""
        ),
        ("rate = \"2 /s\"", "rate = nan"),
        ("median = 900", "median = nan"),
        ("output_tokens = 200", "output_tokens = [1]"),
    ]));
}

#[test]
fn negative_and_absurd_quantities() {
    insta::assert_snapshot!(mistakes(&[("2 /s", "-2 /s"), ("10 min", "-10 min")]));
    insta::assert_snapshot!(mistakes(&[("2 /s", "0 /s"), ("10 min", "0 s"), ("800 ms", "0 s")]));
    insta::assert_snapshot!(mistakes(&[("10 min", "11 years")]));
    insta::assert_snapshot!(mistakes(&[("10 min", "4000 days"), ("sigma = 0.9", "sigma = -1")]));
    insta::assert_snapshot!(mistakes(&[("output_tokens = 200", "output_tokens = -5")]));
    insta::assert_snapshot!(mistakes(&[("2 /s", "1000 /s"), ("10 min", "9 years")]));
}

#[test]
fn entries_of_the_users_own_catalog() {
    let own = "[[hardware]]\nname = \"my-gpu\"\nbase = \"h100-sxm\"\n\
        memory = { capacity_gib = 120, bandwidth_tb_per_s = 4 }\n\n[[use_case]]";
    let changes = [("h100-sxm", "my-gpu"), ("[[use_case]]", own)];
    let text = changes.iter().fold(GOOD.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let loaded = parse(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap();
    assert_eq!(loaded.scenario.pools[0].hardware.memory_bytes, 120 << 30);
    let price = |loaded: &Loaded| loaded.scenario.pools[0].gpu_hour.clone();
    assert!(price(&loaded).origin.contains("set B"), "{:?}", price(&loaded));
    let priced =
        text.replace("\nmemory", "\nset_b = { it_w = 900, usd_per_gpu_hour = 3.5 }\nmemory");
    let priced = parse(&priced, "s.toml", Path::new(""), &Overrides::default()).unwrap();
    assert_eq!(price(&priced).usd, Some(3.5));
    assert_eq!(price(&priced).origin, "the scenario's my-gpu");
    let again =
        parse(&loaded.resolved_toml, "again", Path::new(""), &Overrides::default()).unwrap();
    assert_eq!(loaded.resolved_toml, again.resolved_toml);

    let own = "[[hardware]]\nname = \"my-gpu\"\nbase = \"h101\"\n\n\
        [[hardware]]\nname = \"other\"\nmemory = { capacity_gib = -1, bandwidth_tb_per_s = 4, x = 1 }\n\n\
        [[model]]\nname = \"mine\"\nbase = \"llama-3.1-8b\"\nlayers = \"many\"\n\n[[use_case]]";
    insta::assert_snapshot!(mistakes(&[("[[use_case]]", own)]));
}

#[test]
fn unknown_names() {
    insta::assert_snapshot!(mistakes(&[
        ("llama-3.1-8b", "lama-3.1-8b"),
        ("h100-sxm", "h10-sxm"),
        ("replicas = 2", "precision = \"fp9\"\nrouter = { policy = \"least-load\" }"),
        ("max_num_seqs = 64", "max_num_seqs = 64, eviction = \"s3-fif\""),
        ("poisson", "poison"),
        ("lognormal", "lognorm"),
        ("name = \"chat\"", "name = \"chat\"\npool = \"b\""),
    ]));
}

#[test]
fn missing_keys() {
    insta::assert_snapshot!(mistakes(&[
        ("name = \"s\"\n", ""),
        ("duration = \"10 min\"", ""),
        ("model = \"llama-3.1-8b\"\n", ""),
        ("process = \"poisson\", ", ""),
        ("output_tokens = 200\n", ""),
    ]));
    insta::assert_snapshot!(check("name = \"s\"", &Overrides::default()).unwrap_err());
    insta::assert_snapshot!(mistakes(&[
        ("duration = \"10 min\"", ""),
        ("arrivals = { process = \"poisson\", rate = \"2 /s\" }\n", ""),
        ("median = 900, ", ""),
    ]));
}

#[test]
fn duplicate_and_unusable_names() {
    let pool = "[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n";
    insta::assert_snapshot!(mistakes(&[
        ("name = \"s\"", "name = \"../s\""),
        ("[[use_case]]", &format!("{pool}\n[[use_case]]")),
    ]));
}

#[test]
fn syntax() {
    insta::assert_snapshot!(mistakes(&[("replicas = 2", "replicas = = 2")]));
    insta::assert_snapshot!(mistakes(&[("seqs = 64 }", "seqs = 99999999999999999999 }")]));
}

#[test]
fn engine_that_cannot_work() {
    insta::assert_snapshot!(mistakes(&[(
        "max_num_seqs = 64",
        "max_num_seqs = 512, max_num_batched_tokens = 256, gpu_memory_utilization = 0"
    )]));
}

#[test]
fn engine_that_is_too_fast_or_too_slow() {
    insta::assert_snapshot!(mistakes(&[(
        "max_num_seqs = 64",
        "max_num_seqs = 64, step_scale = 0.001, decode_scale = 101"
    )]));
    insta::assert_snapshot!(mistakes(&[("max_num_seqs = 64", "decode_scale = nan")]));
}

#[test]
fn eviction_that_keeps_nothing() {
    let engine = |policy: &str| format!("max_num_seqs = 64, eviction = {{ policy = {policy} }}");
    insta::assert_snapshot!(mistakes(&[(
        "max_num_seqs = 64",
        &engine("\"agent-hold\", hold = \"0 s\"")
    )]));
    insta::assert_snapshot!(mistakes(&[("max_num_seqs = 64", &engine("\"lru\", hold = \"9 s\""))]));
}

#[test]
fn model_larger_than_memory() {
    insta::assert_snapshot!(mistakes(&[("llama-3.1-8b", "llama-3.1-70b")]));
}

#[test]
fn traces_that_cannot_be_read() {
    insta::assert_snapshot!(mistakes(&[
        (
            "arrivals = { process = \"poisson\", rate = \"2 /s\" }",
            "trace = { format = \"azure\", path = \"t.csv\" }"
        ),
        ("output_tokens = 200\n", ""),
    ]));
}

#[test]
fn numbers_beyond_reason() {
    insta::assert_snapshot!(mistakes(&[
        ("10 min", "1e-9 s"),
        ("replicas = 2", "price_per_gpu_hour = \"$1e308/h\"\npower_per_gpu = \"1e300 MW\""),
        ("2 /s", "5e-324 /s"),
    ]));
    insta::assert_snapshot!(mistakes(&[("replicas = 2", "replicas = 1_000_000")]));
    let loop_of = |keys: &str| format!("process = \"closed-loop\", {keys}");
    let crowd = loop_of("clients = 10_000_000");
    let more = GOOD.split_at(GOOD.find("[[use_case]]").unwrap()).1.replace("\"chat\"", "\"more\"");
    let text = format!("{GOOD}\n{more}").replace("process = \"poisson\", rate = \"2 /s\"", &crowd);
    insta::assert_snapshot!(check(&text, &Overrides::default()).unwrap_err());
    let years = "\"9 years\"";
    let heavy = "{ distribution = \"pareto\", minimum = \"1 s\", alpha = 0.05 }";
    for think in [years, heavy] {
        let pauses = loop_of(&format!("clients = 1, requests = 20, think = {think}"));
        let error = mistakes(&[
            ("duration = \"10 min\"\n", ""),
            ("process = \"poisson\", rate = \"2 /s\"", &pauses),
        ]);
        assert!(error.starts_with("s.toml:12: use_case.chat.arrivals.think"), "{error}");
        assert!(error.contains("pause for more than ten years"), "{error}");
    }
}

#[test]
fn lists_that_are_empty_or_endless() {
    assert_eq!(
        set(&["pool=[]", "use_case=[]"]),
        "--set: pool = []: is empty; add a [[pool]] with name, model, hardware\n\
         --set: use_case = []: is empty; add a [[use_case]] with name, arrivals, prompt_tokens, output_tokens"
    );
    let many: String = (0..20_000).map(|i| format!("[[use_case]]\nname = \"u{i}\"\n")).collect();
    let error = check(&format!("{GOOD}{many}"), &Overrides::default()).unwrap_err();
    assert!(error.contains("use_case: has 20001 entries; keep it to 10000"), "{error}");
    assert_eq!(error.lines().count(), 51, "only the first mistakes are listed");
    assert!(error.ends_with("more mistakes; mend these first"), "{error}");
}

#[test]
fn names_that_would_garble_a_message() {
    let long = "x".repeat(5_000);
    let quoted = format!("name = \"{long}\"");
    let error = mistakes(&[("name = \"a\"", &quoted), ("name = \"s\"", "name = \"a\\u001b[31m\"")]);
    assert!(error.lines().all(|line| line.len() < 250), "{error}");
    let error = set(&["seed=1\nname=2\u{1b}[31m", &format!("{long}=1")]);
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(!error.contains('\u{1b}'), "{error}");
}

#[test]
fn keys_with_dots_and_words_beside_quantities() {
    insta::assert_snapshot!(mistakes(&[
        ("ttft_p95 = \"800 ms\"", "ttft_p99.9 = \"800 ms\", tpot = 3"),
        ("duration", "warm_up = \"Auto\"\nduration"),
    ]));
    let changes = [("ttft_p95 = \"800 ms\"", "\"ttft_p99.9\" = \"800 ms\"")];
    let good = GOOD.replacen(changes[0].0, changes[0].1, 1);
    assert_eq!(check(&good, &Overrides::default()), Ok(()));
    let set = vec!["use_case.chat.slo.\"ttft_p99.9\"=1 s".to_owned()];
    assert_eq!(check(GOOD, &Overrides { set, ..Overrides::default() }), Ok(()));
}

#[test]
fn own_entries_are_objected_to_once() {
    let own = "[[hardware]]\nname = \"g\"\nbase = \"h100-sxm\"\n\
        memory = { capacity_gib = 1e300, bandwidth_tb_per_s = 1e-300 }\n\
        set_b = { it_w = 1e308, usd_per_gpu_hour = 1e308 }\n\n\
        [[model]]\nname = \"m\"\nlayers = 10_000\nhidden = 1_048_576\nvocabulary = 1_000\n\
        max_context_tokens = 4096\ngrouped = { heads = 1, kv_heads = 1, head_dim = 1 }\n\
        dense = { layers = 10_000, width = 1_048_576 }\n\n[[use_case]]";
    insta::assert_snapshot!(mistakes(&[
        ("h100-sxm", "g"),
        ("llama-3.1-8b", "m"),
        ("[[use_case]]", own)
    ]));
    let own = "[[hardware]]\nname = \"g\"\nmemory = { capacity_gib = nan, bandwidth_tb_per_s = 4 }\n\
        compute = { bf16_tflops = 900 }\n\
        interconnect = { kind = \"pcie\", gb_per_s = 50, domain_gpus = 1 }\n\n[[use_case]]";
    insta::assert_snapshot!(mistakes(&[("h100-sxm", "g"), ("[[use_case]]", own)]));
}

#[test]
fn seeds_beyond_toml() {
    let overrides = Overrides { seed: Some(u64::MAX), ..Overrides::default() };
    insta::assert_snapshot!(
        check(GOOD, &overrides).unwrap_err(),
        @"--seed: seed = 18446744073709551615: is too large an integer; write a whole number up to 9223372036854775807"
    );
}

#[test]
fn overrides() {
    insta::assert_snapshot!(set(&[
        "pool.a.replicas=0",
        "pool.b.replicas=1",
        "pool.a.engine.max_seqs=1",
        "use_case.chat.arrivals.rate=3 /x",
        "pol.a.replicas=1",
        "duration=2",
        "seed",
    ]));
}

#[test]
fn a_resolved_scenario_is_the_same_scenario() {
    let overrides = Overrides {
        set: vec!["pool.a.replicas=3".to_owned()],
        seed: Some(9),
        ..Overrides::default()
    };
    let dir = Path::new("");
    let first = parse(GOOD, "s.toml", dir, &overrides).unwrap();
    let again = parse(&first.resolved_toml, "again", dir, &Overrides::default()).unwrap();
    assert_eq!((first.scenario.seed, first.scenario.pools[0].replicas), (9, 3));
    assert_eq!(first.resolved_toml, again.resolved_toml);
    assert_eq!(first.hash, again.hash);
    assert_eq!(format!("{:?}", first.scenario), format!("{:?}", again.scenario));
    insta::assert_snapshot!(first.resolved_toml);
}

proptest::proptest! {
    #[test]
    fn mutated_scenarios_never_panic(
        edits in proptest::collection::vec(
            (0..600_usize, proptest::sample::select(b"0129-+.eE\"{}[]=,:\n an".to_vec())),
            0..6,
        ),
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let text = String::from_utf8(bytes).unwrap();
        let _ = check(&text, &Overrides::default());
    }
}

/// What is said of these lines after the good scenario.
fn arms(text: &str) -> String {
    check(&format!("{GOOD}\n{text}"), &Overrides::default()).expect_err("a mistake")
}

#[test]
fn arms_that_cannot_be() {
    insta::assert_snapshot!(arms(
        "[[arm]]\nname = \"baseline\"\nset = {}\n\n\
         [[arm]]\nname = \"x\"\nset = { \"seed\" = 2, \"pool\" = { a = { replicas = 3 } } }\n\n\
         [[arm]]\nname = \"x\"\n\n\
         [[arm]]\nname = \"y\"\nset = 3\nsett = {}\n"
    ));
}

#[test]
fn arms_whose_keys_lead_nowhere() {
    insta::assert_snapshot!(arms(
        "[[arm]]\nname = \"x\"\nset = { \"pool.a.replcas\" = 4, \"pool.a.engine.max_seqs\" = 4 }\n\n\
         [[arm]]\nname = \"y\"\n[arm.set]\n\"pool.b.replicas\" = 4\n\"pol.a.replicas\" = 4\n\
         \"pool..replicas\" = 4\n\"use_case.chat.arrivals.rat\" = \"3 /s\"\n"
    ));
}

#[test]
fn arms_that_make_an_invalid_scenario() {
    insta::assert_snapshot!(arms(
        "[[arm]]\nname = \"none\"\nset = { \"pool.a.replicas\" = 0 }\n\n\
         [[arm]]\nname = \"large\"\nset = { \"pool.a.model\" = \"llama-3.1-70b\" }\n\n\
         [[arm]]\nname = \"fast\"\nset = { \"use_case.chat.arrivals.rate\" = \"36\" }\n\n\
         [[arm]]\nname = \"episode\"\n\
         set = { \"use_case.chat.arrivals\" = { process = \"closed-loop\", clients = 2, requests = 9 } }\n"
    ));
}

#[test]
fn mistakes_of_the_scenario_are_not_repeated_for_its_arms() {
    let arm = "[[arm]]\nname = \"x\"\nset = { \"pool.a.replicas\" = 0 }\n\n[[use_case]]";
    let said = mistakes(&[("[[use_case]]", arm), ("2 /s", "2"), ("ttft_p95", "ttf_p95")]);
    insta::assert_snapshot!(said);
}

#[test]
fn regions_that_cannot_be() {
    let world = "[[region]]\nname = \"us\"\n[[region]]\nname = \"eu\"\n\n[[pool]]";
    let told = |changes: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> =
            [("[[pool]]", world)].into_iter().chain(changes.iter().copied()).collect();
        mistakes(&all)
    };
    let use_case = |lines: &str| told(&[("arrivals", &format!("{lines}\narrivals"))]);
    let placed = |lines: &str| {
        told(&[
            ("replicas", "region = \"us\"\nreplicas"),
            ("arrivals", &format!("{lines}\narrivals")),
        ])
    };
    let region = |lines: &str| told(&[("name = \"us\"", &format!("name = \"us\"\n{lines}"))]);
    let two = |second: &str, use_case: &str| {
        let pools = format!(
            "region = \"us\"\nreplicas = 1\n[[pool]]\nname = \"b\"\nmodel = \"llama-3.1-8b\"\nhardware = \
             \"h100-sxm\"\n{second}\nreplicas"
        );
        told(&[("replicas", &pools), ("arrivals", &format!("{use_case}\narrivals"))])
    };
    let pool_of_explorers = "region = \"us\"\nreplicas = 1\n[[pool]]\nname = \"b\"\nmodel = \
                             \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nregion = \"eu\"\nreplicas";
    let said = [
        told(&[("replicas", "region = \"su\"\nreplicas")]),
        mistakes(&[("replicas", "region = \"us\"\nreplicas")]),
        region("time_zone = \"America/New_Yrok\""),
        region("round_trip = \"2 min\""),
        region("round_trips = { us = \"1 ms\", ue = \"85 ms\" }"),
        region("round_trips = { eu = 85 }"),
        use_case("regions = { us = 1 }"),
        use_case("serve = \"follow-the-sun\""),
        use_case("pool = [\"a\", \"b\"]"),
        use_case("round_trip = \"-3 ms\""),
        placed("regions = { us = 0.5, su = 0.5 }"),
        placed("regions = { us = 0.5, eu = 0.4 }\nround_trip = \"1 ms\""),
        placed("regions = { us = 1.0, eu = 0 }"),
        placed("regions = { us = 0.5, eu = 0.5 }"),
        placed(
            "regions = { us = 0.5, eu = { share = 0.5, calendar = \"retail-uk\", profile = \"caht\" } }",
        ),
        placed("regions = { us = 1 }\ntime_zone = \"Asia/Tokyo\""),
        placed("regions = { us = 1 }\nserve = \"follow-the-moo\""),
        placed("regions = { us = 1 }\nserve = { policy = \"overflow\", fill = 0 }"),
        placed("regions = { us = 1 }\nserve = \"follow-the-sun\""),
        placed("regions = { us = 1 }\npool = []"),
        two("", "pool = [\"a\", \"b\"]\nregions = { us = 1 }"),
        two("region = \"us\"", "regions = { us = 1 }"),
        two("region = \"eu\"\noffload = [{ tier = \"host-dram\" }]", "regions = { us = 1 }"),
        two("region = \"eu\"", "regions = { us = 1 }\nserve = \"overflow\""),
        two("region = \"eu\"", "pool = [\"a\", \"b\"]"),
        told(&[
            ("replicas", pool_of_explorers),
            (
                LENGTHS,
                "agent = \"coding-agent\"\npools = { explore = \"b\" }\nregions = { us = 1 }\n",
            ),
        ]),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn batches_that_cannot_be() {
    let arrivals = "arrivals = { process = \"poisson\", rate = \"2 /s\" }";
    let told = |lines: &str| mistakes(&[(arrivals, lines)]);
    let batch = |keys: &str| told(&format!("batch = {{ calls = 50, deadline = \"8 h\", {keys} }}"));
    let beside = |lines: &str| {
        told(&format!("batch = {{ every = \"1 h\", calls = 50, deadline = \"8 h\" }}\n{lines}"))
    };
    let said = [
        told("batch = { every = \"1 h\" }"),
        batch("fill = 0.7"),
        batch("at = \"02:00\""),
        batch("at = \"25:00\""),
        batch("at = \"02:00\", every = \"1 h\""),
        batch("every = \"0 s\""),
        batch("every = \"1 h\", fill = 0"),
        batch("every = \"1 h\", rush = \"9 h\""),
        batch("every = \"1 h\", concurrency = 0"),
        told("batch = { every = \"1 h\", calls = 0.2, deadline = \"0 s\" }"),
        told("batch = { every = \"1 s\", calls = 1e8, deadline = \"1 h\" }"),
        beside(arrivals),
        beside("users = 1_000\nsessions_per_user_per_day = 2"),
        beside("profile = \"chat\""),
        beside("round_trip = \"20 ms\""),
        beside("pool = [\"a\", \"a\"]"),
        beside(&format!("pool = [{}]", "\"a\", ".repeat(151))),
        mistakes(&[
            (arrivals, "batch = { every = \"1 h\", calls = 50, deadline = \"8 h\" }"),
            ("duration", "regime = \"steady\"\nduration"),
        ]),
        mistakes(&[
            (arrivals, "batch = { every = \"1 h\", calls = 50, deadline = \"8 h\" }"),
            ("duration = \"10 min\"\n", ""),
        ]),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

/// What calls ask for in the good scenario.
const LENGTHS: &str = "prompt_tokens = { distribution = \"lognormal\", median = 900, sigma = 0.9 }\n\
                       output_tokens = 200\n";

/// The good scenario with an agent in place of lengths.
fn with_agent(use_case: &str, more: &str) -> String {
    let text = GOOD.replace(LENGTHS, use_case) + more;
    check(&text, &Overrides::default()).unwrap_err()
}

#[test]
fn agents_that_do_not_add_up() {
    insta::assert_snapshot!(with_agent("agent = \"coding-agnet\"\n", ""));
    let use_case = "agent = \"coding-agent\"\nprompt_tokens = 5\n\
                    pools = { explorer = \"a\", explore = \"b\" }\n\
                    tools = { shell = \"sandbox\", browser = \"sandbox\" }\n";
    insta::assert_snapshot!(with_agent(use_case, ""));
    let agents = r#"
[[tool_pool]]
name = "w"
worker = "vera"
workers = 1

[[agent]]
name = "x"
context = { message_tokens = 100 }
turns = { count = 3, output_tokens = 50 }

[agent.tools]
calls = [0.5, 0.4]
failure = 1.0
class = [{ name = "t", share = 0.7, latency = "1 s", result_tokens = 10 }]

[agent.children]
probability = 0.5
fan_out = [0.5, 0.5]
agent = "y"
join = { at_least = 3 }
summary_tokens = 10

[[agent]]
name = "endless"
context = { message_tokens = 100 }
turns = { count = 100, output_tokens = 50 }
children = { probability = 1.0, fan_out = [0.0, 1.0], agent = "endless", summary_tokens = 10 }
"#;
    insta::assert_snapshot!(with_agent("agent = \"x\"\n", agents));
    insta::assert_snapshot!(with_agent(
        "agent = \"endless\"\n",
        &agents.replace("calls = [0.5, 0.4]", "calls = [0.5, 0.5]")
    ));
    let alone = "prompt_tokens = 5\noutput_tokens = 5\ntools = { shell = \"w\" }\n";
    insta::assert_snapshot!(with_agent(alone, ""));
}
