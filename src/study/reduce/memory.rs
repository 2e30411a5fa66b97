//! How many independent looks at a pool all windows together are.

use super::stability::{Evidence, Stability};
use crate::statistics::{Memory, windows_memory};
use crate::study::figures::Lack;
use std::collections::BTreeMap;

/// Memories that a warm-up has to last: from an empty start the mean is within 15 % of
/// its steady state after one (Abate and Whitt 1987), and what is left of the difference
/// is small against the error of a window that holds enough of them.
const WARM_UP_MIN: f64 = 1.0;

/// How long the number of calls in a pool remembers, and how long it was watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolMemory {
    /// Time in which it forgets itself, s.
    pub memory_s: f64,
    /// Length of a window, mean over replications, s.
    pub window_s: f64,
    /// Time before it, s.
    pub warm_up_s: f64,
    /// Windows.
    pub windows: usize,
}

impl PoolMemory {
    /// What all replications say; `None` where one says nothing.
    pub fn of(evidence: &[Evidence]) -> Option<PoolMemory> {
        let memories: Option<Vec<Memory>> = evidence.iter().map(|run| run.memory).collect();
        let memory_s = windows_memory(&memories?)?;
        let n = evidence.len() as f64;
        let mean = |of: fn(&Evidence) -> f64| evidence.iter().map(of).sum::<f64>() / n;
        Some(PoolMemory {
            memory_s,
            window_s: mean(|run| run.window_s),
            warm_up_s: mean(|run| run.warm_up_s),
            windows: evidence.len(),
        })
    }

    /// Memories that all windows together hold; none where the warm-up was too short
    /// for the windows to begin in a steady state.
    pub fn memories(&self) -> f64 {
        if self.warm_up_s < WARM_UP_MIN * self.memory_s {
            return 0.0;
        }
        let all = self.window_s * self.windows as f64;
        if self.memory_s > 0.0 { all / self.memory_s } else { f64::INFINITY }
    }
}

/// The fewest memories of the pools at these indices; `None` where nothing is known of
/// one of them.
pub fn memories(stability: &[Stability], pools: &[usize]) -> Option<f64> {
    let each = pools.iter().filter_map(|&pool| Some(stability.get(pool)?.memory?.memories()));
    each.reduce(f64::min)
}

/// Figures that have no interval, and why.
#[derive(Clone, Debug, Default)]
pub struct Lacking {
    /// By pool: how many times as many memories the least demanding figure takes, and
    /// the most demanding one, and how many figures there are.
    of_pools: BTreeMap<usize, (f64, f64, Vec<String>)>,
    /// How many times as many replications they take.
    of_replications: Vec<(String, f64)>,
}

impl Lacking {
    /// Adds the figure at `path`, which depends on these pools.
    pub fn add(&mut self, path: &str, lack: Lack, stability: &[Stability], pools: &[usize]) {
        match lack {
            Lack::Replications(times) => self.of_replications.push((path.to_owned(), times)),
            Lack::Memories(times) => {
                let known = pools
                    .iter()
                    .filter_map(|&pool| Some((pool, stability.get(pool)?.memory?.memories())));
                let Some((pool, _)) = known.min_by(|a, b| a.1.total_cmp(&b.1)) else { return };
                let entry = self.of_pools.entry(pool).or_insert((f64::INFINITY, 0.0, Vec::new()));
                entry.0 = entry.0.min(times);
                entry.1 = entry.1.max(times);
                entry.2.push(path.to_owned());
            }
        }
    }

    /// A sentence on each pool whose windows are too short, and one on replications.
    pub fn warnings<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
        stability: &[Stability],
    ) -> Vec<String> {
        let names: Vec<&str> = names.collect();
        let of_pool = |(pool, (least, most, paths)): (&usize, &(f64, f64, Vec<String>))| {
            let memory = stability[*pool].memory?;
            Some(short(names[*pool], &memory, (*least, *most), paths))
        };
        let mut warnings: Vec<String> = self.of_pools.iter().filter_map(of_pool).collect();
        warnings.extend(self.few(stability));
        warnings
    }

    /// Figures for which there are too few replications.
    fn few(&self, stability: &[Stability]) -> Option<String> {
        let (path, times) =
            self.of_replications.iter().max_by(|a, b| a.1.total_cmp(&b.1).reverse())?;
        let most = self.of_replications.iter().map(|(_, times)| *times).fold(0.0, f64::max);
        let _ = stability;
        let more = match self.of_replications.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "too few replications, or calls in them, for an interval of {path}{more}: it takes \
             about {} times as many, {} for all of these",
            rounded(*times),
            rounded(most)
        ))
    }
}

/// Says that the windows of a pool are too short.
fn short(name: &str, memory: &PoolMemory, times: (f64, f64), paths: &[String]) -> String {
    let PoolMemory { memory_s, window_s, warm_up_s, windows } = *memory;
    let figures = match paths {
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        [] => String::new(),
    };
    let shown = |seconds: f64| format!("{} s", rounded(seconds));
    if warm_up_s < WARM_UP_MIN * memory_s {
        return format!(
            "pool {name}: the number of calls in it remembers for about {}, and the warm-up was \
             {}: there is no interval for {figures}; take a warm-up of {} or more",
            shown(memory_s),
            shown(warm_up_s),
            shown(3.0 * memory_s)
        );
    }
    let held = window_s * windows as f64 / memory_s;
    let (least, most) = (window_s * times.0, window_s * times.1);
    let needs = match least * 1.05 < most {
        true => format!("{} (and {} for all of them)", shown(least), shown(most)),
        false => shown(most),
    };
    format!(
        "pool {name}: the number of calls in it remembers for about {}, so {windows} windows of {} \
         hold {} such times: too few for an interval of {figures}; take windows of {needs}, or as \
         many times more replications",
        shown(memory_s),
        shown(window_s),
        rounded(held),
    )
}

/// With two digits, upwards.
fn rounded(number: f64) -> String {
    let digits = libm::floor(libm::log10(number.max(1e-9))) - 1.0;
    let step = libm::pow(10.0, digits);
    let number = libm::ceil(number / step - 1e-9) * step;
    let decimals = if digits < 0.0 { (-digits) as usize } else { 0 };
    format!("{number:.decimals$}")
}
