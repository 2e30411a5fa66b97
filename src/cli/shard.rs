//! Which share of a sweep this process is to do.

use crate::error::{Error, Mistake, Result};
use crate::study::sweep::Shard;

/// Reads `I/N`, or asks the environment for `auto`.
pub(super) fn shard(text: &str) -> Result<Shard> {
    let found = match text {
        "auto" => auto(|name| std::env::var(name).ok()),
        _ => text.parse(),
    };
    found.map_err(|fix| {
        Error::Invalid(vec![Mistake {
            file: "--shard".to_owned(),
            line: None,
            key: String::new(),
            value: Some(text.to_owned()),
            problem: "is no share of a sweep".to_owned(),
            fix,
        }])
    })
}

/// The share that a batch system gave this process: a Slurm array, a
/// Kubernetes indexed job (which does not tell how many there are, so
/// TOKENMILL_SHARDS must), Open MPI.
fn auto(variable: impl Fn(&str) -> Option<String>) -> std::result::Result<Shard, String> {
    let number = |name: &str| -> std::result::Result<Option<u32>, String> {
        let parsed = variable(name).map(|text| text.trim().parse::<u32>());
        parsed.transpose().map_err(|_| format!("{name} should hold a whole number"))
    };
    let checked = |index: u32, count: u32| format!("{index}/{count}").parse();
    if let Some(task) = number("SLURM_ARRAY_TASK_ID")? {
        let count = number("SLURM_ARRAY_TASK_COUNT")?.ok_or("set SLURM_ARRAY_TASK_COUNT")?;
        // Arrays may count from 1 or in steps.
        let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        return checked(task.saturating_sub(first) / step, count);
    }
    if let Some(index) = number("JOB_COMPLETION_INDEX")? {
        let count = number("TOKENMILL_SHARDS")?;
        let fix = "set TOKENMILL_SHARDS to the completions of the job: Kubernetes does not tell";
        return checked(index, count.ok_or(fix)?);
    }
    if let Some(rank) = number("OMPI_COMM_WORLD_RANK")? {
        let count = number("OMPI_COMM_WORLD_SIZE")?.ok_or("set OMPI_COMM_WORLD_SIZE")?;
        return checked(rank, count);
    }
    Err("neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX nor OMPI_COMM_WORLD_RANK is set; \
         write I/N"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> std::result::Result<Shard, String> {
        auto(|name| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn batch_systems_are_asked() {
        let third = Ok(Shard { index: 2, count: 8 });
        assert_eq!(found(&[("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "8")]), third);
        let from_one = [
            ("SLURM_ARRAY_TASK_ID", "5"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_STEP", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "8"),
        ];
        assert_eq!(found(&from_one), third);
        assert_eq!(found(&[("JOB_COMPLETION_INDEX", "2"), ("TOKENMILL_SHARDS", "8")]), third);
        assert_eq!(found(&[("OMPI_COMM_WORLD_RANK", "2"), ("OMPI_COMM_WORLD_SIZE", "8")]), third);
        assert!(found(&[("JOB_COMPLETION_INDEX", "2")]).unwrap_err().contains("TOKENMILL_SHARDS"));
        assert!(found(&[("OMPI_COMM_WORLD_RANK", "x")]).is_err());
        assert!(found(&[]).unwrap_err().contains("I/N"));
    }
}
