//! How the GPUs of a replica split the model, and which splits make sense.

use crate::catalog::{Attention, Hardware, LinkKind, Model, Problem};
use serde::Serialize;
use std::fmt;

/// GPUs within a replica and what they split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Parallelism {
    /// Tensor parallelism of attention and dense layers.
    pub tensor: u32,
    /// Attention data-parallel ranks, each with its own queue and KV blocks.
    pub data: u32,
    /// Expert parallelism; tensor x data / expert GPUs share one expert.
    pub expert: u32,
}

impl Parallelism {
    /// One GPU that splits nothing.
    pub const SINGLE: Parallelism = Parallelism { tensor: 1, data: 1, expert: 1 };

    /// GPUs in one replica.
    pub fn gpus(self) -> u32 {
        self.tensor * self.data
    }

    /// GPUs that share one expert.
    pub(super) fn expert_tensor(self) -> f64 {
        f64::from(self.gpus()) / f64::from(self.expert)
    }

    /// Everything that keeps `model` from being split like this on `hardware`,
    /// keyed as a pool writes it. An empty list means that it can run.
    pub fn problems(self, model: &Model, hardware: &Hardware) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut report = |key: &str, problem: String, fix: String| {
            problems.push(Problem { key: key.to_owned(), problem, fix });
        };
        for (key, value) in [
            ("tensor_parallel", self.tensor),
            ("data_parallel", self.data),
            ("expert_parallel", self.expert),
        ] {
            if !(1..=GPUS_MAX).contains(&value) {
                report(key, format!("{value} is out of range"), format!("give 1 to {GPUS_MAX}"));
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        self.check_tensor(model, hardware, &mut problems);
        match model.experts {
            Some(experts) => self.check_experts(experts.routed, experts.width, &mut problems),
            None => self.check_dense(model, &mut problems),
        }
        problems
    }

    fn check_tensor(self, model: &Model, hardware: &Hardware, problems: &mut Vec<Problem>) {
        let mut report = |problem: String, fix: String| {
            problems.push(Problem { key: "tensor_parallel".to_owned(), problem, fix });
        };
        let heads = model.heads();
        if !heads.is_multiple_of(self.tensor) {
            report(
                format!("{heads} attention heads cannot be split over {} GPUs", self.tensor),
                format!("give a divisor of {heads}"),
            );
        }
        if let Attention::Grouped { kv_heads, .. } = model.attention
            && !kv_heads.is_multiple_of(self.tensor)
            && !self.tensor.is_multiple_of(kv_heads)
        {
            report(
                format!(
                    "{kv_heads} KV heads neither split over nor repeat on {} GPUs",
                    self.tensor
                ),
                format!("give a divisor or a multiple of {kv_heads}"),
            );
        }
        let domain = hardware.interconnect.domain_gpus;
        if self.tensor > domain {
            report(
                format!("{} has {domain} GPUs in one scale-up domain", hardware.name),
                format!("give at most {domain}, and more replicas"),
            );
        }
        if let Some(width) = model.dense.map(|dense| dense.width)
            && !width.is_multiple_of(self.tensor)
        {
            report(
                format!(
                    "a feed-forward width of {width} cannot be split over {} GPUs",
                    self.tensor
                ),
                format!("give a divisor of {width}"),
            );
        }
    }

    fn check_experts(self, routed: u32, width: u32, problems: &mut Vec<Problem>) {
        let mut report = |problem: String, fix: String| {
            problems.push(Problem { key: "expert_parallel".to_owned(), problem, fix });
        };
        let gpus = u64::from(self.tensor) * u64::from(self.data);
        if !gpus.is_multiple_of(u64::from(self.expert)) {
            report(
                format!("{} does not divide the replica's {gpus} GPUs", self.expert),
                format!("give {gpus} to split the experts, or 1 to split each expert"),
            );
            return;
        }
        if !routed.is_multiple_of(self.expert) {
            report(
                format!("{routed} experts cannot be spread over {} GPUs evenly", self.expert),
                format!("give a divisor of {routed}"),
            );
        }
        let sharing = gpus / u64::from(self.expert);
        if !u64::from(width).is_multiple_of(sharing) {
            report(
                format!("an expert of width {width} cannot be split over {sharing} GPUs"),
                format!("give {gpus}, so that each expert stays whole"),
            );
        }
    }

    fn check_dense(self, model: &Model, problems: &mut Vec<Problem>) {
        if self.expert > 1 {
            problems.push(Problem {
                key: "expert_parallel".to_owned(),
                problem: format!("{} has no experts", model.name),
                fix: "leave it out".to_owned(),
            });
        }
        if self.data > 1 {
            problems.push(Problem {
                key: "data_parallel".to_owned(),
                problem: format!("{} has no experts for ranks to share", model.name),
                fix: "leave it out and multiply replicas instead".to_owned(),
            });
        }
    }

    /// What is known to be less accurate about such a split, for reports.
    pub fn caveats(self, hardware: &Hardware) -> Vec<String> {
        let mut caveats = Vec::new();
        if self.expert > 8 {
            caveats.push(format!(
                "{} GPUs share the experts: step times of wide expert parallelism are off by \
                 30-38 % in the median, mostly too short",
                self.expert
            ));
        } else if self.data > 1 {
            caveats.push(
                "attention data parallelism: ranks with uneven prompts are charged the slowest \
                 rank's step, which may be too much"
                    .to_owned(),
            );
        }
        if self.gpus() > 1 && hardware.interconnect.kind == LinkKind::Pcie {
            caveats.push(format!(
                "{} joins GPUs over PCIe, where step times of several GPUs are less accurate",
                hardware.name
            ));
        }
        caveats
    }
}

/// No replica is larger; keeps products of the three degrees from overflowing.
const GPUS_MAX: u32 = 4096;

impl fmt::Display for Parallelism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TP{}", self.tensor)?;
        if self.data > 1 {
            write!(f, " DP{}", self.data)?;
        }
        if self.expert > 1 {
            write!(f, " EP{}", self.expert)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn keys(model: &str, hardware: &str, tensor: u32, data: u32, expert: u32) -> Vec<String> {
        let catalog = Catalog::embedded();
        let (model, hardware) =
            (catalog.model(model).unwrap(), catalog.hardware(hardware).unwrap());
        let parallelism = Parallelism { tensor, data, expert };
        parallelism.problems(&model, &hardware).into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn usual_splits_are_accepted() {
        for tensor in [1, 2, 4, 8] {
            assert!(keys("llama-3.1-8b", "h100", tensor, 1, 1).is_empty());
            assert!(keys("qwen3-30b-a3b", "h100", tensor, 1, tensor).is_empty());
        }
        assert!(keys("deepseek-r1", "gb200", 1, 64, 64).is_empty());
        assert!(keys("deepseek-r1", "h200", 8, 1, 1).is_empty());
        assert!(keys("gpt-oss-120b", "b200", 2, 4, 8).is_empty());
    }

    #[test]
    fn heads_experts_and_domains_bound_the_split() {
        assert_eq!(keys("llama-3.1-8b", "h100", 3, 1, 1).len(), 3);
        assert_eq!(keys("llama-3.1-8b", "h100", 16, 1, 1), ["tensor_parallel"]);
        assert!(keys("llama-3.1-8b", "gb200", 16, 1, 1).is_empty(), "KV heads repeat");
        assert_eq!(keys("llama-3.1-8b", "h100", 1, 2, 2), ["expert_parallel", "data_parallel"]);
        assert_eq!(keys("qwen3-30b-a3b", "h100", 2, 2, 3), ["expert_parallel"]);
        assert_eq!(keys("qwen3-30b-a3b", "h100", 0, 1, 5000).len(), 2);
    }
}
