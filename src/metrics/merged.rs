//! Several stretches put together to one, as if they had been measured in one go.
//!
//! Counts and means are exact. Quantiles are those of the mixture: a latency that
//! as many of all calls stay below as the fraction says, where the distribution of
//! each stretch is known by the quantiles that it keeps and linear between them.

use super::agents::AgentRuns;
use super::record::{
    CDF_FRACTIONS, LatencyRecord, PoolRecord, RegionRecord, RunRecord, SiteRecord, Stretch,
    ThinkingRecord, TierRecord, UseCaseRecord, WindowRecord,
};
use super::timeline::Timeline;
use crate::kernel::{Digest, Span};

impl RunRecord {
    /// The record of a replication of which `windows` ran, at least one, each
    /// after a warm-up of at most `warm_up`.
    pub fn of_windows(windows: Vec<WindowRecord>, warm_up: Span) -> RunRecord {
        let runs = || windows.iter().map(|window| &window.run);
        let mut digest = Digest::default();
        runs().for_each(|run| digest.word(run.digest));
        let parts: Vec<&Stretch> = runs().map(|run| &run.whole).collect();
        RunRecord {
            digest: digest.value(),
            calls: runs().map(|run| run.calls).sum(),
            events: runs().map(|run| run.events).sum(),
            end_s: runs().map(|run| run.end_s).fold(0.0, f64::max),
            window_from_s: warm_up.seconds(),
            cut_off: runs().find_map(|run| run.cut_off),
            whole: Stretch::merged(&parts),
            sections: Vec::new(),
            timeline: Timeline::new(parts[0].pools.len(), Span::from_ticks(1)),
            windows,
        }
    }
}

impl Stretch {
    /// All of `parts`, of which there is one at least.
    pub fn merged(parts: &[&Stretch]) -> Stretch {
        let use_cases = (0..parts[0].use_cases.len()).map(|at| {
            let each: Vec<&UseCaseRecord> = parts.iter().map(|part| &part.use_cases[at]).collect();
            UseCaseRecord::merged(&each)
        });
        let pools = (0..parts[0].pools.len()).map(|at| {
            let each: Vec<(f64, &PoolRecord)> =
                parts.iter().map(|part| (part.window_s, &part.pools[at])).collect();
            PoolRecord::merged(&each)
        });
        let tool_pools = (0..parts[0].tool_pools.len()).map(|at| {
            let each = parts.iter().map(|part| part.tool_pools[at]);
            each.reduce(|sum, part| sum.and(&part)).expect("there is one part at least")
        });
        Stretch {
            window_s: parts.iter().map(|part| part.window_s).sum(),
            use_cases: use_cases.collect(),
            pools: pools.collect(),
            tool_pools: tool_pools.collect(),
            arrivals: None,
        }
    }
}

impl UseCaseRecord {
    fn merged(parts: &[&UseCaseRecord]) -> UseCaseRecord {
        let latency = |of: fn(&UseCaseRecord) -> &LatencyRecord| {
            LatencyRecord::merged(&parts.iter().map(|part| of(part)).collect::<Vec<_>>())
        };
        let mut merged = UseCaseRecord {
            ttft: latency(|part| &part.ttft),
            thinking: ThinkingRecord::merged(parts),
            regions: RegionRecord::merged(parts),
            tpot: latency(|part| &part.tpot),
            itl: latency(|part| &part.itl),
            e2e: latency(|part| &part.e2e),
            queue: latency(|part| &part.queue),
            ..parts[0].clone()
        };
        for part in &parts[1..] {
            merged.calls += part.calls;
            merged.rejected += part.rejected;
            merged.given_up += part.given_up;
            merged.called_off += part.called_off;
            merged.finished += part.finished;
            merged.good += part.good;
            merged.prompt_tokens += part.prompt_tokens;
            merged.cached_tokens += part.cached_tokens;
            merged.output_tokens += part.output_tokens;
            merged.preemptions += part.preemptions;
            merged.sessions.began += part.sessions.began;
            merged.sessions.completed += part.sessions.completed;
            merged.sessions.aborted += part.sessions.aborted;
            merged.sessions.turns += part.sessions.turns;
            merged.jobs.add(&part.jobs);
            merged.ttft_parts.network += part.ttft_parts.network;
            merged.ttft_parts.queue += part.ttft_parts.queue;
            merged.ttft_parts.fetch += part.ttft_parts.fetch;
            merged.ttft_parts.prefill += part.ttft_parts.prefill;
            if merged.agents.len() < part.agents.len() {
                merged.agents.resize(part.agents.len(), AgentRuns::default());
            }
            merged.agents.iter_mut().zip(&part.agents).for_each(|(sum, runs)| sum.add(runs));
            let tiers = merged.tier_tokens.iter_mut().zip(part.tier_tokens);
            tiers.for_each(|(sum, tokens)| *sum += tokens);
        }
        merged
    }
}

impl RegionRecord {
    fn merged(parts: &[&UseCaseRecord]) -> Vec<RegionRecord> {
        let region = |at: usize| {
            let each: Vec<&RegionRecord> = parts.iter().map(|part| &part.regions[at]).collect();
            let latency = |of: fn(&RegionRecord) -> &LatencyRecord| {
                LatencyRecord::merged(&each.iter().map(|part| of(part)).collect::<Vec<_>>())
            };
            let site = |site: usize| SiteRecord {
                calls: each.iter().map(|part| part.sites[site].calls).sum(),
            };
            RegionRecord {
                calls: each.iter().map(|part| part.calls).sum(),
                good: each.iter().map(|part| part.good).sum(),
                ttft: latency(|part| &part.ttft),
                e2e: latency(|part| &part.e2e),
                network: each.iter().map(|part| part.network).sum(),
                sites: (0..each[0].sites.len()).map(site).collect(),
            }
        };
        (0..parts[0].regions.len()).map(region).collect()
    }
}

impl ThinkingRecord {
    /// What calls think does not depend on when they come, so quantiles are the
    /// means of those of all stretches, and the most is the most of any.
    fn merged(parts: &[&UseCaseRecord]) -> Option<ThinkingRecord> {
        let there: Option<Vec<&ThinkingRecord>> =
            parts.iter().map(|part| part.thinking.as_ref()).collect();
        let there = there?;
        let visible: Vec<&LatencyRecord> = there.iter().map(|part| &part.visible_ttft).collect();
        let thought = || there.iter().filter(|part| !part.quantiles.is_empty());
        let calls: u64 = there.iter().map(|part| part.calls).sum();
        let quantile = |(at, fraction): (usize, f64)| match fraction {
            1.0 => thought().map(|part| part.quantiles[at]).fold(0.0, f64::max),
            _ => {
                let weighted = thought().map(|part| part.calls as f64 * part.quantiles[at]);
                weighted.sum::<f64>() / calls as f64
            }
        };
        let quantiles = Self::FRACTIONS.into_iter().enumerate().filter(|_| calls > 0);
        Some(ThinkingRecord {
            calls,
            cut: there.iter().map(|part| part.cut).sum(),
            tokens: there.iter().map(|part| part.tokens).sum(),
            quantiles: quantiles.map(quantile).collect(),
            visible_ttft: LatencyRecord::merged(&visible),
        })
    }
}

impl PoolRecord {
    /// Of stretches that last so many seconds.
    fn merged(parts: &[(f64, &PoolRecord)]) -> PoolRecord {
        let seconds: f64 = parts.iter().map(|(seconds, _)| seconds).sum();
        let mean = |of: fn(&PoolRecord) -> f64| {
            let sum: f64 = parts.iter().map(|(seconds, part)| seconds * of(part)).sum();
            if seconds > 0.0 { sum / seconds } else { 0.0 }
        };
        let sum = |of: fn(&PoolRecord) -> u64| parts.iter().map(|(_, part)| of(part)).sum();
        let total = |of: fn(&PoolRecord) -> f64| parts.iter().map(|(_, part)| of(part)).sum();
        let tiers = (0..parts[0].1.tiers.len())
            .map(|at| TierRecord::merged(parts.iter().map(|(_, part)| &part.tiers[at])));
        let works = parts.iter().skip(1).map(|(_, part)| &part.work);
        let work = works.fold(parts[0].1.work.clone(), |sum, work| sum.and(work));
        PoolRecord {
            busy_s: total(|part| part.busy_s),
            running_mean: mean(|part| part.running_mean),
            waiting_mean: mean(|part| part.waiting_mean),
            arrived: sum(|part| part.arrived),
            finished: sum(|part| part.finished),
            unfinished: sum(|part| part.unfinished),
            preemptions: sum(|part| part.preemptions),
            input_tokens: sum(|part| part.input_tokens),
            cached_tokens: sum(|part| part.cached_tokens),
            saved_s: total(|part| part.saved_s),
            output_tokens: sum(|part| part.output_tokens),
            work,
            kv_use_mean: mean(|part| part.kv_use_mean),
            kv_use_peak: parts.iter().map(|(_, part)| part.kv_use_peak).fold(0.0, f64::max),
            tiers: tiers.collect(),
        }
    }
}

impl TierRecord {
    fn merged<'r>(parts: impl Iterator<Item = &'r TierRecord>) -> TierRecord {
        parts.fold(TierRecord::default(), |sum, part| TierRecord {
            hit_tokens: sum.hit_tokens + part.hit_tokens,
            saved_s: sum.saved_s + part.saved_s,
            read_bytes: sum.read_bytes + part.read_bytes,
            written_bytes: sum.written_bytes + part.written_bytes,
            read_s: sum.read_s + part.read_s,
            written_s: sum.written_s + part.written_s,
            // The same ones in each.
            links: part.links,
        })
    }
}

impl LatencyRecord {
    /// The mixture of `parts`.
    fn merged(parts: &[&LatencyRecord]) -> LatencyRecord {
        let there: Vec<&LatencyRecord> =
            parts.iter().copied().filter(|part| part.count > 0).collect();
        let (count, exact) =
            (there.iter().map(|part| part.count).sum::<u64>(), parts.iter().all(|it| it.exact));
        match there.as_slice() {
            [] => LatencyRecord { exact, ..LatencyRecord::default() },
            [only] => (*only).clone(),
            several => {
                let sum: f64 = several.iter().map(|part| part.count as f64 * part.mean).sum();
                let at = |fraction| mixed(several, fraction * count as f64);
                LatencyRecord {
                    count,
                    mean: sum / count as f64,
                    quantiles: Self::FRACTIONS.map(at).to_vec(),
                    curve: CDF_FRACTIONS.map(at).to_vec(),
                    exact,
                }
            }
        }
    }

    /// Share of values at or below `value`.
    fn share(&self, value: f64) -> f64 {
        let above = self.curve.partition_point(|&kept| kept <= value);
        match above {
            0 => 0.0,
            all if all == self.curve.len() => 1.0,
            above => {
                let (low, high) = (self.curve[above - 1], self.curve[above]);
                let (from, to) = (CDF_FRACTIONS[above - 1], CDF_FRACTIONS[above]);
                from + (to - from) * (value - low) / (high - low)
            }
        }
    }
}

/// The least value that `values` of those of all `parts` do not exceed. Found by
/// bisection of its bits, which are in the order of numbers that are not negative.
fn mixed(parts: &[&LatencyRecord], values: f64) -> f64 {
    let ends = |end: fn(&[f64]) -> Option<&f64>| {
        parts.iter().filter_map(move |part| end(&part.curve)).copied()
    };
    let lowest = ends(|curve| curve.first()).fold(f64::INFINITY, f64::min);
    let highest = ends(|curve| curve.last()).fold(0.0, f64::max);
    let below = |value: f64| -> f64 {
        parts.iter().map(|part| part.count as f64 * part.share(value)).sum()
    };
    if values >= parts.iter().map(|part| part.count as f64).sum() {
        return highest;
    }
    let (mut low, mut high) = (lowest.to_bits(), highest.to_bits());
    while low < high {
        let middle = low + (high - low) / 2;
        if below(f64::from_bits(middle)) >= values * (1.0 - 1e-12) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from_bits(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Sample, quantile};

    fn record(values: &[u64]) -> LatencyRecord {
        let mut sample = Sample::new(1 << 20);
        values.iter().for_each(|&value| sample.record(value));
        LatencyRecord::new(&mut sample)
    }

    /// Values of three windows, of very different size and load.
    fn windows() -> Vec<Vec<u64>> {
        let window = |count: u64, scale: f64| {
            let value = |i: u64| {
                let unit = (i as f64 + 0.5) / count as f64;
                // Exponential.
                (-libm::log1p(-unit) * scale * 1e10) as u64
            };
            (0..count).map(value).collect()
        };
        vec![window(20_000, 0.2), window(3_000, 0.5), window(40_000, 0.25)]
    }

    #[test]
    fn quantiles_of_a_mixture_are_those_of_all_values_together() {
        let windows = windows();
        let records: Vec<LatencyRecord> = windows.iter().map(|values| record(values)).collect();
        let merged = LatencyRecord::merged(&records.iter().collect::<Vec<_>>());
        let mut all: Vec<u64> = windows.concat();
        assert_eq!(merged.count, all.len() as u64);
        let mean = all.iter().sum::<u64>() as f64 / all.len() as f64 / 1e10;
        assert!((merged.mean / mean - 1.0).abs() < 1e-12);
        for (fraction, found) in LatencyRecord::FRACTIONS.into_iter().zip(&merged.quantiles) {
            let exact = quantile(&mut all, fraction).unwrap() / 1e10;
            assert!((found / exact - 1.0).abs() < 2e-3, "{fraction}: {found} {exact}");
        }
        assert_eq!(merged.curve[0], records.iter().map(|r| r.curve[0]).fold(1e9, f64::min));
        let highest = records.iter().map(|r| *r.curve.last().unwrap()).fold(0.0, f64::max);
        assert_eq!(*merged.curve.last().unwrap(), highest);
        assert!(merged.curve.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn equal_windows_have_the_quantiles_of_one() {
        let one = record(&windows()[0]);
        let merged = LatencyRecord::merged(&[&one, &one, &record(&[])]);
        for (found, kept) in merged.curve.iter().zip(&one.curve) {
            assert!((found / kept - 1.0).abs() < 1e-9, "{found} {kept}");
        }
        let same = record(&[7; 100]);
        assert_eq!(LatencyRecord::merged(&[&same, &same]).quantiles, same.quantiles);
        assert_eq!(LatencyRecord::merged(&[&record(&[]), &record(&[])]).count, 0);
    }
}
