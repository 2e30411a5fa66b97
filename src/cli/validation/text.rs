//! The comparisons as text.

use super::super::columns::columns;
use super::{LeftOut, OpenLoop, Steps, Sweeps, Trace, Validation};
use crate::study::validation::{
    Arm, Deviation, Errors, OpenLoopReport, Replay, StageGroup, SweepReport, Variant,
};
use std::fmt::Write;

pub(super) fn text(found: &Validation) -> String {
    let mut parts = Vec::new();
    parts.extend(found.left_out.iter().map(left_out));
    parts.extend(found.logs.iter().map(log));
    parts.extend(found.steps.iter().map(steps));
    parts.extend(found.sweeps.iter().map(sweep));
    parts.extend(found.open_loop.iter().map(open_loop));
    parts.extend(found.traces.iter().map(trace));
    parts.join("\n")
}

fn left_out(left_out: &LeftOut) -> String {
    format!("warning: not compared: {}\n", left_out.reason)
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

fn signed(fraction: Option<f64>) -> String {
    fraction.map_or("-".to_owned(), |fraction| format!("{:+.1} %", fraction * 100.0))
}

fn ms(seconds: f64) -> String {
    format!("{:.1}", seconds * 1e3)
}

fn log(replay: &Replay) -> String {
    let mut text = format!("log {}: {} calls\n{}; ", replay.log, replay.calls, replay.deployment);
    let _ = writeln!(text, "{} KV blocks a rank", replay.kv_blocks);
    if replay.skipped_lines > 0 {
        let _ = writeln!(text, "warning: {} broken lines left out", replay.skipped_lines);
    }
    for arm in replay.arms.iter().filter(|arm| arm.rejected > 0) {
        let _ = writeln!(text, "warning: {} calls refused ({})", arm.rejected, arm.constants);
    }
    let mut header = vec!["".to_owned(), "".to_owned(), "measured ms".to_owned()];
    for arm in &replay.arms {
        header.extend([format!("{} ms", arm.constants), "error".to_owned(), "ms".to_owned()]);
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    text + &columns(&header, &log_rows(&replay.arms), 2)
}

/// One row a statistic of a metric, the arms side by side.
fn log_rows(arms: &[Arm]) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (index, arm) in arms.iter().enumerate() {
        let all = arm.named().flat_map(|(metric, comparison)| {
            comparison.named().map(|(statistic, deviation)| (metric, statistic, deviation))
        });
        for (row, (metric, statistic, deviation)) in all.enumerate() {
            if index == 0 {
                let measured = ms(deviation.measured_s);
                rows.push(vec![metric.to_owned(), statistic.to_owned(), measured]);
            }
            rows[row].extend(error_cells(&deviation));
        }
    }
    rows
}

fn error_cells(deviation: &Deviation) -> [String; 3] {
    [
        ms(deviation.simulated_s),
        signed(deviation.error_fraction),
        format!("{:+.1}", deviation.error_s * 1e3),
    ]
}

fn steps(steps: &Steps) -> String {
    let row = |phase: &str, system: &str, errors: &Errors| {
        vec![
            phase.to_owned(),
            system.to_owned(),
            errors.count.to_string(),
            percent(errors.median_absolute),
            percent(errors.mean_absolute),
            signed(Some(errors.median)),
        ]
    };
    let rows: Vec<_> = steps.groups.iter().map(|g| row(&g.phase, &g.system, &g.errors)).collect();
    let header =
        ["phase", "GPU", "configurations", "median |error|", "mean |error|", "median error"];
    format!("steps {}\n{}", steps.table, columns(&header, &rows, 2))
}

fn sweep(sweep: &Sweeps) -> String {
    let mut text = format!(
        "sweep {}: {} aggregated closed-loop rows of high confidence; {} others not compared\n",
        sweep.table, sweep.rows, sweep.other_rows
    );
    if let Some(first) = sweep.reports.first() {
        let _ = writeln!(text, "{} rows simulated", first.rows);
        for (reason, rows) in &first.left_out {
            let _ = writeln!(text, "{rows} rows left out: {reason}");
        }
    }
    for report in &sweep.reports {
        text += &sweep_table(report);
    }
    text
}

fn sweep_table(report: &SweepReport) -> String {
    let rows: Vec<Vec<String>> = report
        .groups
        .iter()
        .map(|group| {
            let mut row =
                vec![group.by.to_owned(), group.name.clone(), group.tpot.count.to_string()];
            for errors in [&group.tpot, &group.ttft] {
                row.push(percent(errors.median_absolute));
                row.push(percent(errors.mean_absolute));
                row.push(signed(Some(errors.median)));
            }
            row.push(ms(group.ttft_median_error_s));
            row
        })
        .collect();
    let header = [
        "by",
        "",
        "rows",
        "TPOT median |e|",
        "mean |e|",
        "bias",
        "TTFT median |e|",
        "mean |e|",
        "bias",
        "median |e| ms",
    ];
    format!("constants: {}\n{}", report.constants, columns(&header, &rows, 2))
}

fn open_loop(table: &OpenLoop) -> String {
    let mut text = format!(
        "open loop {}: {} stages of high confidence; {} others not compared\n",
        table.table, table.rows, table.other_rows
    );
    if let Some(first) = table.reports.first() {
        let _ = writeln!(text, "{} stages simulated", first.stages);
        for (reason, stages) in &first.left_out {
            let _ = writeln!(text, "{stages} stages left out: {reason}");
        }
    }
    for report in &table.reports {
        text += &open_loop_table(report);
    }
    text
}

/// Medians of absolute errors, with the bias of the means.
fn open_loop_table(report: &OpenLoopReport) -> String {
    let figures = [
        ("itl", true),
        ("e2e", true),
        ("e2e_p90", false),
        ("e2e_p99", false),
        ("ttft", true),
        ("ttft_p90", false),
        ("ttft_p99", false),
        ("ttft_engine", true),
    ];
    let row = |group: &StageGroup| {
        let stages = group.figures.get("itl").map_or(0, |errors| errors.count);
        let mut row = vec![group.by.to_owned(), group.name.clone(), stages.to_string()];
        for (figure, has_bias) in figures {
            let errors = group.figures.get(figure);
            row.push(errors.map_or("-".to_owned(), |errors| percent(errors.median_absolute)));
            if has_bias {
                row.push(signed(errors.map(|errors| errors.median)));
            }
        }
        row
    };
    let rows: Vec<_> = report.groups.iter().map(row).collect();
    let mut header = vec!["by", "", "stages"];
    header.extend(["ITL median |e|", "bias", "E2E", "bias", "p90", "p99"]);
    header.extend(["TTFT", "bias", "p90", "p99", "engine's", "bias"]);
    format!("constants: {}\n{}", report.constants, columns(&header, &rows, 2))
}

fn trace(trace: &Trace) -> String {
    let Trace { trace: name, sensitivity: s } = trace;
    let mut text = format!(
        "trace {name}: {} calls, {:.2} a second, mean {:.0} tokens in and {:.0} out\n\
         {}; {} KV blocks a replica; all calls at once: {:.2} a second\n",
        s.calls,
        s.calls_per_s,
        s.prompt_mean,
        s.output_mean,
        s.pool,
        s.kv_blocks,
        s.saturated_calls_per_s
    );
    let rows: Vec<Vec<String>> = s.variants.iter().map(variant).collect();
    let header = [
        "changed",
        "load",
        "calls/s",
        "TTFT mean ms",
        "p50",
        "p99",
        "TPOT mean ms",
        "p99",
        "E2E mean ms",
        "tok/s a GPU",
        "KV peak",
        "preempted",
    ];
    text += &columns(&header, &rows, 1);
    text
}

fn variant(variant: &Variant) -> Vec<String> {
    vec![
        variant.change.to_owned(),
        format!("{:.0} %", variant.load * 100.0),
        format!("{:.1}", variant.calls_per_s),
        ms(variant.ttft_mean_s),
        ms(variant.ttft_p50_s),
        ms(variant.ttft_p99_s),
        ms(variant.tpot_mean_s),
        ms(variant.tpot_p99_s),
        ms(variant.e2e_mean_s),
        format!("{:.0}", variant.output_tok_per_s_per_gpu),
        percent(variant.kv_use_peak),
        variant.preemptions.to_string(),
    ]
}
