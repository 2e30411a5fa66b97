//! Demand as it arrives: counts follow the curve, and vary around it as asked.

mod common;

use common::{load, mean_of, shared};
use tokenmill::kernel::{Span, Time};
use tokenmill::scenario::{Arrivals, Overrides, Scenario, parse};

/// A scenario with these top-level lines and these of its use case.
fn scenario(top: &str, use_case: &str) -> Scenario {
    let text = format!(
        "name = \"d\"\n{top}\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \
         \"h100-sxm\"\n[[use_case]]\nname = \"shop\"\nprompt_tokens = 500\noutput_tokens = 50\n\
         {use_case}\n"
    );
    load(&text).scenario
}

/// Instants of all arrivals of the first use case in a replication.
fn arrivals(scenario: &Scenario, replication: u64) -> Vec<Time> {
    common::arrivals(scenario, 0, replication)
}

/// How many there are, replication by replication.
fn counts(scenario: &Scenario, replications: u64) -> Vec<f64> {
    (0..replications).map(|replication| arrivals(scenario, replication).len() as f64).collect()
}

fn curve(scenario: &Scenario) -> &tokenmill::demand::curve::Curve {
    match &scenario.use_cases[0].arrivals {
        Arrivals::Varying(demand) => &demand.curve,
        other => panic!("{other:?}"),
    }
}

/// Arrivals in each of the hours from the start.
fn by_hour(instants: &[Time], hours: usize) -> Vec<f64> {
    let mut counts = vec![0.0; hours];
    instants.iter().for_each(|at| counts[(at.seconds() / 3_600.0) as usize] += 1.0);
    counts
}

const SEASON: &str = "start = \"2026-11-01T04:00:00Z\"\nduration = \"61 days\"";
const SHOP: &str = "users = 4_000\nsessions_per_user_per_day = 0.5\ntime_zone = \
    \"America/New_York\"\nprofile = \"e-commerce\"\ncalendar = \"retail-us\"\ngrowth = \"9.7 %/month\"";

fn hour(at: usize) -> Time {
    Time::ZERO + Span::from_seconds(3_600.0 * at as f64)
}

#[test]
fn counts_follow_the_integral_of_the_rate() {
    let scenario = scenario(SEASON, SHOP);
    let (curve, hours) = (curve(&scenario), 61 * 24);
    let expected: Vec<f64> = (0..hours).map(|at| curve.arrivals(hour(at), hour(at + 1))).collect();
    let (mut chi_square, mut total) = (0.0, 0.0);
    const REPLICATIONS: u64 = 40;
    for replication in 0..REPLICATIONS {
        let instants = arrivals(&scenario, replication);
        assert!(instants.windows(2).all(|pair| pair[0] <= pair[1]));
        total += instants.len() as f64;
        for (count, mean) in by_hour(&instants, hours).iter().zip(&expected) {
            chi_square += (count - mean) * (count - mean) / mean;
        }
    }
    // A sum of 58,560 squares of nearly standard normal values: the index of
    // dispersion is 1 with a standard error of sqrt(2 / n), a little more for
    // the small counts.
    let n = REPLICATIONS as f64 * hours as f64;
    let index = chi_square / n;
    assert!((index - 1.0).abs() < 4.0 * (2.0 / n).sqrt() * 1.05, "{index}");
    let mean: f64 = expected.iter().sum::<f64>() * REPLICATIONS as f64;
    assert!((total - mean).abs() < 4.0 * mean.sqrt(), "{total} of {mean}");
}

#[test]
fn the_mean_over_a_season_is_that_of_the_curve() {
    let scenario = scenario(SEASON, SHOP);
    let expected = curve(&scenario).arrivals(Time::ZERO, hour(61 * 24));
    let (mean, _) = mean_of(&counts(&scenario, 200));
    let error = (expected / 200.0).sqrt();
    assert!((mean - expected).abs() < 4.0 * error, "{mean} of {expected} +- {error}");
    // Before growth the season has its users' sessions, but for the hour it gains.
    let plain = self::scenario(SEASON, &SHOP.replace("growth = \"9.7 %/month\"", ""));
    let plain = curve(&plain).arrivals(Time::ZERO, hour(61 * 24));
    assert!((plain / (4_000.0 * 0.5 * 61.0) - 1.0).abs() < 2e-3, "{plain}");
}

/// So that an arm with growth and one without are compared call by call.
#[test]
fn a_rate_that_varies_has_the_draws_of_one_that_does_not() {
    let rate = "arrivals = { process = \"poisson\", rate = \"1 /s\" }";
    let top = "start = \"2026-03-02T00:00:00Z\"\nduration = \"2 h\"";
    let plain = arrivals(&scenario(top, rate), 3);
    let zoned = format!("{rate}\ntime_zone = \"Asia/Tokyo\"");
    let varying = arrivals(&scenario(top, &zoned), 3);
    assert_eq!(plain.len(), varying.len());
    for (one, other) in plain.iter().zip(&varying) {
        assert!((one.seconds() - other.seconds()).abs() < 1e-6, "{one} {other}");
    }
    // Clockwork stays clockwork, and nothing of it is drawn.
    let clock = "arrivals = { process = \"constant\", rate = \"1 /s\" }\ngrowth = \"0 %/month\"";
    let scenario = scenario(top, clock);
    let instants = arrivals(&scenario, 3);
    assert_eq!((instants.len(), scenario.is_random()), (7_199, false));
    assert!(instants.iter().zip(1..).all(|(at, n)| (at.seconds() - f64::from(n)).abs() < 1e-6));
}

/// A steady state is kept up until the calls of its window have ended.
#[test]
fn days_that_differ_go_on_after_a_steady_window() {
    let top = "start = \"2026-03-02T00:00:00Z\"\nduration = \"2 h\"";
    let lines = "arrivals = { process = \"poisson\", rate = \"1 /s\" }\nvariability = { day_noise = { \
                 cv = 0.2 } }";
    let scenario = scenario(top, lines);
    assert_eq!(scenario.regime, tokenmill::scenario::Regime::Steady);
    assert!(curve(&scenario).end() >= hour(26));
}

#[test]
fn bursts_and_noise_keep_the_mean_and_spread_the_counts() {
    let top = "start = \"2026-03-02T00:00:00Z\"\nduration = \"10 days\"";
    let index = |variability: &str| {
        let lines = format!(
            "arrivals = {{ process = \"poisson\", rate = \"60 /h\" }}\nvariability = {variability}"
        );
        let scenario = scenario(top, &lines);
        let counts: Vec<f64> = (0..300)
            .flat_map(|replication| by_hour(&arrivals(&scenario, replication), 240))
            .collect();
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let square = |count: &f64| (count - mean) * (count - mean);
        (mean, counts.iter().map(square).sum::<f64>() / counts.len() as f64 / mean)
    };
    let near = |variability: &str, dispersion: f64, tolerance: f64| {
        let (mean, found) = index(variability);
        assert!((mean / 60.0 - 1.0).abs() < 0.03, "{variability}: {mean} an hour");
        let off = (found / dispersion - 1.0).abs();
        assert!(off < tolerance, "{variability}: dispersion {found}, not {dispersion}");
    };
    near("{}", 1.0, 0.02);
    // Of a stationary renewal process it tends to the squared cv of its gaps.
    near("{ gaps = { distribution = \"gamma\", cv = 2 } }", 4.0, 0.05);
    near("{ gaps = { distribution = \"gamma\", cv = 0.5 } }", 0.25, 0.1);
    // A factor with variance v adds v times the mean.
    near("{ day_noise = { cv = 0.3, correlation = 0.5 } }", 1.0 + 0.09 * 60.0, 0.15);
    // Rates of 1/3 and 5/3: variance 4/9, and over an hour with states of 5 h
    // (relaxation 2.5 h) 2 x (e^-x - 1 + x) / x^2 of it, x = 1 / 2.5.
    let x = 1.0 / 2.5_f64;
    let kept = 2.0 * ((-x).exp() - 1.0 + x) / (x * x);
    near(
        "{ states = [{ factor = 1, mean = \"5 h\" }, { factor = 5, mean = \"5 h\" }] }",
        1.0 + 4.0 / 9.0 * kept * 60.0,
        0.05,
    );
    // Ten alike that are on half of the time, states of 5 h: variance 1/10.
    near(
        "{ tenants = { count = 10, on = \"5 h\", off = \"5 h\" } }",
        1.0 + 0.1 * kept * 60.0,
        0.05,
    );
}

#[test]
fn crowds_add_their_peak_times_their_decay() {
    let top = "duration = \"20 days\"";
    let lines = "arrivals = { process = \"poisson\", rate = \"60 /h\" }\nvariability = { crowds = { \
                 every = \"1 days\", peak = 6, decay = \"2 h\" } }";
    let scenario = scenario(top, lines);
    let (mean, error) = mean_of(&counts(&scenario, 200));
    // None are there at the start, so the first two hours get less: 1 - e^-t/2 h.
    let expected = 60.0 * 24.0 * 20.0 + 60.0 * 6.0 * 2.0 * (20.0 - 2.0 / 24.0);
    assert!((mean - expected).abs() < 4.0 * error + 0.001 * expected, "{mean} of {expected}");
}

#[test]
fn uncertain_growth_is_drawn_once_a_replication() {
    let top = "duration = \"365 days\"";
    let lines = |every: &str| {
        format!(
            "arrivals = {{ process = \"poisson\", rate = \"2 /h\" }}\ngrowth = {{ cause = \
             \"doubling\", every = {every} }}"
        )
    };
    let spread = |every: &str| {
        let (mean, error) = mean_of(&counts(&scenario(top, &lines(every)), 60));
        (mean, error * 60_f64.sqrt() / mean)
    };
    // Over a year that doubles: 1 / ln 2 of the rate at its start.
    let (mean, sure) = spread("\"12 months\"");
    assert!((mean / (2.0 * 8_760.0 / std::f64::consts::LN_2) - 1.0).abs() < 0.01, "{mean}");
    let uncertain = "{ distribution = \"lognormal\", median = \"12 months\", sigma = 0.5 }";
    let (_, unsure) = spread(uncertain);
    assert!(sure < 0.02 && unsure > 0.15, "{sure} {unsure}");
}

#[test]
fn tenants_differ_in_size_and_share_the_rate() {
    let lines = "arrivals = { process = \"poisson\", rate = \"1 /s\" }\nvariability = { tenants = { \
                 count = 50, zipf = 1.2 }, gaps = { distribution = \"weibull\", shape = 0.5 } }";
    let scenario = scenario("duration = \"10 h\"", lines);
    let (mean, _) = mean_of(&counts(&scenario, 20));
    assert!((mean / 36_000.0 - 1.0).abs() < 0.02, "{mean}");
}

#[test]
fn days_of_a_csv_file_count_and_are_part_of_the_hash() {
    let folder = tempfile::tempdir().unwrap();
    let load = |rows: &str| {
        std::fs::write(folder.path().join("days.csv"), rows).unwrap();
        let text = "name = \"d\"\nstart = \"2026-06-01T00:00:00Z\"\nduration = \"3 days\"\n\
            [[calendar]]\nname = \"own\"\ncsv = \"days.csv\"\n[[pool]]\nname = \"a\"\nmodel = \
            \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n[[use_case]]\nname = \"c\"\ncalendar = \
            \"own\"\narrivals = { process = \"poisson\", rate = \"1 /s\" }\nprompt_tokens = 9\n\
            output_tokens = 9\n";
        parse(text, "d.toml", folder.path(), &Overrides::default())
    };
    let one = load("date,multiple\n2026-06-02,3\n").unwrap();
    let factors: Vec<f64> = curve(&one.scenario).days.iter().map(|plan| plan.factor).collect();
    let rest = (365.0 - 3.0) / 364.0;
    // Three days, and as long again for what a steady state would need.
    assert_eq!(factors.len(), 6);
    for (found, expected) in factors.iter().zip([rest, 3.0, rest, rest, rest, rest]) {
        assert!((found - expected).abs() < 1e-12, "{factors:?}");
    }
    let other = load("date,multiple\n2026-06-02,4\n").unwrap();
    assert_eq!(one.resolved_toml, other.resolved_toml);
    assert_ne!(one.hash, other.hash);
    let wrong = load("day,multiple\n2026-06-02,3\n").unwrap_err().to_string();
    assert!(wrong.contains("lacks a column date or multiple; it has day, multiple"), "{wrong}");
    let wrong = load("date,multiple\n2026-06-02,3\nsoon,3\n").unwrap_err().to_string();
    assert!(wrong.contains("has no date and multiple in line 3"), "{wrong}");
}

/// The second column of a recording of hourly rates, where there is one.
fn recorded(file: &str) -> Option<Vec<f64>> {
    let path = shared("workloads/traces")?.join(file);
    let mut reader = csv::Reader::from_path(path).expect("the recording");
    let rows = reader.records().map(|row| row.expect("a row")[1].parse().expect("a rate"));
    Some(rows.collect())
}

fn mean(values: &[f64]) -> f64 {
    mean_of(values).0
}

/// Mean distance of `found` from `expected`, both of mean 1, over the peak.
fn misfit(found: &[f64], expected: &[f64]) -> f64 {
    let distance: f64 = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).sum();
    distance / found.len() as f64 / expected.iter().copied().fold(0.0, f64::max)
}

/// Expected arrivals in each hour of a scenario, over their mean.
fn hourly(scenario: &Scenario, hours: usize) -> Vec<f64> {
    let curve = curve(scenario);
    let counts: Vec<f64> = (0..hours).map(|at| curve.arrivals(hour(at), hour(at + 1))).collect();
    counts.iter().map(|count| count / mean(&counts)).collect()
}

#[test]
fn the_chat_profile_is_the_week_that_it_was_read_from() {
    let Some(rates) = recorded("azure2024_conv_hourly_digitized.csv") else { return };
    let expected: Vec<f64> = rates.iter().map(|rate| rate / mean(&rates)).collect();
    // The recording begins on a Sunday, at midnight UTC.
    let top = "start = \"2024-05-12T00:00:00Z\"\nduration = \"7 days\"";
    let lines = "arrivals = { process = \"poisson\", rate = \"1 /s\" }\nprofile = \"chat\"";
    let off = misfit(&hourly(&scenario(top, lines), 168), &expected);
    println!("mean absolute error {:.2} % of the peak", off * 100.0);
    assert!(off <= 0.03, "{off}");
}

#[test]
fn the_shopping_profile_is_the_median_day_that_it_was_read_from() {
    let Some(rates) = recorded("servegen_language_m-small_hourly.csv") else { return };
    let days: Vec<&[f64]> = rates.chunks_exact(24).collect();
    let median = |hour: usize| {
        let mut values: Vec<f64> = days.iter().map(|day| day[hour] / mean(day)).collect();
        values.sort_by(f64::total_cmp);
        (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
    };
    let medians: Vec<f64> = (0..24).map(median).collect();
    let expected: Vec<f64> = medians.iter().map(|value| value / mean(&medians)).collect();
    let top = "start = \"2026-05-12T00:00:00Z\"\nduration = \"1 days\"";
    let lines = "arrivals = { process = \"poisson\", rate = \"1 /s\" }\nprofile = \"e-commerce\"";
    let off = misfit(&hourly(&scenario(top, lines), 24), &expected);
    println!("mean absolute error {:.3} % of the peak", off * 100.0);
    assert!(off <= 0.03, "{off}");
}
