//! Rates by the hour, ServeGen's clients and long traces become the course of days
//! and weeks, and what varies around it.

mod common;

use assert_cmd::Command;
use common::{arrivals, load, shared};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

fn import(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
    command.current_dir(folder).arg("import").args(arguments);
    command
}

#[track_caller]
fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let output = import(folder, arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_week_of_azure_2024_is_fitted_within_3_percent_of_its_peak() {
    let name = "workloads/traces/azure2024_conv_hourly_digitized.csv";
    let Some(path) = shared(name) else { return };
    let answer = answer(Path::new("."), &[path.to_str().unwrap()]);
    let course = &answer["course"];
    println!("{} recorded, {} again", course["error"], answer["course_again"]["error"]);
    assert!(number(&course["error"]) <= 0.03);
    assert!(number(&answer["course_again"]["error"]) <= 0.01);
    assert_eq!((&course["is_weekly"], &course["days"]), (&true.into(), &7.into()));
    let week = course["week"].as_array().unwrap();
    // The weekday is told by the date in the header: Tuesdays are busiest.
    assert!((number(&week[1]) - 1.221).abs() < 0.001 && (number(&week[6]) - 0.638).abs() < 0.001);
}

#[test]
fn servegen_m_small_is_fitted_as_its_median_day_with_noise_and_tenants() {
    let name = "workloads/traces/servegen_language_m-small_hourly.csv";
    let Some(path) = shared(name) else { return };
    let answer = answer(Path::new("."), &[path.to_str().unwrap()]);
    let (course, again) = (&answer["course"], &answer["course_again"]);
    println!("{} {again}", course["left"]);
    assert!(number(&course["error"]) <= 0.03 && number(&again["error"]) <= 0.03);
    // The published median day: 0.64 at 4 o'clock, 1.446 at 20.
    let hours = course["weekday"].as_array().unwrap();
    assert!((number(&hours[4]) - 0.640).abs() < 0.001);
    assert!((number(&hours[20]) - 1.446).abs() < 0.001);
    assert!(course["day_noise"].is_object() && course["tenants"]["on_s"].is_number());
    let (left, again) = (&course["left"], &again["left"]);
    let ratio = |key: &str| number(&again[key]) / number(&left[key]);
    assert!((ratio("variance") - 1.0).abs() < 0.15, "{}", ratio("variance"));
    assert!((ratio("day_variance") - 1.0).abs() < 0.2, "{}", ratio("day_variance"));
    let after = |of: &Value| number(&of["correlation"][0]);
    assert!((after(left) - after(again)).abs() < 0.1);
    let fragment = answer["fragment"].as_str().unwrap();
    assert!(fragment.contains("day_noise = ") && fragment.contains("tenants = "), "{fragment}");
}

/// Three days of calls, 0.4 a second in the mean, as the profile "chat" goes.
#[test]
fn a_trace_of_days_gives_its_profile_back() {
    let text = "name = \"d\"\nstart = \"2026-03-02T00:00:00Z\"\nduration = \"3 days\"\nregime = \
                \"terminating\"\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \
                \"h100-sxm\"\n[[use_case]]\nname = \"chat\"\narrivals = { process = \"poisson\", \
                rate = \"0.4 /s\" }\nprofile = \"e-commerce\"\nprompt_tokens = 500\noutput_tokens \
                = 50\nvariability = { states = [{ factor = 1, mean = \"20 s\" }, { factor = 5, \
                mean = \"5 s\" }] }\n";
    let scenario = load(text).scenario;
    let start: jiff::Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
    let mut csv = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for at in arrivals(&scenario, 0, 0) {
        let passed = jiff::SignedDuration::from_nanos((at.seconds() * 1e9) as i64);
        csv += &format!("{},500,50\n", start.checked_add(passed).unwrap());
    }
    let folder = folder(&[("days.csv", &csv)]);
    let answer = answer(folder.path(), &["days.csv"]);
    let course = &answer["course"];
    assert_eq!((&course["days"], &course["is_weekly"]), (&3.into(), &false.into()));
    let known = tokenmill::catalog::Catalog::embedded().profile("e-commerce").unwrap().weekday;
    let hours = course["weekday"].as_array().unwrap();
    for (found, known) in hours.iter().zip(known.hours()) {
        assert!((number(found) - known).abs() < 0.17 * known, "{found} for {known}");
    }
    // Bursts are those within hours: the course of the day is not one of them.
    let bursts = answer["bursts"]["chains"].as_array().unwrap();
    let memory = number(&bursts[0]["memory_s"]);
    assert!(bursts.len() == 1 && (2.5..6.0).contains(&memory), "{bursts:?}");
    for fit in answer["dispersion"].as_array().unwrap() {
        if [1.0, 10.0, 60.0].contains(&number(&fit["window_s"])) {
            let ratio = number(&fit["again"]) / number(&fit["trace"]);
            assert!((ratio - 1.0).abs() < 0.1, "{fit}");
        }
    }
    assert_eq!(answer["scenario"], Value::Null);
    import(folder.path(), &["days.csv", "--scenario", "--out", "s.toml"]).assert().success();
    let written = std::fs::read_to_string(folder.path().join("s.toml")).unwrap();
    assert!(written.contains("start = \"2026-03-02T00:00:00Z\""), "{written}");
}

/// A client whose windows of 10 min alternate between two rates.
fn client(rates: [f64; 2], law: &str) -> String {
    let window = |at: usize| {
        let rate = rates[at % 2];
        format!("{},{rate},1.5,{law},0.7,{}\n", 600 * at, 1.0 / rate)
    };
    (0..2 * 144).map(window).collect()
}

fn dataset(prompts: &str, outputs: &str, extra: &str) -> String {
    format!(
        "{{\"0\": {{\"input_tokens\": \"{prompts}\", \"output_tokens\": \"{outputs}\"{extra}}}}}"
    )
}

#[test]
fn clients_of_servegen_become_tenants() {
    let names: Vec<[String; 2]> = (0..3)
        .map(|at| [format!("chunk-{at}-trace.csv"), format!("chunk-{at}-dataset.json")])
        .collect();
    // Shares of 12/16, 3/16 and 1/16; the last one's lengths are not known.
    let texts = [
        (client([10.0, 14.0], "Gamma"), dataset("{100: 0.5, 300: 0.5}", "{10: 1.0}", "")),
        (
            client([3.0, 3.0], "Weibull"),
            dataset(
                "{1000: 1e0}",
                "{20: 3, 40: 1}",
                ", \"reason_ratio\": \"{30: 0.25, 90: 0.75}\"",
            ),
        ),
        (client([1.0, 1.0], "Gamma"), String::new()),
    ];
    let mut files = Vec::new();
    for ([trace, dataset], (windows, lengths)) in names.iter().zip(&texts) {
        files.push((trace.as_str(), windows.as_str()));
        if !lengths.is_empty() {
            files.push((dataset.as_str(), lengths.as_str()));
        }
    }
    let folder = folder(&files);
    let answer = answer(folder.path(), &[".", "--name", "clients"]);
    assert_eq!(answer["format"], "servegen");
    assert!((number(&answer["rate_per_s"]) - 16.0).abs() < 1e-9);
    let tenants = &answer["course"]["tenants"];
    let zipf = number(&tenants["zipf"]);
    let weights = [1.0, 0.5f64.powf(zipf), (1.0f64 / 3.0).powf(zipf)];
    let all: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|weight| (weight / all).powi(2)).sum();
    assert_eq!(tenants["count"], 3);
    let known = (144.0 + 9.0 + 1.0) / 256.0;
    assert!((squares / known - 1.0).abs() < 1e-3, "{squares} for {known}");
    // Lengths by calls: 12 of 15 from the first client.
    let mean = (12.0 * 200.0 + 3.0 * 1_000.0) / 15.0;
    assert!((number(&answer["prompt_tokens"]["mean"]) / mean - 1.0).abs() < 1e-9);
    let mean = (12.0 * 10.0 + 3.0 * 25.0) / 15.0;
    assert!((number(&answer["output_tokens"]["mean"]) / mean - 1.0).abs() < 1e-9);
    assert_eq!(answer["bursts"]["gaps"]["distribution"], "gamma");
    assert!((number(&answer["bursts"]["gaps"]["cv"]) - 1.5).abs() < 1e-9);
    let fragment = answer["fragment"].as_str().unwrap();
    assert!(fragment.contains("values = [0.3, 0.9], weights = [0.25, 0.75]"), "{fragment}");
    assert!(fragment.contains("tenants = { count = 3, zipf = "), "{fragment}");
    let notes = answer["notes"].to_string();
    assert!(notes.contains("lengths are known of 94 % of the calls"), "{notes}");
    import(folder.path(), &[".", "--scenario", "--out", "s.toml"]).assert().success();
    let mut validate = Command::cargo_bin("tokenmill").unwrap();
    validate.current_dir(folder.path()).args(["validate", "s.toml"]).assert().success();
}

#[test]
fn what_is_wrong_with_rates_and_clients_is_named() {
    let folder = folder(&[
        ("rates.csv", "hour,rate\n0,1\n1,-1\n"),
        ("short.csv", "hour,rate\n0,1\n1,2\n2,3\n"),
        ("units.csv", "time,rate\n0,1\n1,2\n"),
    ]);
    let told = |arguments: &[&str], told: &[&str]| {
        let output = import(folder.path(), arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        told.iter().for_each(|told| assert!(text.contains(told), "{told}: {text}"));
    };
    told(&["rates.csv"], &["rates.csv:3", "has the rate `-1`"]);
    told(&["rates.csv", "--columns", "time=hour,rate=r"], &["without r: it has hour, rate"]);
    told(&["rates.csv", "--columns", "rate=rate"], &["does not say which column is time"]);
    told(&["units.csv"], &["units.csv:2", "unit is not said", "--time-unit"]);
    told(&["short.csv", "--start", "soon"], &["--start: `soon`", "2026-01-05T09:00"]);
    told(&["short.csv", "--time-zone", "Moon/Sea"], &["--time-zone: `Moon/Sea`"]);
    let short = answer(folder.path(), &["short.csv"]);
    assert!(short["course"].is_null() && short["notes"].to_string().contains("no whole day"));
    told(&["."], &[": cannot be read"]);
    told(&[".", "--format", "servegen"], &["chunk-0-trace.csv"]);
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("chunk-0-trace.csv", "0,1,1.2,Gamma,0.7,1\n600,2,x,Gamma,0.7,1\n600,1,1,Pareto,1,1\n");
    told(&["."], &["chunk-0-trace.csv:2", "the cv `x`", "chunk-0-trace.csv:3", "`Pareto`"]);
    put("chunk-0-trace.csv", "0,1,1.2,Gamma,0.7,1\n600,2,1.2,Gamma,0.7,1\n");
    put("chunk-0-dataset.json", "{\"0\": {\"input_tokens\": \"{5: many}\"}}");
    told(&["."], &["chunk-0-dataset.json", "time 0, input_tokens", "`many`"]);
}
