use super::*;

const HEADER: &str = "note,system,model,precision,kv_quant,tp,attn_dp,moe_tp,moe_ep,phase,\
                      batch_per_dp,new_tokens,prefix_tokens,context,latency_ms";

fn annotate(rows: &str) -> Result<String> {
    let mut output = Vec::new();
    let table = format!("{HEADER}\n{rows}");
    StepTable::new(Catalog::embedded()).annotate(table.as_bytes(), &mut output, "steps.csv")?;
    Ok(String::from_utf8(output).unwrap())
}

#[test]
fn columns_are_kept_and_the_prediction_added() {
    let table = annotate(
        "\"a, b\",h100_sxm,llama-3.1-8b,bf16,bfloat16,1,1,,,prefill,1,128,0,128,7.6\n\
         ,h100,meta-llama/Llama-3.1-8B,bf16,,1,,,,decode,4,1,1000,1000,\n",
    )
    .unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next().unwrap(), format!("{HEADER},predicted_ms"));
    let prefill = lines.next().unwrap();
    let head = "\"a, b\",h100_sxm,llama-3.1-8b,bf16,bfloat16,1,1,,,prefill,1,128,0,128,7.6,";
    let ms: f64 = prefill.strip_prefix(head).unwrap().parse().unwrap();
    // 6.37 ms of weights and layers, 128 tokens of 17.8 us.
    assert!((ms - (6.37 + 128.0 * 0.0178)).abs() < 0.02, "{ms}");
    let decode: f64 = lines.next().unwrap().rsplit(',').next().unwrap().parse().unwrap();
    // 4 tokens, 4,000 tokens of context at 43 ns.
    assert!((decode - (6.37 + 4.0 * 0.0178 + 4000.0 * 0.043e-3)).abs() < 0.02, "{decode}");
}

#[test]
fn unknown_configurations_stay_empty() {
    let table = annotate(
        ",tpu-v9,llama-3.1-8b,bf16,,1,1,,,decode,1,1,8,8,\n\
         ,h100,llama-9,bf16,,1,1,,,decode,1,1,8,8,\n\
         ,h100,llama-3.1-8b,int3,,1,1,,,decode,1,1,8,8,\n\
         ,h100,llama-3.1-8b,bf16,int2,1,1,,,decode,1,1,8,8,\n\
         ,h100,llama-3.1-8b,bf16,,3,1,,,decode,1,1,8,8,\n\
         ,h100,qwen3-30b-a3b,bf16,,2,1,2,2,decode,1,1,8,8,\n",
    )
    .unwrap();
    assert_eq!(table.lines().skip(1).filter(|line| line.ends_with(",,")).count(), 6);
}

#[test]
fn an_existing_prediction_is_overwritten() {
    let table = "predicted_ms,system,model,precision,tp,phase,batch_per_dp,new_tokens,\
                 prefix_tokens,context\nold,h100,llama-3.1-8b,bf16,1,decode,1,1,8,8\n";
    let mut output = Vec::new();
    let mut steps = StepTable::new(Catalog::embedded());
    let done = steps.annotate(table.as_bytes(), &mut output, "-").unwrap();
    assert_eq!(done, Annotated { rows: 1, predicted: 1 });
    let output = String::from_utf8(output).unwrap();
    assert!(!output.contains("old"));
    assert!(output.lines().nth(1).unwrap().starts_with("6."), "{output}");
}

#[test]
fn broken_rows_are_all_named_with_their_lines() {
    let error = annotate(
        ",h100,llama-3.1-8b,bf16,,1,1,,,decode,0,1,8,8,\n\
         ,h100,llama-3.1-8b,bf16,,1,1,,,decode,1,1,8,8,\n\
         ,h100,llama-3.1-8b,bf16,,x,1,,,decode,1,1,8,8,\n\
         ,h100,llama-3.1-8b\n\
         ,h100,llama-3.1-8b,bf16,,1,1,,,dance,1,1,8,8,\n\
         ,h100,llama-3.1-8b,bf16,,1,1,,,prefill,1,-3,8,8,\n",
    )
    .unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let Error::Invalid(mistakes) = error else { panic!("not an invalid input") };
    let found: Vec<_> =
        mistakes.iter().map(|mistake| (mistake.line.unwrap(), mistake.key.as_str())).collect();
    assert_eq!(found, [(2, "batch_per_dp"), (4, "tp"), (5, ""), (6, "phase"), (7, "new_tokens")]);
}

#[test]
fn a_missing_column_is_named() {
    let error = StepTable::new(Catalog::embedded())
        .annotate("system,model\n".as_bytes(), Vec::new(), "steps.csv")
        .unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("steps.csv:1: the header lacks precision, tp, phase"), "{text}");
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.csv", "out.csv"].map(|name| folder.path().join(name));
    std::fs::write(&input, format!("{HEADER}\n,h100,llama-3.1-8b,bf16,,0,1,,,decode,1,1,8,8,\n"))
        .unwrap();
    let mut steps = StepTable::new(Catalog::embedded());
    assert!(steps.annotate_file(&input, &output).is_err());
    assert!(!output.exists());
    std::fs::write(&input, format!("{HEADER}\n,h100,llama-3.1-8b,bf16,,1,1,,,decode,1,1,8,8,\n"))
        .unwrap();
    assert_eq!(steps.annotate_file(&input, &output).unwrap().predicted, 1);
    assert!(std::fs::read_to_string(&output).unwrap().contains("predicted_ms"));
    assert!(steps.annotate_file(&folder.path().join("absent.csv"), &output).is_err());
}

#[test]
fn windowed_pairs_equal_the_sum_over_queries() {
    for (prefix, new, window) in [(0, 10, 128), (120, 20, 128), (500, 7, 128), (0, 300, 128)] {
        let sum: u64 = (1..=new).map(|query| (prefix + query).min(window)).sum();
        assert_eq!(windowed_pairs(prefix, new, window), sum);
    }
}
