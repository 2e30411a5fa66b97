//! Recordings of every format in a run: their ids act on the prefix cache as the
//! timeless replay says, packed or not, whether the format is named or found.

mod common;

use common::recordings::{self, figures, timeless};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokenmill::metrics::UseCaseRecord;
use tokenmill::scenario::{Arrivals, Loaded};
use tokenmill::workload::Format;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/traces")
}

/// A rank with blocks of `block_tokens`, which serves the recording that `trace`
/// describes.
fn scenario(block_tokens: u32, trace: &str, folder: &Path) -> Result<Loaded, String> {
    let use_case = format!("name = \"calls\"\ntrace = {{ {trace} }}");
    recordings::open(block_tokens, &[], &use_case, folder)
}

fn serve(block_tokens: u32, trace: &str, folder: &Path) -> UseCaseRecord {
    let loaded = scenario(block_tokens, trace, folder).unwrap_or_else(|error| panic!("{error}"));
    let mut record = common::simulate(&loaded.scenario);
    assert_eq!(record.cut_off, None);
    record.whole.use_cases.remove(0)
}

/// Stretched a hundredfold, no two calls are in the system at once.
#[test]
fn calls_that_do_not_overlap_hit_what_the_timeless_replay_says() {
    let gap_ticks = 75 * tokenmill::kernel::TICKS_PER_SECOND;
    for (format, name, block_tokens, keys, gap_ticks) in [
        (Format::Bailian, "sample-bailian.jsonl", 16, "", 0),
        (Format::Mooncake, "sample-mooncake.jsonl", 512, "", 0),
        (Format::Weka, "sample-weka.jsonl", 64, ", session_gap = \"75 s\"", gap_ticks),
    ] {
        let expected = timeless(format, &samples().join(name), gap_ticks);
        assert!(expected.0 > expected.1 / 4, "{name} repeats itself: {expected:?}");
        let trace = format!("path = \"{name}\", time_scale = 100.0{keys}");
        let served = serve(block_tokens, &trace, &samples());
        assert_eq!(figures(&served), expected, "{name}");
    }
}

/// The agents' own pace, where calls overlap, in an endless cache: whoever comes
/// second finds what the first one is computing.
#[test]
fn sessions_of_coding_agents_hit_as_if_there_were_no_time() {
    let Some(folder) = common::shared("workloads/traces") else { return };
    let gap_ticks = 75 * tokenmill::kernel::TICKS_PER_SECOND;
    let name = "weka_cc_dev_sessions.jsonl";
    let expected = timeless(Format::Weka, &folder.join(name), gap_ticks);
    assert_eq!(expected.2, 4_260);
    let served = serve(64, &format!("path = \"{name}\", session_gap = \"75 s\""), &folder);
    assert_eq!(figures(&served), expected);
    // In blocks of 16 no more is found, since ids name 64 tokens; in larger ones less.
    let fine = serve(16, &format!("path = \"{name}\", session_gap = \"75 s\""), &folder);
    assert_eq!(fine.cached_tokens, expected.0);
    let coarse = serve(512, &format!("path = \"{name}\", session_gap = \"75 s\""), &folder);
    let fraction = coarse.cached_tokens as f64 / coarse.prompt_tokens as f64;
    println!("blocks of 64: {} of {}, of 512: {fraction:.6}", expected.0, expected.1);
    assert!((0.95..expected.0 as f64 / expected.1 as f64).contains(&fraction), "{fraction}");
}

/// Packed with gzip or Zstandard, with its format named or not, a recording is
/// the same.
#[test]
fn packed_recordings_are_the_same_recordings() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("sample-azure.csv", "azure"),
        ("sample-bailian.jsonl", "bailian"),
        ("sample-burstgpt.csv", "burstgpt"),
        ("sample-mooncake.jsonl", "mooncake"),
        ("sample-weka.jsonl", "weka"),
    ] {
        let plain = std::fs::read(samples().join(name)).unwrap();
        let gz = File::create(folder.path().join("t.gz")).unwrap();
        let mut gz = flate2::write::GzEncoder::new(gz, Default::default());
        gz.write_all(&plain).unwrap();
        gz.finish().unwrap();
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zst = ruzstd::encoding::compress_to_vec(plain.as_slice(), level);
        std::fs::write(folder.path().join("t.zst"), zst).unwrap();
        std::fs::write(folder.path().join("t"), plain).unwrap();
        let digest = |file: &str, named: &str| {
            let trace = format!("path = \"{file}\"{named}");
            let loaded = scenario(16, &trace, folder.path()).unwrap();
            let resolved = format!("format = \"{format}\"");
            assert!(loaded.resolved_toml.contains(&resolved), "{}", loaded.resolved_toml);
            match &loaded.scenario.use_cases[0].arrivals {
                Arrivals::Trace { trace, .. } => (trace.calls, trace.digest),
                _ => panic!("arrivals of a trace"),
            }
        };
        let named = format!(", format = \"{format}\"");
        let expected = digest("t", &named);
        assert!(expected.0 > 100);
        for file in ["t", "t.gz", "t.zst"] {
            assert_eq!(digest(file, ""), expected, "{name} as {file}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_told_with_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |text: &str, keys: &str, expected: &[&str]| {
        std::fs::write(folder.path().join("t"), text).unwrap();
        let refused = scenario(16, &format!("path = \"t\"{keys}"), folder.path());
        let error = refused.err().unwrap_or_else(|| panic!("{text} is read"));
        expected.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
    };
    let columns = "/t:1: `TIMESTAMP,ContextTokens`: is a header without GeneratedTokens: \
                   it has TIMESTAMP, ContextTokens";
    wrong("TIMESTAMP,ContextTokens\n", "", &[columns]);
    let line = "{\"chat_id\": 1, \"timestamp\": 1, \"output_length\": 2}\n";
    let members = "missing field `input_length`; it has chat_id, timestamp, output_length";
    wrong(line, "", &["/t:1: ", members]);
    wrong(
        "{\"id\": \"a\", \"block_size\": 64}\n",
        ", format = \"weka\"",
        &["/t:1: ", "missing field `requests`; it has id, block_size"],
    );
    wrong(
        "hello\n",
        "",
        &[
            "s.toml:15: use_case.calls.trace.path = \"t\": does not begin like a trace",
            "name its `format`: azure, mooncake, weka, bailian, burstgpt, csv (the `columns` of",
        ],
    );
    let columns = ", columns = { time = \"at\", prompt_tokens = \"in\", output_tokens = \"out\" }";
    wrong("at,in\n1,2\n", columns, &["/t:1: `at,in`", "without out: it has at, in"]);
    wrong("at,in,out\n1,2,3\n", columns, &["/t:2: `1,2,3`", "unit is not said", "`time_unit`"]);
    let mixed = "at_s,in,out\n1767600000,2,3\n1767600001000,2,3\n";
    wrong(mixed, &columns.replace("\"at\"", "\"at_s\""), &["/t:3: ", "looks like ms since 1970"]);
    wrong("at,in\n1,2\n", ", format = \"csv\"", &["it has at, in", "`columns = {"]);
    wrong(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-05 09:00:00,1,2\n",
        ", format = \"azure\", time_unit = \"s\"",
        &["trace.time_unit", "it is for csv"],
    );
    wrong("", "", &["trace.path = \"t\": is empty"]);
    wrong("a\n", ", format = \"wekka\"", &["format = \"wekka\"", "weka"]);
    let call = "{\"timestamp\": 1, \"input_length\": 9, \"output_length\": 2}\n";
    wrong(call, ", session_gap = \"5 s\"", &["trace.session_gap = \"5 s\"", "it is for weka"]);
    wrong(call, ", session_gap = \"20 years\"", &["more than ten years"]);
}

/// Prefix ids that contradict each other are told with their line.
#[test]
fn odd_ids_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let line = |at: u32, prompt: u32, ids: &str| {
        format!(
            "{{\"timestamp\": {at}, \"input_length\": {prompt}, \"output_length\": 1, \
             \"hash_ids\": [{ids}]}}\n"
        )
    };
    let text = line(1, 1_500, "1, 2, 3") + &line(2, 1_500, "7, 2, 8") + &line(3, 9_999, "7, 2");
    std::fs::write(folder.path().join("t"), text + &line(4, 5, "7, 2")).unwrap();
    let warnings =
        scenario(16, "path = \"t\"", folder.path()).unwrap().scenario.warnings.join("\n");
    for part in ["t:2: id 2 follows another id", "t: 1 calls have fewer", "t: 1 calls have more"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}

/// BurstGPT's failures are left out and told, and a log under column names of
/// its own is read without the name of a format.
#[test]
fn csv_recordings_come_with_their_times_and_lengths() {
    let read = |keys: &str| scenario(16, keys, &samples()).unwrap().scenario;
    let trace_of = |scenario: &tokenmill::scenario::Scenario| match &scenario.use_cases[0].arrivals
    {
        Arrivals::Trace { trace, .. } => trace.clone(),
        _ => panic!("arrivals of a trace"),
    };
    let burstgpt = read("path = \"sample-burstgpt.csv\"");
    let trace = trace_of(&burstgpt);
    assert_eq!((trace.calls, trace.failed_calls, trace.raised_calls), (195, 5, 0));
    let warnings = burstgpt.warnings.join("\n");
    assert!(warnings.contains("5 calls recorded as failed"), "{warnings}");
    let columns = "columns = { time = \"received_ms\", prompt_tokens = \"input\", \
                   output_tokens = \"output\" }";
    let log = trace_of(&read(&format!("path = \"sample-log.csv\", {columns}")));
    assert_eq!((log.calls, log.length.seconds()), (120, 119.0 * 0.25));
    let text = std::fs::read_to_string(samples().join("sample-log.csv")).unwrap();
    for (call, line) in log.cursor().zip(text.lines().skip(1)) {
        assert!(line.ends_with(&format!(",{},{}", call.prompt, call.output)), "{line}");
    }
}

/// A share divides the recorded output, tokens add to it; all else stays as recorded.
#[test]
fn recorded_calls_can_think() {
    let azure = "format = \"azure\", path = \"sample-azure.csv\"";
    let plain = serve(16, azure, &samples());
    let thinking = |keys: &str| serve(16, &format!("{azure} }}\nthinking = {{ {keys}"), &samples());
    let thought = |served: &UseCaseRecord| served.thinking.as_ref().unwrap().tokens;
    let divided = thinking("share = 0.5");
    assert_eq!(figures(&divided), figures(&plain));
    assert_eq!(divided.output_tokens, plain.output_tokens);
    // Each call is rounded by half a token at most, and keeps one for its answer.
    let off = (2 * thought(&divided)).abs_diff(plain.output_tokens);
    assert!(off <= plain.calls, "{off} of {} calls", plain.calls);
    let added = thinking("tokens = 100");
    assert_eq!(figures(&added), figures(&plain));
    assert_eq!(added.output_tokens, plain.output_tokens + 100 * plain.calls);
    assert_eq!(thought(&added), 100 * plain.calls);
}
