//! Checks one pool: names of the catalog, the split, the engine, the memory.

use super::Check;
use super::catalog::{USD_PER_HOUR_MAX, WATTS_MAX};
use crate::catalog::{Catalog, CostSet, GpuHour, Hardware, KvFormat, Model, Precision};
use crate::factory::{CacheRules, Eviction, KvPlan, Parallelism, Placement, StepTime};
use crate::kernel::Span;
use crate::scenario::raw::{RawEngine, RawEviction, RawEvictionName, RawEvictionTable, RawPool};
use crate::scenario::tree::At;
use crate::scenario::{Engine, Pool};
use std::sync::Arc;

/// GPUs of a pool; keeps counts of them far from overflow.
const GPUS_MAX: u64 = 10_000_000;

impl Check<'_> {
    pub(super) fn pool(
        &mut self,
        at: &At<'_>,
        catalog: &Catalog,
        raw: &mut RawPool,
    ) -> Option<Pool> {
        self.name(&at.key("name"), &raw.name);
        let model = self.known(&at.key("model"), catalog.model(&raw.model));
        let hardware = self.known(&at.key("hardware"), catalog.hardware(&raw.hardware));
        let precision = self.precision(at, raw);
        let parallelism = Parallelism {
            tensor: raw.tensor_parallel,
            data: raw.data_parallel,
            expert: raw.expert_parallel,
        };
        let region = self.region_of_pool(at, raw.region.as_ref());
        self.cost(at, raw);
        let engine_works = self.engine_limits(&at.key("engine"), &raw.engine);
        let (model, hardware) = (model?, hardware?);
        self.context(&at.key("engine").key("max_model_len"), &raw.engine, &model);
        let problems = parallelism.problems(&model, &hardware);
        let splits = problems.is_empty();
        self.problems(at, problems);
        let precision = precision?;
        let placement = Placement {
            model: &model,
            hardware: &hardware,
            precision,
            parallelism,
            gpu_memory_utilization: raw.engine.gpu_memory_utilization.0,
            max_num_batched_tokens: raw.engine.max_num_batched_tokens,
            max_num_seqs: raw.engine.max_num_seqs,
            block_tokens: raw.engine.block_tokens,
            blocks: raw.engine.kv_blocks,
        };
        // Memory cannot be planned on limits that contradict each other.
        if !splits || !engine_works {
            return None;
        }
        let kv = self.kv_plan(at, catalog, &placement, &raw.engine)?;
        let gpus = u64::from(raw.replicas) * u64::from(parallelism.gpus());
        if gpus > GPUS_MAX {
            let fix = format!("keep replicas x tensor_parallel x data_parallel within {GPUS_MAX}");
            self.wrong(&at.key("replicas"), format!("makes a pool of {gpus} GPUs"), fix);
        }
        let engine = engine(&mut raw.engine, model.max_context_tokens);
        self.judge_capacity(raw, &engine, &kv);
        let router = self.routing(&at.key("router"), raw);
        let power = hardware.power(CostSet::B);
        let overhead_s = engine.step_overhead.seconds();
        let step_time =
            StepTime::new(&model, &hardware, precision, parallelism, engine.step_scale, overhead_s)
                .with_decode_scale(engine.decode_scale);
        let mut pool = Pool {
            name: raw.name.clone(),
            region,
            precision,
            replicas: raw.replicas,
            parallelism,
            router,
            engine,
            kv,
            step_time,
            offload: Vec::new(),
            gpu_hour: gpu_hour(raw, &hardware),
            watts_per_gpu: raw.power_per_gpu.as_ref().map(|power| power.value).or(power.watts),
            pue: raw.pue.unwrap_or(power.pue),
            model,
            hardware,
        };
        pool.offload = self.offload(at, catalog, raw, &pool);
        Some(pool)
    }

    /// Prices and powers from which figures would overflow.
    fn cost(&mut self, at: &At<'_>, raw: &RawPool) {
        if raw.price_per_gpu_hour.as_ref().is_some_and(|price| price.value > USD_PER_HOUR_MAX) {
            let fix = "write a price such as \"$1.20/h\"";
            self.wrong(&at.key("price_per_gpu_hour"), "is more than a million dollars", fix);
        }
        if raw.power_per_gpu.as_ref().is_some_and(|power| power.value > WATTS_MAX) {
            let fix = "write a power such as \"1370 W\"";
            self.wrong(&at.key("power_per_gpu"), "is more than a megawatt", fix);
        }
    }

    fn context(&mut self, at: &At<'_>, raw: &RawEngine, model: &Model) {
        let longest = model.max_context_tokens;
        if raw.max_model_len.is_some_and(|length| length > longest) {
            let problem = format!("is longer than {} accepts", model.name);
            self.wrong(at, problem, format!("write at most {longest}, or leave it out"));
        }
    }

    fn kv_plan(
        &mut self,
        at: &At<'_>,
        catalog: &Catalog,
        placement: &Placement<'_>,
        raw: &RawEngine,
    ) -> Option<KvPlan> {
        let mut plan = match KvPlan::new(placement, catalog) {
            Ok(plan) => plan,
            Err(misfit) => {
                self.wrong(&at.key("model"), misfit.problem, misfit.fix);
                return None;
            }
        };
        if let Some(memory) = &raw.kv_memory {
            plan.blocks = (memory.value / plan.block_bytes as f64) as u32;
            if plan.blocks == 0 {
                let problem = format!("is less than one block of {} bytes", plan.block_bytes);
                let place = at.key("engine").key("kv_memory");
                self.wrong(&place, problem, "write a memory size such as \"40 GB\"");
                return None;
            }
        }
        Some(plan)
    }

    fn judge_capacity(&mut self, raw: &RawPool, engine: &Engine, kv: &KvPlan) {
        if kv.blocks > kv.blocks_computed {
            self.warnings.push(format!(
                "pool {}: {} KV blocks are set, but memory has room for {}",
                raw.name, kv.blocks, kv.blocks_computed
            ));
        }
        let needs = kv.needs(engine.max_num_batched_tokens);
        let longest = needs.longest(kv.blocks, engine.max_model_len);
        if longest < engine.max_model_len {
            self.warnings.push(format!(
                "pool {}: the KV cache holds {longest} tokens of one sequence; calls between that \
                 and max_model_len ({}) will be refused",
                raw.name, engine.max_model_len
            ));
        }
    }

    fn precision(&mut self, at: &At<'_>, raw: &RawPool) -> Option<Precision> {
        let precision = self.known(&at.key("precision"), raw.precision.parse::<Precision>());
        let Some(kv) = &raw.kv_precision else { return precision };
        let kv = self.known(&at.key("kv_precision"), kv.parse::<KvFormat>());
        Some(precision?.with_kv_cache(kv?))
    }

    /// Whether the limits agree with each other.
    fn engine_limits(&mut self, at: &At<'_>, raw: &RawEngine) -> bool {
        let before = self.mistakes.len();
        if raw.max_num_batched_tokens < raw.max_num_seqs {
            let problem = format!(
                "a step of {} tokens cannot hold one token of each of {} sequences",
                raw.max_num_batched_tokens, raw.max_num_seqs
            );
            let fix = "raise max_num_batched_tokens or lower max_num_seqs";
            self.wrong(&at.key("max_num_batched_tokens"), problem, fix);
        }
        if raw.gpu_memory_utilization.0 <= 0.0 {
            let place = at.key("gpu_memory_utilization");
            self.wrong(&place, "leaves the engine no memory", "write a share such as 0.9");
        }
        if raw.kv_watermark.0 >= 1.0 {
            let place = at.key("kv_watermark");
            self.wrong(
                &place,
                "leaves no block to admit a call into",
                "write a share such as 0.01",
            );
        }
        if raw.kv_blocks.is_some() && raw.kv_memory.is_some() {
            let place = at.key("kv_memory");
            self.wrong(&place, "is given beside kv_blocks", "keep one of the two");
        }
        if let RawEviction::Table(RawEvictionTable::Ttl { ttl: Some(ttl) }) = &raw.eviction
            && Span::from_seconds(ttl.value) == Span::ZERO
        {
            let place = at.key("eviction").key("ttl");
            let fix = "write a time such as \"5 min\", or set prefix_caching = false";
            self.wrong(&place, "keeps no block at all", fix);
        }
        if let RawEviction::Table(RawEvictionTable::AgentHold { hold: Some(hold) }) = &raw.eviction
            && Span::from_seconds(hold.value) == Span::ZERO
        {
            let place = at.key("eviction").key("hold");
            let fix = "write a time such as \"60 s\", or eviction = \"lru\"";
            self.wrong(&place, "holds no context at all", fix);
        }
        if raw.step_overhead.value > 60.0 {
            let place = at.key("step_overhead");
            self.wrong(&place, "is more than a minute a step", "write a time such as \"0.4 ms\"");
        }
        self.mistakes.len() == before
    }
}

fn engine(raw: &mut RawEngine, longest: u32) -> Engine {
    Engine {
        max_num_seqs: raw.max_num_seqs,
        max_num_batched_tokens: raw.max_num_batched_tokens,
        max_model_len: *raw.max_model_len.get_or_insert(longest),
        reserve_full_prompt: raw.reserve_full_prompt,
        prefix_cache: raw.prefix_caching.then_some(CacheRules {
            eviction: eviction(&raw.eviction),
            dedup_in_flight: raw.dedup_in_flight,
            cache_decoded: raw.cache_decoded,
        }),
        kv_watermark: raw.kv_watermark.0,
        step_scale: raw.step_scale,
        decode_scale: raw.decode_scale,
        step_overhead: Span::from_seconds(raw.step_overhead.value),
    }
}

fn eviction(raw: &RawEviction) -> Eviction {
    use RawEvictionName as Name;
    use RawEvictionTable as Table;
    match raw {
        RawEviction::Name(Name::Lru) | RawEviction::Table(Table::Lru) => Eviction::Lru,
        RawEviction::Name(Name::Lfu) | RawEviction::Table(Table::Lfu) => Eviction::Lfu,
        RawEviction::Name(Name::S3Fifo) | RawEviction::Table(Table::S3Fifo) => Eviction::S3Fifo,
        RawEviction::Name(Name::CostAware) | RawEviction::Table(Table::CostAware) => {
            Eviction::CostAware
        }
        RawEviction::Name(Name::AgentHold)
        | RawEviction::Table(Table::AgentHold { hold: None }) => {
            Eviction::AgentHold { hold: Eviction::HOLD_DEFAULT }
        }
        RawEviction::Table(Table::AgentHold { hold: Some(hold) }) => {
            Eviction::AgentHold { hold: Span::from_seconds(hold.value) }
        }
        RawEviction::Name(Name::Ttl) | RawEviction::Table(Table::Ttl { ttl: None }) => {
            Eviction::Ttl { ttl: Eviction::TTL_DEFAULT }
        }
        RawEviction::Table(Table::Ttl { ttl: Some(ttl) }) => {
            Eviction::Ttl { ttl: Span::from_seconds(ttl.value) }
        }
    }
}

fn gpu_hour(raw: &RawPool, hardware: &Hardware) -> GpuHour {
    match &raw.price_per_gpu_hour {
        Some(price) => GpuHour {
            usd: Some(price.value),
            origin: "the scenario".to_owned(),
            is_estimate: false,
        },
        None => {
            let price = hardware.gpu_hour(CostSet::B);
            let origin = own_origin(hardware).unwrap_or(price.origin);
            GpuHour { origin, ..price }
        }
    }
}

/// Where the price of a GPU comes from when the user wrote it, not the catalog.
fn own_origin(hardware: &Hardware) -> Option<String> {
    let group = if hardware.set_b.is_some() { "set_b" } else { "cloud" };
    let origin = hardware.origins.iter().find(|origin| origin.what == group)?;
    let is_ours = |known: &Arc<Hardware>| known.origins.contains(origin);
    if Catalog::embedded().all_hardware().any(is_ours) {
        return None;
    }
    Some(match origin.source.as_str() {
        "scenario" => format!("the scenario's {}", hardware.name),
        source => format!("the scenario's {}: {source}", hardware.name),
    })
}
