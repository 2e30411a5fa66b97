//! Checks one pool: names of the catalog, the split, the engine, the memory.

use super::Check;
use crate::catalog::{Catalog, CostSet, Hardware, KvFormat, Precision, Unknown};
use crate::factory::{KvPlan, Parallelism};
use crate::kernel::Span;
use crate::scenario::raw::{RawEngine, RawPolicy, RawPool};
use crate::scenario::tree::At;
use crate::scenario::{Engine, GpuHour, Pool, Router};

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
        self.engine_limits(&at.key("engine"), &raw.engine);
        let (model, hardware, precision) = (model?, hardware?, precision?);
        let longest = model.max_context_tokens;
        let engine = engine(&mut raw.engine, longest);
        let kv = KvPlan { block_tokens: 16, blocks: 1000 };
        let power = hardware.power(CostSet::B);
        Some(Pool {
            name: raw.name.clone(),
            precision,
            replicas: raw.replicas,
            parallelism,
            router: match raw.router.policy {
                RawPolicy::RoundRobin => Router::RoundRobin,
                RawPolicy::LeastLoaded => Router::LeastLoaded,
                RawPolicy::PowerOfTwo => Router::PowerOfTwo,
            },
            engine,
            kv,
            gpu_hour: gpu_hour(raw, &hardware),
            watts_per_gpu: raw.power_per_gpu.as_ref().map(|power| power.value).or(power.watts),
            pue: raw.pue.unwrap_or(power.pue),
            model,
            hardware,
        })
    }

    fn known<T>(&mut self, at: &At<'_>, found: Result<T, Unknown>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(unknown) => {
                self.wrong(at, format!("unknown {}", unknown.kind), unknown.fix());
                None
            }
        }
    }

    fn precision(&mut self, at: &At<'_>, raw: &RawPool) -> Option<Precision> {
        let precision = self.known(&at.key("precision"), raw.precision.parse::<Precision>());
        let Some(kv) = &raw.kv_precision else { return precision };
        let kv = self.known(&at.key("kv_precision"), kv.parse::<KvFormat>());
        Some(precision?.with_kv_cache(kv?))
    }

    fn engine_limits(&mut self, at: &At<'_>, raw: &RawEngine) {
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
        if raw.step_overhead.value > 60.0 {
            let place = at.key("step_overhead");
            self.wrong(&place, "is more than a minute a step", "write a time such as \"0.4 ms\"");
        }
    }
}

fn engine(raw: &mut RawEngine, longest: u32) -> Engine {
    Engine {
        max_num_seqs: raw.max_num_seqs,
        max_num_batched_tokens: raw.max_num_batched_tokens,
        max_model_len: *raw.max_model_len.get_or_insert(longest),
        reserve_full_prompt: raw.reserve_full_prompt,
        kv_watermark: raw.kv_watermark.0,
        step_scale: raw.step_scale,
        step_overhead: Span::from_seconds(raw.step_overhead.value),
    }
}

fn gpu_hour(raw: &RawPool, hardware: &Hardware) -> GpuHour {
    match &raw.price_per_gpu_hour {
        Some(price) => GpuHour {
            usd: Some(price.value),
            origin: "the scenario".to_owned(),
            is_estimate: false,
        },
        None => hardware.gpu_hour(CostSet::B),
    }
}
