//! Sessions that begin when a trace says.

use super::*;
use tokenmill::study::forecast::forecast;

/// A recording of calls may tell when sessions of agents begin, whatever its lengths.
#[test]
fn sessions_begin_at_the_instants_of_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "t,p,o\n0,100,10\n7,200,20\n7,300,30\n40,400,40\n";
    std::fs::write(folder.path().join("t.csv"), rows).unwrap();
    let text = r#"
        name = "agents"
        [[pool]]
        name = "p"
        model = "llama-3.1-8b"
        hardware = "b200-sxm"
        [[use_case]]
        name = "u"
        agent = "x"
        [use_case.trace]
        path = "t.csv"
        format = "csv"
        columns = { time = "t", prompt_tokens = "p", output_tokens = "o" }
        time_unit = "s"
        [[agent]]
        name = "x"
        context = { message_tokens = 700 }
        turns = { count = 3, output_tokens = 20 }
        tools = { calls = [1.0], class = [{ name = "t", latency = "10 s", result_tokens = 50 }] }
    "#;
    let scenario = parse(text, "s.toml", folder.path(), &Overrides::default()).unwrap().scenario;
    let record = measured(&scenario, 0);
    let use_case = &record.whole.use_cases[0];
    assert_eq!((use_case.sessions.began, use_case.sessions.completed), (4, 4));
    assert_eq!(runs(&record, 0).counts.prompt_tokens, 4 * (700 + 770 + 840));
    // The last begins 40 seconds after the first, and has two tools.
    assert!((60.0..62.0).contains(&record.end_s), "{}", record.end_s);
    let figures = forecast(&scenario).total.unwrap();
    assert_eq!(figures.calls.mean, 12.0);
}

/// So it may of recorded sessions, which begin in the order of their file, and then again.
#[test]
fn recorded_sessions_begin_at_the_instants_of_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let session = |calls: usize| {
        let call =
            r#"{"t": 0, "in": 80, "out": 9, "hash_ids": [1], "think_time": 1, "stop": "tool_use"}"#;
        format!("{{\"block_size\": 64, \"requests\": [{}]}}\n", vec![call; calls].join(", "))
    };
    std::fs::write(folder.path().join("s.jsonl"), session(1) + &session(3)).unwrap();
    let record = |rows: &str| {
        std::fs::write(folder.path().join("t.csv"), format!("t,p,o\n{rows}")).unwrap();
        let text = r#"
            name = "recorded"
            [[pool]]
            name = "p"
            model = "llama-3.1-8b"
            hardware = "b200-sxm"
            [[use_case]]
            name = "u"
            replay = { path = "s.jsonl" }
            [use_case.trace]
            path = "t.csv"
            format = "csv"
            columns = { time = "t", prompt_tokens = "p", output_tokens = "o" }
            time_unit = "s"
        "#;
        let loaded = parse(text, "s.toml", folder.path(), &Overrides::default()).unwrap();
        let figures = forecast(&loaded.scenario).total.unwrap();
        (measured(&loaded.scenario, 0), figures.calls.mean)
    };
    let (two, expected) = record("0,1,1\n30,1,1\n");
    assert_eq!((two.whole.use_cases[0].calls, expected), (4, 4.0));
    assert!((32.0..33.0).contains(&two.end_s), "{}", two.end_s);
    // Of five, three are the first again; the forecast takes the mean of both.
    let (five, expected) = record("0,1,1\n5,1,1\n10,1,1\n15,1,1\n20,1,1\n");
    assert_eq!((five.whole.use_cases[0].calls, expected), (9, 10.0));
    assert_eq!(five.whole.use_cases[0].sessions.completed, 5);
}
