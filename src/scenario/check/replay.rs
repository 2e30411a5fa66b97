//! Opens the recorded sessions of a use case.

use super::readings::{Readings, unreadable};
use super::{Check, HORIZON_S_MAX};
use crate::catalog::Agent;
use crate::error::Mistake;
use crate::kernel::Span;
use crate::scenario::Arrivals;
use crate::scenario::raw::{RawRepeats, RawReplay, RawReplayFormat, RawTiming, RawUseCase};
use crate::scenario::tree::{At, suggest};
use crate::workload::agent::{Crew, Member, Repeats, Replay, Timing};
use crate::workload::graph::Graph;
use crate::workload::{GraphFormat, ReadOptions, Script, Trace, TraceCall, open_trace, read_graph};
use std::path::PathBuf;
use std::sync::Arc;

/// Output tokens of turns that do not say.
const OUTPUT_TOKENS: u32 = 128;
/// Keys that say what calls ask for, which a recording does by itself.
const OTHERS: [&str; 7] =
    ["agent", "tools", "prompt_tokens", "output_tokens", "prefix", "session", "thinking"];

/// Recordings of sessions that were read already.
pub(super) type Sessions = Readings<Reading, Found>;

/// A recording, and its layout.
pub(super) type Found = (GraphFormat, Arc<Graph>);

/// What is read, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    path: PathBuf,
    format: Option<GraphFormat>,
    options: ReadOptions,
    output: u32,
}

impl Check<'_> {
    /// The recording of a use case, if it replays one, which the pools called `serving`
    /// serve.
    pub(super) fn replay(
        &mut self,
        at: &At<'_>,
        use_case: &mut RawUseCase,
        serving: &[&str],
        pool_names: &[&str],
    ) -> Option<Arc<Replay>> {
        use_case.replay.as_ref()?;
        for key in OTHERS {
            if at.key(key).node.is_some() {
                let problem = "is given beside a replay, which says it by itself";
                self.wrong(&at.key(key), problem, "remove it, or the replay");
            }
        }
        let place = at.key("replay");
        let raw = use_case.replay.as_mut()?;
        self.suit_timing(&place, raw);
        let reading = Reading {
            path: self.base_dir.join(&raw.path),
            format: raw.format.map(format),
            options: ReadOptions {
                skip_bad_lines: self.skip_bad_lines,
                calls_max: raw.sessions,
                block_tokens: raw.block_tokens,
                ..ReadOptions::default()
            },
            output: raw.output_tokens.unwrap_or(OUTPUT_TOKENS),
        };
        let found = self.traces.sessions.get(&reading, || read(&place, &reading));
        let (format, graph) = match found {
            Ok(found) => found,
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                return None;
            }
        };
        self.suit_format(&place, format, raw);
        self.note(&graph, raw);
        raw.format = Some(raw_format(format));
        let mut replay = replay(raw, graph);
        let models = place.key("models");
        replay.models = self.model_sites(&models, raw, &replay.graph, serving, pool_names);
        let mut crew = (*replay.crew).clone();
        self.child_pools(at, use_case, &mut crew, serving, pool_names);
        replay.crew = Arc::new(crew);
        replay.shares = replay.shares_of_sites();
        Some(Arc::new(replay))
    }

    /// The pool of each recorded model that has one of its own, which `serving` ends
    /// with.
    fn model_sites(
        &mut self,
        at: &At<'_>,
        raw: &RawReplay,
        graph: &Graph,
        serving: &[&str],
        names: &[&str],
    ) -> Vec<Option<u8>> {
        let mut sites = vec![None; graph.models.len()];
        for (model, pool) in &raw.models.0 {
            let known = graph.models.iter().position(|known| known == model);
            if known.is_none() {
                let fix = match graph.models.is_empty() {
                    true => "remove it: its calls do not tell their models".to_owned(),
                    false => suggest(model, graph.models.iter().map(String::as_str)),
                };
                self.wrong(&at.key(model), "names no model of the recording", fix);
            }
            if !names.contains(&pool.as_str()) {
                let fix = suggest(pool, names.iter().copied());
                self.wrong(&at.key(model), "there is no pool of this name", fix);
            }
            let site = serving.iter().position(|name| name == pool);
            if let Some(known) = known {
                sites[known] = site.map(|site| site as u8);
            }
        }
        sites
    }

    /// Objects to times that do not go together.
    fn suit_timing(&mut self, at: &At<'_>, raw: &RawReplay) {
        if raw.api_time_scale.is_some() && raw.timing != RawTiming::ApiScaled {
            let fix = "remove it, or write timing = \"api-scaled\"";
            self.wrong(&at.key("api_time_scale"), "is given with another timing", fix);
        }
        let pause_s = raw.pause_max.as_ref().map_or(0.0, |pause| pause.value);
        if raw.pause_max.is_some() && raw.timing == RawTiming::Recorded {
            let problem = "cuts pauses, and calls come at recorded instants";
            let fix = "remove it, or write timing = \"think-only\"";
            self.wrong(&at.key("pause_max"), problem, fix);
        }
        let gap_s = raw.session_gap.as_ref().map_or(0.0, |gap| gap.value);
        for (key, seconds) in [("pause_max", pause_s), ("session_gap", gap_s)] {
            if seconds > HORIZON_S_MAX {
                self.wrong(&at.key(key), "is more than ten years", "write e.g. \"75 s\"");
            }
        }
    }

    /// Objects to what says nothing about a recording of this format.
    fn suit_format(&mut self, at: &At<'_>, format: GraphFormat, raw: &RawReplay) {
        if format == GraphFormat::Dag && raw.timing != RawTiming::ThinkOnly {
            let problem = "needs recorded times, and conversations of the format dag have none";
            self.wrong(&at.key("timing"), problem, "write timing = \"think-only\"");
        }
        let unsuited = [
            ("block_tokens", raw.block_tokens.is_some(), GraphFormat::Weka),
            ("output_tokens", raw.output_tokens.is_some(), GraphFormat::Dag),
        ];
        for (key, is_given, suits) in unsuited {
            if is_given && suits != format {
                let problem = format!("says nothing about the format {}", format.name());
                let fix = format!("leave it out; it is for {}", suits.name());
                self.wrong(&at.key(key), problem, fix);
            }
        }
    }

    fn note(&mut self, graph: &Graph, raw: &RawReplay) {
        let notes = &graph.notes;
        self.tell_contradiction(&raw.path, notes.contradiction);
        let output = raw.output_tokens.unwrap_or(OUTPUT_TOKENS);
        let counts = [
            (notes.skipped_lines, "broken lines left out"),
            (
                notes.raised_calls,
                "calls recorded without prompt or output tokens count as one token",
            ),
            (
                notes.estimated_calls,
                "turns do not say how many tokens they have: a token for four characters",
            ),
            (
                notes.unsaid_outputs,
                &format!(
                    "turns do not say how long answers are: {output} tokens (`output_tokens`)"
                ),
            ),
        ];
        counts.iter().for_each(|(calls, what)| self.tell_count(&raw.path, *calls, what));
    }

    /// Arrivals that begin every recorded session once.
    pub(super) fn each_session_once(&mut self, raw: &RawReplay, replay: &Replay) -> Arrivals {
        let gap_s = raw.session_gap.as_ref().map_or(0.0, |gap| gap.value);
        let starts = (0..replay.graph.sessions()).map(|number| {
            let at = Span::from_seconds(gap_s * number as f64);
            (TraceCall { at, prompt: 1, output: 1 }, &[] as &[u64])
        });
        Arrivals::Trace { trace: Arc::new(Trace::of(0, starts)), time_scale: 1.0 }
    }
}

fn read(at: &At<'_>, reading: &Reading) -> Result<Found, Vec<Mistake>> {
    let place = at.key("path");
    let mut input = open_trace(&reading.path).map_err(unreadable(&place))?;
    let found = match reading.format {
        Some(format) => Some(format),
        None => GraphFormat::detect(&mut input).map_err(unreadable(&place))?,
    };
    let Some(format) = found else {
        let problem = "does not begin like recorded sessions";
        let fix = "check the file, or name its `format`: weka or dag";
        return Err(vec![place.mistake(problem.to_owned(), fix)]);
    };
    let name = reading.path.display().to_string();
    let graph = read_graph(format, input, &name, reading.options.clone(), reading.output)?;
    if graph.sessions().saturating_mul(graph.strands) > Script::NAMES_MAX {
        let problem = "says too much: there are names for 2^44 blocks".to_owned();
        return Err(vec![place.mistake(problem, "take fewer of its `sessions`")]);
    }
    Ok((format, Arc::new(graph)))
}

fn replay(raw: &RawReplay, graph: Arc<Graph>) -> Replay {
    let calls = graph.calls() as f64 / graph.sessions() as f64;
    let shares = shares(&graph);
    let member = |(at, kind): (usize, &String)| Member {
        agent: Arc::new(Agent::recorded(kind, if at == 0 { calls } else { 1.0 })),
        site: None,
        share: shares[at],
        child: None,
        tool_pools: Vec::new(),
    };
    let members = graph.kinds.iter().enumerate().map(member).collect();
    Replay {
        crew: Arc::new(Crew { members }),
        models: Vec::new(),
        shares: Vec::new(),
        graph,
        timing: match raw.timing {
            RawTiming::ThinkOnly => Timing::ThinkOnly,
            RawTiming::ApiScaled => Timing::ApiScaled(raw.api_time_scale.unwrap_or(1.0)),
            RawTiming::Recorded => Timing::Recorded,
        },
        time_scale: raw.time_scale,
        pause_max: raw.pause_max.as_ref().map(|pause| Span::from_seconds(pause.value)),
        repeats: match raw.repeats {
            RawRepeats::Fresh => Repeats::Fresh,
            RawRepeats::Same => Repeats::Same,
        },
    }
}

/// Shares of the kinds of threads in all calls.
fn shares(graph: &Graph) -> Vec<f64> {
    let mut calls = vec![0.0; graph.kinds.len()];
    for number in 0..graph.sessions() {
        graph.each_call(number, |kind, call| {
            calls[usize::from(kind)] += f64::from(u8::from(call.prompt > 0));
        });
    }
    let all: f64 = calls.iter().sum();
    calls.iter().map(|calls| if all > 0.0 { calls / all } else { 0.0 }).collect()
}

impl Replay {
    /// Shares of its sites in all calls.
    fn shares_of_sites(&self) -> Vec<(Option<u8>, f64)> {
        let mut sites: Vec<(Option<u8>, f64)> = Vec::new();
        for number in 0..self.graph.sessions() {
            self.graph.each_call(number, |kind, call| {
                let site = self.site_of(kind, call);
                let calls = f64::from(u8::from(call.prompt > 0));
                match sites.iter_mut().find(|(known, _)| *known == site) {
                    Some((_, sum)) => *sum += calls,
                    None => sites.push((site, calls)),
                }
            });
        }
        let all: f64 = sites.iter().map(|(_, calls)| calls).sum();
        sites.iter_mut().for_each(|(_, calls)| *calls /= all.max(1.0));
        sites
    }

    /// Calls asked of a site that `is_here` with more than `longest` tokens.
    pub(super) fn longer_than(&self, longest: u64, is_here: impl Fn(Option<u8>) -> bool) -> u64 {
        let mut count = 0;
        for number in 0..self.graph.sessions() {
            self.graph.each_call(number, |kind, call| {
                let is_here = is_here(self.site_of(kind, call));
                let length = u64::from(call.prompt) + u64::from(call.output);
                count += u64::from(is_here && length > longest);
            });
        }
        count
    }
}

fn format(raw: RawReplayFormat) -> GraphFormat {
    match raw {
        RawReplayFormat::Weka => GraphFormat::Weka,
        RawReplayFormat::Dag => GraphFormat::Dag,
    }
}

fn raw_format(format: GraphFormat) -> RawReplayFormat {
    match format {
        GraphFormat::Weka => RawReplayFormat::Weka,
        GraphFormat::Dag => RawReplayFormat::Dag,
    }
}
