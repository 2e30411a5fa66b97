//! No bytes whatsoever make a trace reader panic, and what it takes is sound.

use proptest::prelude::*;
use tokenmill::workload::{CsvLayout, Format, ReadOptions, read_trace};

const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-12 00:00:00.003163+00:00,10,\
    20\n2024-05-12 00:00:01.1,30,40\n2024-05-12 00:00:02,50,60";
const BURSTGPT: &str = "Timestamp,Model,Request tokens,Response tokens\n5,a,10,20\n7.25,b,3,0\n\
    8,a,1,2\n";
const MOONCAKE: &str = "{\"timestamp\": 0, \"input_length\": 10, \"output_length\": 20, \
    \"hash_ids\": [1]}\n{\"timestamp\": 27.5, \"input_length\": 600, \"output_length\": 1, \
    \"hash_ids\": [1, 2]}\n";

const BAILIAN: &str = "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 0.5, \
    \"input_length\": 10, \"output_length\": 20, \"hash_ids\": [1]}\n{\"chat_id\": 2, \
    \"timestamp\": 2.5, \"input_length\": 30, \"hash_ids\": [1, 2]}\n";
const WEKA: &str = "{\"block_size\": 64, \"requests\": [{\"t\": 0.5, \"in\": 130, \"out\": 5, \
    \"hash_rle\": [[1, 2]]}, {\"t\": 2.0, \"requests\": [{\"t\": 1, \"in\": 70, \"hash_ids\": [9]}]}]}\n\
    {\"block_size\": 64, \"requests\": [{\"t\": 0.1, \"in\": 70, \"hash_ids\": [1]}]}\n";

/// Byte edits: where, what, and whether it replaces or is inserted.
fn edits() -> impl Strategy<Value = Vec<(usize, u8, bool)>> {
    let bytes = prop_oneof![any::<u8>(), prop::sample::select(b"0129-+.eE\"{}[],:\n\r ".to_vec())];
    prop::collection::vec((0..400_usize, bytes, any::<bool>()), 0..12)
}

fn mutate(text: &str, edits: &[(usize, u8, bool)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, byte, replace) in edits {
        let at = at % bytes.len();
        if *replace {
            bytes[at] = *byte;
        } else {
            bytes.insert(at, *byte);
        }
    }
    bytes
}

fn check(format: Format, bytes: &[u8]) -> Result<(), TestCaseError> {
    for skip_bad_lines in [false, true] {
        let csv = Some(CsvLayout { columns: ["t", "in", "out"].map(str::to_owned), unit: None });
        let options = ReadOptions { skip_bad_lines, csv, ..ReadOptions::default() };
        match read_trace(format, bytes, "t", options) {
            Ok(trace) => {
                let calls: Vec<_> = trace.cursor().collect();
                prop_assert!(!calls.is_empty() && calls.len() as u64 == trace.calls);
                prop_assert_eq!(calls[0].at.ticks(), 0);
                prop_assert_eq!(calls[calls.len() - 1].at, trace.length);
                prop_assert!(calls.is_sorted_by_key(|call| call.at));
                prop_assert!(calls.iter().all(|call| call.prompt > 0 && call.output > 0));
            }
            Err(mistakes) => {
                prop_assert!(mistakes.iter().all(|m| !m.problem.is_empty() && !m.fix.is_empty()));
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn mutated_azure(edits in edits()) {
        check(Format::Azure, &mutate(AZURE, &edits))?;
    }

    #[test]
    fn mutated_burstgpt(edits in edits()) {
        check(Format::BurstGpt, &mutate(BURSTGPT, &edits))?;
    }

    #[test]
    fn mutated_plain_csv(edits in edits()) {
        check(Format::Csv, &mutate("t,in,out\n2024-05-12T00:00:00Z,10,20\n2024-05-13,5,6\n", &edits))?;
        check(Format::Csv, &mutate("in,t,out\n10,1e3,20\n11,1700,2.0\n", &edits))?;
    }

    #[test]
    fn mutated_mooncake(edits in edits()) {
        check(Format::Mooncake, &mutate(MOONCAKE, &edits))?;
    }

    #[test]
    fn mutated_bailian(edits in edits()) {
        check(Format::Bailian, &mutate(BAILIAN, &edits))?;
    }

    #[test]
    fn mutated_weka(edits in edits()) {
        check(Format::Weka, &mutate(WEKA, &edits))?;
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::names().filter_map(Format::named) {
            check(format, &bytes)?;
        }
    }
}
