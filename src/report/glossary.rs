//! The terms of a report, for readers who are new to serving language models.

/// Terms with a sentence each, in the order in which a report uses them.
pub const GLOSSARY: [(&str, &str); 17] = [
    ("Call", "One request to a model: a prompt goes in, an answer comes out token by token."),
    ("Token", "The unit models read and write in; an English word is about 1.3 of them."),
    (
        "TTFT, time to first token",
        "From the arrival of a call to its first token of output: what a user waits before \
         anything appears. It holds the queue wait and the reading of the prompt.",
    ),
    (
        "Thinking and visible TTFT",
        "A reasoning model writes tokens for itself before its answer. They end the TTFT; the \
         visible TTFT goes on to the first token of the answer.",
    ),
    (
        "TPOT, time per output token",
        "The mean gap between the tokens of one call after its first. Its inverse is how fast \
         the answer reads. Calls with a single token have none.",
    ),
    (
        "ITL, inter-token latency",
        "The gap before each single token after the first. TPOT averages over a call, ITL does \
         not, so stutter shows in ITL only.",
    ),
    ("End to end", "From the arrival of a call to its last token."),
    ("Queue wait", "From the arrival of a call until the engine first works on it."),
    (
        "p50, p90, p95, p99",
        "Quantiles: so many of 100 calls (for ITL: tokens) took at most the time shown.",
    ),
    (
        "SLO and goodput",
        "The SLO is what users were promised, such as TTFT below 800 ms for 95 of 100 calls. \
         Goodput counts only the calls that kept every bound.",
    ),
    (
        "KV cache",
        "GPU memory that holds what a model has read and written so far, in blocks of tokens. \
         When it is full, calls wait or are preempted.",
    ),
    (
        "Preemption",
        "A running call is thrown out to make room in the KV cache and computes its tokens \
         again later.",
    ),
    (
        "Load and capacity",
        "Calls that arrive per second over those that the pool could finish, a closed-form \
         estimate from mean lengths. Waiting grows fast from about 80 % on; above 100 % it never \
         ends.",
    ),
    (
        "Utilization",
        "Share of time in which the engine was computing a step. A batching engine steps nearly \
         always, long before it is full: look at the load for headroom.",
    ),
    (
        "Arrivals and drain",
        "A finite episode is measured from its start to its last answer, and for its duration at \
         least, since GPUs are paid all the time. Calls arrive in the first part of it; the rest, \
         in which the last calls end, is the drain. Rates and costs of the arrivals alone tell \
         what the factory does while there is work; those of the whole tell what all of it cost.",
    ),
    (
        "$/Mtok",
        "The cost of a pool, idle time included, over millions of its tokens. Each kind, \
         computed and cached input and output, bears the GPU time that it took, so that rates \
         times tokens add up to the bill; the row of all tokens is the whole bill over all.",
    ),
    (
        "± and 95 % interval",
        "The scenario was simulated several times with other random numbers. Were the whole \
         study repeated, 95 of 100 such intervals would hold the true mean; a wide one asks for \
         more replications. It does not cover errors of the model itself.",
    ),
];
