//! What an import tells at the terminal.

use crate::cli::columns::columns;
use crate::study::import::{GapLaw, Imported, Left, LengthFit};
use indicatif::HumanCount;

/// The whole answer.
pub(super) fn text(imported: &Imported) -> String {
    let mut text = head(imported);
    text += &lengths(imported);
    text += &sessions(imported);
    text += &course(imported);
    text += &bursts(imported);
    for note in &imported.notes {
        text += &format!("note: {note}\n");
    }
    text
}

fn head(imported: &Imported) -> String {
    let calls = HumanCount(imported.calls);
    let mut text = format!("{}: {}, {calls} calls", imported.file, imported.format);
    if let (Some(length_s), Some(rate)) = (imported.length_s, imported.rate_per_s) {
        text += &format!(" in {} s, {} a second", figure(length_s), figure(rate));
    }
    text.push('\n');
    if let Some(again) = &imported.again {
        text += &format!(
            "again: {} simulations of {} s, {} calls a second\n",
            again.replications,
            figure(again.length_s),
            figure(again.rate_per_s)
        );
    }
    text.push('\n');
    text
}

/// Quantiles of lengths, recorded and simulated, and how the laws fit.
fn lengths(imported: &Imported) -> String {
    let (Some(prompt), Some(output)) = (&imported.prompt_tokens, &imported.output_tokens) else {
        return String::new();
    };
    let kinds = [("prompt", prompt), ("output", output)];
    let percents = &prompt.quantiles;
    let mut head = vec!["tokens".to_owned(), "mean".to_owned()];
    head.extend(percents.iter().map(|quantile| format!("p{}", quantile.percent)));
    let row = |name: String, mean: String, cell: &dyn Fn(usize) -> String| {
        let mut row = vec![name, mean];
        row.extend((0..percents.len()).map(cell));
        row
    };
    let mut rows = Vec::new();
    for (name, fit) in kinds {
        let trace = |at: usize| figure(fit.quantiles[at].trace);
        let again = |at: usize| fit.quantiles[at].again.map_or(String::new(), figure);
        rows.push(row(name.to_owned(), figure(fit.mean), &trace));
        if fit.quantiles.iter().any(|quantile| quantile.again.is_some()) {
            rows.push(row("  again".to_owned(), String::new(), &again));
        }
    }
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut text = columns(&head, &rows, 1);
    for (name, fit) in kinds {
        text += &format!("{name}: {}\n", fits(fit));
    }
    if let Some(correlation) = imported.correlation {
        text += &format!("correlation of their logarithms: {correlation:.3}\n");
    }
    text + "\n"
}

fn fits(fit: &LengthFit) -> String {
    let points = fit.empirical_points;
    let parts = match fit.mixture_parts {
        1 => "a lognormal law".to_owned(),
        parts => format!("{parts} lognormal laws"),
    };
    format!(
        "distance {:.4} of {points} quantiles, {:.4} of {parts} (n = {})",
        fit.empirical_distance, fit.mixture_distance, fit.n
    )
}

/// What sessions do.
fn sessions(imported: &Imported) -> String {
    let Some(fit) = &imported.sessions else { return String::new() };
    let mut text = format!(
        "sessions: {}, turns mean {}, p50 {}, p99 {}; {:.1} % of calls are later turns\n",
        figure(fit.sessions),
        figure(fit.turns.mean),
        figure(fit.turns.quantiles[1].trace),
        figure(fit.turns.quantiles[4].trace),
        100.0 * fit.later_fraction
    );
    if let Some(think) = fit.median_think_s {
        text += &format!("from turn to turn: {} s in the median\n", figure(think));
    }
    if fit.prefix_tokens > 0 {
        let (tokens, share) = (fit.prefix_tokens, 100.0 * fit.prefix_fraction);
        text += &format!("prefix: {tokens} tokens, which {share:.1} % of prompts begin with\n");
    }
    for (name, fit) in
        [("first prompts", &fit.opening_tokens), ("added by turns", &fit.fresh_tokens)]
    {
        text += &format!("{name}: mean {}, {}\n", figure(fit.mean), fits(fit));
    }
    text + "\n"
}

/// The course of day and week, what varies around it, and both simulated.
fn course(imported: &Imported) -> String {
    let Some(fit) = &imported.course else { return String::new() };
    let kind = if fit.is_weekly { "the mean week" } else { "the median day" };
    let mut text = format!(
        "course: {} days, {} a second; profile off {kind} by {:.2} % of its peak in the mean\n",
        fit.days,
        figure(fit.rate_per_s),
        100.0 * fit.error
    );
    if let Some(percent) = fit.growth_percent_per_month {
        text += &format!("growth: {percent:.2} % a month\n");
    }
    if let Some(noise) = fit.day_noise {
        let (cv, correlation) = (figure(noise.cv), figure(noise.correlation));
        text += &format!("day noise: cv {cv}, correlation {correlation}\n");
    }
    if let Some(tenants) = fit.tenants {
        text += &format!("tenants: {}, zipf {}", tenants.count, figure(tenants.zipf));
        if let (Some(on), Some(off)) = (tenants.on_s, tenants.off_s) {
            text += &format!(", on {} s, off {} s", figure(on), figure(off));
        }
        text.push('\n');
    }
    let again = imported.course_again.as_ref();
    if let Some(left) = &fit.left {
        let row = |name: &str, left: &Left| {
            let mut row = vec![name.to_owned(), figure(left.variance)];
            row.extend(left.correlation.iter().take(4).map(|lag| format!("{lag:.2}")));
            row.push(figure(left.day_variance));
            row.push(format!("{:.2}", left.day_correlation));
            row
        };
        let mut rows = vec![row("recorded", left)];
        rows.extend(again.and_then(|again| again.left.as_ref()).map(|left| row("again", left)));
        let head =
            ["around it", "variance in days", "1 h", "2 h", "3 h", "4 h", "of days", "next day"];
        text += &columns(&head, &rows, 1);
    }
    if let Some(again) = again {
        text += &format!(
            "again: {} simulations of its hours, {} a second, profile off by {:.2} % of its peak\n",
            again.replications,
            figure(again.rate_per_s),
            100.0 * again.error
        );
    }
    text + "\n"
}

/// Dispersion of counts, recorded, expected and simulated.
fn bursts(imported: &Imported) -> String {
    let Some(bursts) = imported.bursts.as_ref().filter(|_| !imported.dispersion.is_empty()) else {
        return String::new();
    };
    let cell = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
    let rows: Vec<Vec<String>> = imported
        .dispersion
        .iter()
        .map(|fit| {
            vec![
                figure(fit.window_s),
                fit.windows.to_string(),
                cell(Some(fit.trace)),
                cell(Some(fit.model)),
                cell(fit.again),
            ]
        })
        .collect();
    let head = ["window s", "windows", "variance/mean", "model", "again"];
    let mut text = columns(&head, &rows, 0);
    let law = match bursts.gaps {
        GapLaw::Exponential => "exponential gaps".to_owned(),
        GapLaw::Gamma { cv } => format!("gamma gaps of cv {cv:.3}"),
        GapLaw::Weibull { shape } => format!("Weibull gaps of shape {shape:.3}"),
    };
    let chains: Vec<String> = bursts
        .chains
        .iter()
        .map(|chain| format!("cv {:.3} over {} s", chain.variance.sqrt(), figure(chain.memory_s)))
        .collect();
    let chains = if chains.is_empty() { "no states".to_owned() } else { chains.join(", ") };
    text += &format!("model: {law}; states: {chains}; error {:.1} %\n", 100.0 * bursts.error);
    for fit in &imported.gaps {
        let name = match fit.law {
            GapLaw::Exponential => "exponential".to_owned(),
            GapLaw::Gamma { cv } => format!("gamma, cv {cv:.3}"),
            GapLaw::Weibull { shape } => format!("Weibull, shape {shape:.3}"),
        };
        text += &format!("gaps: distance {:.4} of {name} (n = {})\n", fit.distance, fit.n);
    }
    text.push('\n');
    text
}

/// A figure of four digits.
fn figure(value: f64) -> String {
    crate::study::import::short(value)
}
