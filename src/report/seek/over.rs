//! What a seek over a second key leaves behind: a table with a row a value, a
//! chart and a page.

use super::name::{bound, measure, metric, written};
use super::story;
use crate::report::charts::{Chart, seek_over_chart};
use crate::report::figure::Figure;
use crate::report::outputs::{Artifact, Identity, Outputs, json};
use crate::report::page as shell;
use crate::report::table::ABSENT;
use crate::report::terminal::{lead, paragraph};
use crate::study::seek::{Outcome, SeekAt, SeekOver, SeekPoint};
use maud::html as page;
use serde_json::Value;

/// Most warnings of one value that are told; all are in seek.json.
const WARNINGS_MAX: usize = 2;

/// The files of a seek over a second key; `scenario_toml` is the scenario as
/// resolved.
pub fn seek_over(result: &SeekOver, scenario_toml: &str) -> Outputs {
    let chart = chart(result);
    let artifacts = vec![
        Artifact::Text("scenario.toml", scenario_toml.to_owned()),
        Artifact::Text("seek.json", json(result)),
        Artifact::Text("report.html", html(result, scenario_toml, &chart)),
        Artifact::Chart(chart),
    ];
    let identity = Identity {
        version: result.version.clone(),
        scenario: result.scenario.clone(),
        seed: result.seed,
        replications: replications(result),
        digest: result.digest.clone(),
    };
    Outputs { identity, artifacts }
}

/// The whole seek as text, ending with a newline; `columns` lays out a table.
pub fn seek_over_terminal(
    result: &SeekOver,
    columns: impl Fn(&[String], &[Vec<String>]) -> String,
) -> String {
    let mut out = String::new();
    lead(&mut out, &warnings(result));
    paragraph(&mut out, "", &format!("{}: {}", result.scenario, setting(result)));
    out.push('\n');
    out += &columns(&head(result), &rows(result));
    out.push('\n');
    paragraph(&mut out, "", NOTE);
    let SeekOver { seed, digest, version, .. } = result;
    out + &format!("seed {seed}   digest {digest}   tokenmill {version}\n")
}

/// The point that is the answer of a seek, if it has one.
pub fn at_answer(at: &SeekAt) -> Option<&SeekPoint> {
    let answer = at.seek.answer?;
    at.seek.points.iter().find(|point| point.number == answer.mean)
}

/// The figures that say what a token costs, those of priced pools.
pub fn cost_paths(result: &SeekOver) -> Vec<String> {
    let points = result.seeks.iter().filter_map(at_answer).take(1);
    let paths = points.flat_map(|point| point.figures.keys());
    paths.filter(|path| path.ends_with(".usd_per_mtok.total")).cloned().collect()
}

/// The number in a value of the second key.
pub fn number(result: &SeekOver, value: &Value) -> Option<f64> {
    match (value.as_str(), &result.over_unit) {
        (Some(text), Some(_)) => {
            crate::scenario::range::quantity(text).map(|(_, number, _)| number)
        }
        _ => value.as_f64(),
    }
}

/// A value as it is written, without quotes.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

const NOTE: &str = "± is half of the 95 % confidence interval over replications, of the figure at \
                    that value of the key; each interval of the key is as that of a seek by \
                    itself.";

fn replications(result: &SeekOver) -> u32 {
    result.seeks.iter().map(|at| at.seek.replications).max().unwrap_or(0)
}

fn setting(result: &SeekOver) -> String {
    let seeks = result.seeks.len();
    let first = &result.seeks[0].seek;
    let each = first.keep.iter().map(|each| format!("{} {}", metric(&each.metric), bound(each)));
    let each: Vec<String> = each.collect();
    let found = result.seeks.iter().find_map(|at| match at.seek.outcome {
        Outcome::Largest => Some("largest"),
        Outcome::Smallest => Some("smallest"),
        _ => None,
    });
    let which = found.unwrap_or("value of");
    format!(
        "the {which} {} that keeps {}, at {seeks} values of {}, on common random numbers, at most \
         {} replications of each value looked at",
        first.key,
        each.join(" and "),
        result.over,
        replications(result)
    )
}

/// Warnings of all values, each with the value it belongs to; what all say is
/// said once.
fn warnings(result: &SeekOver) -> Vec<String> {
    let of = |at: &SeekAt| at.seek.warnings.clone();
    let is_common = |warning: &String| result.seeks.iter().all(|at| of(at).contains(warning));
    let mut told: Vec<String> = of(&result.seeks[0]).into_iter().filter(is_common).collect();
    for at in &result.seeks {
        let own: Vec<String> = of(at).into_iter().filter(|warning| !is_common(warning)).collect();
        let place = format!("{} = {}", result.over, text(&at.value));
        told.extend(own.iter().take(WARNINGS_MAX).map(|warning| format!("{place}: {warning}")));
        if own.len() > WARNINGS_MAX {
            told.push(format!("{place}: {} warnings more in seek.json", own.len() - WARNINGS_MAX));
        }
    }
    told
}

/// The last part of a key path.
fn last(key: &str) -> String {
    key.rsplit('.').next().unwrap_or_default().to_owned()
}

fn head(result: &SeekOver) -> Vec<String> {
    let first = &result.seeks[0].seek;
    let fixed = [last(&result.over), last(&first.key), "95 % interval".to_owned()];
    let kept = first.keep.iter().map(|each| metric(&each.metric));
    let costs = cost_paths(result).into_iter().map(|path| metric(&path));
    fixed.into_iter().chain(kept).chain(costs).collect()
}

fn rows(result: &SeekOver) -> Vec<Vec<String>> {
    let costs = cost_paths(result);
    result.seeks.iter().map(|at| row(at, &costs)).collect()
}

fn row(at: &SeekAt, costs: &[String]) -> Vec<String> {
    let result = &at.seek;
    let mut cells = vec![text(&at.value)];
    let Some((answer, point)) = result.answer.zip(at_answer(at)) else {
        let word = match result.outcome {
            Outcome::Everywhere => "all kept",
            Outcome::Nowhere => "none kept",
            _ => "several",
        };
        cells.push(word.to_owned());
        cells.extend((0..1 + result.keep.len() + costs.len()).map(|_| ABSENT.to_owned()));
        return cells;
    };
    let end = |end: Option<f64>, beyond: &str| {
        end.map_or_else(|| beyond.to_owned(), |end| written(result, end))
    };
    cells.push(written(result, answer.mean));
    cells.push(format!("{} to {}", end(answer.low, "below"), end(answer.high, "beyond")));
    let kept = result.keep.iter().zip(&point.bounded);
    let kept = kept.map(|(each, figure)| (measure(&each.metric), *figure));
    let paid = costs.iter().map(|path| (measure(path), point.figures.get(path).copied()));
    cells.extend(kept.chain(paid).map(|(measure, figure)| {
        figure.map_or_else(|| ABSENT.to_owned(), |f| Figure::of(&f, measure).plus_minus())
    }));
    cells
}

fn chart(result: &SeekOver) -> Chart {
    Chart {
        name: "seek",
        caption: "The answer at each value of the second key, and what holds there: what a token \
                  costs and the figures with a bound. Bands are 95 % confidence intervals, the \
                  dashed line is the bound. A cross at the upper edge: in the range that was \
                  searched, either no value keeps the bounds or all do.",
        drawing: seek_over_chart(result),
    }
}

fn html(result: &SeekOver, scenario_toml: &str, chart: &Chart) -> String {
    let SeekOver { scenario, version, digest, seed, .. } = result;
    let body = page! {
        header {
            h1 { (scenario) ", seek" }
            p.setting { (setting(result)) }
            (shell::warnings(&warnings(result)))
        }
        main {
            h2 id="chart" { "Chart" }
            (shell::figure(chart))
            h2 id="values" { "Answers" }
            div.scroll {
                table {
                    thead { tr { @for name in head(result) { th scope="col" { (name) } } } }
                    tbody {
                        @for row in rows(result) { tr { @for cell in &row { td { (cell) } } } }
                    }
                }
            }
            p.note { (NOTE) }
            ul {
                @for at in &result.seeks {
                    li { code { (text(&at.value)) } ": " (story::answer(&at.seek)) }
                }
            }
            p.note { "All figures of all values looked at are in seek.json beside this page." }
            (shell::scenario(scenario_toml))
        }
        (shell::closing("seek", version, digest, *seed, Some(replications(result))))
    };
    shell::document(&format!("{scenario}, seek"), &body)
}
