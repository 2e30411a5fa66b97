use super::*;
use crate::catalog::raw_hardware::RawMemory;

fn raw_hardware(toml: &str) -> RawHardware {
    toml::from_str(toml).unwrap()
}

#[test]
fn every_embedded_group_names_its_source() {
    let catalog = Catalog::embedded();
    assert_eq!(catalog.all_hardware().count(), 8);
    for hardware in catalog.all_hardware() {
        for what in ["memory", "compute", "interconnect", "power", "step_time", "pue"] {
            let origin = hardware.origins.iter().find(|origin| origin.what == what);
            assert!(origin.is_some_and(|origin| origin.source != "scenario"), "{what}");
        }
        assert!(!hardware.step_time_is_transferred);
    }
    for model in catalog.all_models() {
        assert_ne!(model.origin.source, "scenario", "{}", model.name);
    }
}

#[test]
fn names_aliases_and_spellings_lead_to_one_entry() {
    let catalog = Catalog::embedded();
    for name in ["h100", "H100_SXM", "h100-sxm", "h100 sxm"] {
        assert_eq!(catalog.hardware(name).unwrap().name, "h100-sxm");
    }
    assert_eq!(catalog.hardware("rtx_pro_6000_server").unwrap().name, "rtx-pro-6000");
    for (name, canonical) in [
        ("meta-llama/Llama-3.1-8B", "llama-3.1-8b"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-30b-a3b-2507"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
    ] {
        assert_eq!(catalog.model(name).unwrap().name, canonical);
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let catalog = Catalog::embedded();
    let unknown = catalog.hardware("h10-sxm").unwrap_err();
    assert_eq!(unknown.nearest.as_deref(), Some("h100-sxm"));
    assert!(unknown.to_string().contains("did you mean \"h100-sxm\""));
    let unknown = catalog.model("llama3.1-8b").unwrap_err();
    assert_eq!(unknown.nearest.as_deref(), Some("llama-3.1-8b"));
    assert_eq!(catalog.model("zzzzzz").unwrap_err().nearest, None);
}

#[test]
fn dimensions_add_up_to_the_published_parameter_counts() {
    for model in Catalog::embedded().all_models() {
        let (total, active) = model.count_parameters();
        let off = (total / model.total_parameters - 1.0).abs();
        assert!(off < 0.02, "{}: {total:e} against {:e}", model.name, model.total_parameters);
        // Publishers count the embedding as active or not.
        let off = (active / model.active_parameters - 1.0).abs();
        assert!(off < 0.2, "{}: {active:e} against {:e}", model.name, model.active_parameters);
    }
}

#[test]
fn prices_fall_back_on_the_cloud_and_say_so() {
    let catalog = Catalog::embedded();
    let h100 = catalog.hardware("h100").unwrap();
    let price = h100.gpu_hour(CostSet::B);
    assert_eq!((price.usd, price.is_estimate), (Some(1.17), false));
    assert_eq!(h100.gpu_hour(CostSet::A).usd, Some(1.30));
    let a100 = catalog.hardware("a100").unwrap().gpu_hour(CostSet::B);
    assert_eq!((a100.usd, a100.is_estimate), (Some(0.8), true));
    assert_eq!(catalog.hardware("l40s").unwrap().gpu_hour(CostSet::B).usd, None);
}

#[test]
fn power_at_the_utility_meter_takes_no_further_overhead() {
    let gb200 = Catalog::embedded().hardware("gb200").unwrap();
    assert_eq!(gb200.power(CostSet::B), Power { watts: Some(1870.0), pue: 1.12 });
    assert_eq!(gb200.power(CostSet::A), Power { watts: Some(2100.0), pue: 1.0 });
}

#[test]
fn formats_without_units_of_their_own_compute_in_bf16() {
    let catalog = Catalog::embedded();
    let [fp8, nvfp4] = ["fp8", "nvfp4"].map(|name| name.parse::<Precision>().unwrap());
    let a100 = catalog.hardware("a100").unwrap();
    assert_eq!(a100.dense_peak(fp8), (312e12, false));
    let h100 = catalog.hardware("h100").unwrap();
    assert_eq!(h100.dense_peak(fp8), (1978e12, true));
    assert_eq!(h100.expert_peak(nvfp4), (989e12, false));
    let mxfp4 = "mxfp4".parse().unwrap();
    assert_eq!(h100.expert_peak(mxfp4), (989e12, true));
}

#[test]
fn a_scenario_changes_one_group_and_keeps_the_rest() {
    let mut catalog = Catalog::embedded().clone();
    let raw = raw_hardware("name = \"h100-sxm\"\nset_b = { it_w = 1300, usd_per_gpu_hour = 2.5 }");
    catalog.add_hardware(&raw).unwrap();
    let h100 = catalog.hardware("h100").unwrap();
    assert_eq!(h100.gpu_hour(CostSet::B).usd, Some(2.5));
    assert_eq!(h100.peak_bf16, 989e12);
    assert!(!h100.step_time_is_transferred);
    let origin = h100.origins.iter().find(|origin| origin.what == "set_b").unwrap();
    assert_eq!(origin.source, "scenario");
    assert_eq!(h100.origins.len(), Catalog::embedded().hardware("h100").unwrap().origins.len());
}

#[test]
fn another_datasheet_makes_the_step_time_an_estimate() {
    let mut catalog = Catalog::embedded().clone();
    let mut raw = raw_hardware("name = \"h100-fast\"\nbase = \"h100\"");
    raw.memory = Some(RawMemory {
        capacity_gib: 160.0,
        bandwidth_tb_per_s: 6.7,
        source: None,
        confidence: None,
    });
    let fast = catalog.add_hardware(&raw).unwrap();
    assert!(fast.step_time_is_transferred);
    assert_eq!(fast.step_time, catalog.hardware("h100").unwrap().step_time);
    assert!(fast.aliases.is_empty(), "aliases stay with the base");
}

#[test]
fn a_new_gpu_takes_the_transferred_coefficients_of_its_kind_of_link() {
    let mut catalog = Catalog::embedded().clone();
    let raw = raw_hardware(
        "name = \"x1\"
         memory = { capacity_gib = 100, bandwidth_tb_per_s = 4 }
         compute = { bf16_tflops = 1000 }
         interconnect = { kind = \"pcie\", gb_per_s = 64, domain_gpus = 8 }",
    );
    let x1 = catalog.add_hardware(&raw).unwrap();
    assert!(x1.step_time_is_transferred);
    assert!(x1.step_time.all_reduce_bytes > 1.0, "PCIe all-reduces pay for their bytes");
    assert_eq!(x1.gpu_hour(CostSet::B).usd, None);
}

#[test]
fn every_fault_of_an_entry_is_reported_at_once() {
    let mut catalog = Catalog::embedded().clone();
    let raw = raw_hardware(
        "name = \"bad\"
         memory = { capacity_gib = -80, bandwidth_tb_per_s = nan }
         cloud = { low_usd_per_gpu_hour = 3, high_usd_per_gpu_hour = 2 }",
    );
    let problems = catalog.add_hardware(&raw).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "memory.capacity_gib",
            "memory.bandwidth_tb_per_s",
            "compute",
            "interconnect",
            "cloud.high_usd_per_gpu_hour"
        ]
    );
    assert!(toml::from_str::<RawHardware>("name = \"a\"\nmemmory = 3").is_err());
}

#[test]
fn a_model_is_changed_added_and_checked() {
    let mut catalog = Catalog::embedded().clone();
    let raw: RawModel =
        toml::from_str("name = \"qwen3-32b\"\nmax_context_tokens = 131072").unwrap();
    assert_eq!(catalog.add_model(&raw).unwrap().layers, 64);
    assert_eq!(catalog.model("Qwen/Qwen3-32B").unwrap().max_context_tokens, 131_072);

    let raw: RawModel = toml::from_str(
        "name = \"bad\"
         layers = 10
         hidden = 0
         vocabulary = 1000
         grouped = { heads = 10, kv_heads = 3, head_dim = 64 }
         experts = { layers = 9, routed = 8, active = 9, width = 128 }",
    )
    .unwrap();
    let problems = catalog.add_model(&raw).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        ["hidden", "max_context_tokens", "grouped.kv_heads", "experts.active", "layers"]
    );
}

#[test]
fn every_tier_names_its_sources_and_has_a_way_to_the_gpu() {
    let catalog = Catalog::embedded();
    assert_eq!(catalog.all_tiers().count(), 6);
    for tier in catalog.all_tiers() {
        assert!(tier.origins.iter().all(|origin| origin.source != "scenario"), "{}", tier.name);
        assert!(tier.origins.iter().any(|origin| origin.what == "transfer"), "{}", tier.name);
        let (read, write) = tier.bandwidths();
        assert!(read >= write && write >= 5e9, "{}: {read} {write}", tier.name);
    }
    assert_eq!(catalog.tier("NVMe").unwrap().name, "local-nvme");
    let unknown = catalog.tier("host-drma").unwrap_err();
    assert_eq!(unknown.nearest.as_deref(), Some("host-dram"));
    // $13.8 a GB over four years of 8,760 hours: 512 GB cost 20 cents an hour.
    let price = catalog.tier("host-dram").unwrap().price.unwrap();
    assert!((price.usd_per_hour(512e9) - 0.201_644).abs() < 1e-6);
}

#[test]
fn a_tier_takes_what_it_leaves_out_from_its_base() {
    let raw = |text: &str| -> RawTier { toml::from_str(text).unwrap() };
    let mut catalog = Catalog::embedded().clone();
    let slow =
        raw("name = 'attic'\nbase = 'local-nvme'\nscope = 'pool'\ncapacity = { gb_per_gpu = 1.0 }");
    let slow = catalog.add_tier(&slow).unwrap();
    assert_eq!((slow.scope, slow.capacity_per_gpu), (Scope::Pool, Some(1e9)));
    assert_eq!(slow.bandwidths(), (7e9, 5e9));
    let problems = |text: &str| catalog.clone().add_tier(&raw(text)).unwrap_err();
    assert_eq!(problems("name = 'new'")[0].key, "transfer");
    let transfer = "per = 'gpu', read_gb_per_s = 1.0, write_gb_per_s = -1.0, latency_us = 1.0";
    let by_size =
        "efficiency_by_size = [{ mb = 2.0, efficiency = 0.1 }, { mb = 3.0, efficiency = 0.9 }]";
    let found = problems(&format!("name = 'new'\ntransfer = {{ {transfer}, {by_size} }}"));
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["transfer.write_gb_per_s", "transfer.efficiency_by_size"]);
    assert_eq!(found[1].problem, "a larger transfer would take less time");
}

/// The six profiles and their sub-agents, each group with its source.
#[test]
fn every_agent_says_where_its_values_come_from() {
    let catalog = Catalog::embedded();
    let names: Vec<&str> = catalog.all_agents().map(|agent| agent.name.as_str()).collect();
    let known = [
        "coding-agent",
        "explore",
        "deep-research",
        "research-worker",
        "support-chat",
        "rag-search",
        "ticket-booking",
        "shopping-assistant",
        "compare",
    ];
    assert_eq!(names, known);
    for agent in catalog.all_agents() {
        let written = serde_json::to_value(&**agent).unwrap();
        let groups = written.as_object().unwrap().values().filter(|value| value.is_object());
        for group in groups {
            assert!(group["source"].is_string() && group["confidence"].is_string(), "{group}");
        }
        if let Some(children) = &agent.children {
            assert!(catalog.agent(&children.agent).is_ok());
        }
    }
}
