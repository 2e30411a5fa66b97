//! What a figure is measured in, which the end of its path says.

use crate::scenario::tree::{Node, Value};
use crate::scenario::units::{UnitError, read_kind};

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// A part of one.
    Share,
    /// Events a second.
    PerSecond,
    /// Tokens a second.
    TokensPerSecond,
    /// Bytes a second.
    BytesPerSecond,
    /// Dollars per million tokens.
    UsdPerMtok,
    /// Dollars an hour.
    UsdPerHour,
    /// Dollars.
    Usd,
    /// None: a count or a mean of counts.
    Number,
}

impl Unit {
    /// The unit of the figure at `path`.
    pub fn of(path: &str) -> Unit {
        let mut parts = path.rsplit('.');
        let (last, owner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let is_statistic = last == "mean"
            || last.strip_prefix('p').is_some_and(|digits| digits.parse::<u8>().is_ok());
        match last {
            _ if owner.ends_with("_s") && is_statistic => Unit::Seconds,
            "arrivals_s" | "drain_s" => Unit::Seconds,
            _ if owner == "usd_per_mtok" => Unit::UsdPerMtok,
            _ if owner == "usd_per_hour" => Unit::UsdPerHour,
            _ if owner == "served_fraction" => Unit::Share,
            "read_utilization" | "write_utilization" => Unit::Share,
            "utilization" | "kv_use_mean" | "kv_use_peak" => Unit::Share,
            _ if last.ends_with("_fraction") => Unit::Share,
            _ if last.ends_with("bytes_per_s") => Unit::BytesPerSecond,
            _ if last.ends_with("calls_per_s")
                || last == "runs_per_s"
                || last.ends_with("blocks_per_s") =>
            {
                Unit::PerSecond
            }
            "preemptions_per_s" => Unit::PerSecond,
            _ if last.contains("tok_per_s") => Unit::TokensPerSecond,
            _ if last.ends_with("usd_per_hour") => Unit::UsdPerHour,
            _ if last.contains("usd_per_") => Unit::Usd,
            _ => Unit::Number,
        }
    }

    /// Reads a value of this unit as a user writes it.
    pub fn read(self, node: &Node) -> Result<f64, UnitError> {
        let wrong = |problem: String, fix: &str| Err(UnitError { problem, fix: fix.to_owned() });
        let number = match &node.value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        };
        if number.is_some_and(|number| !number.is_finite()) {
            return wrong("is not a finite number".to_owned(), "write a number");
        }
        match (self.kind(), number, node.as_str()) {
            (None, Some(number), _) => Ok(number),
            (None, ..) => wrong(format!("is {}", node.type_name()), "write a number without unit"),
            (Some("percentage"), Some(number), _) if (0.0..=1.0).contains(&number) => Ok(number),
            (Some("percentage"), Some(_), _) => {
                wrong("is no part of one".to_owned(), "write a number from 0 to 1, or \"90 %\"")
            }
            (Some(kind), None, Some(text)) => read_kind(kind, text).expect("a kind of quantity"),
            // A quantity without its unit is answered with the units.
            (Some(kind), Some(number), _) => {
                let bare = read_kind(kind, &number.to_string()).expect("a kind of quantity");
                bare.map_err(|error| UnitError { problem: "has no unit".to_owned(), ..error })
            }
            (Some(_), None, None) => wrong(format!("is {}", node.type_name()), "write a quantity"),
        }
    }

    /// The kind of quantity that users write it as; a plain number if none.
    fn kind(self) -> Option<&'static str> {
        match self {
            Unit::Seconds => Some("duration"),
            Unit::Share => Some("percentage"),
            Unit::PerSecond => Some("rate"),
            Unit::TokensPerSecond => Some("token rate"),
            Unit::BytesPerSecond => Some("bandwidth"),
            Unit::UsdPerMtok => Some("price per million tokens"),
            Unit::UsdPerHour => Some("price per hour"),
            Unit::Usd => Some("amount of money"),
            Unit::Number => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;
    use crate::study::figures::figures;
    use std::path::Path;

    /// Every figure but these counts has a unit, and the unit is that of its name.
    #[test]
    fn every_path_tells_its_unit() {
        let text = "name = \"s\"\nduration = \"1 min\"\n[[pool]]\nname = \"a.b_s\"\n\
            model = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n[[use_case]]\nname = \"c\"\n\
            arrivals = { process = \"poisson\", rate = \"2 /s\" }\nprompt_tokens = 100\n\
            output_tokens = 20\nslo = { ttft_p95 = \"1 s\" }\n";
        let loaded = parse(text, "s", Path::new(""), &Default::default()).unwrap();
        let all = figures(&loaded.scenario);
        let named = |unit| -> Vec<&str> {
            let of_unit = all.iter().filter(|figure| Unit::of(&figure.path) == unit);
            of_unit
                .map(|figure| figure.path.split_once("b_s.").unwrap_or(("", &figure.path)).1)
                .collect()
        };
        insta::assert_snapshot!(
            [Unit::Number, Unit::Share, Unit::PerSecond, Unit::TokensPerSecond, Unit::UsdPerMtok,
             Unit::UsdPerHour, Unit::Usd].map(|unit| format!("{unit:?}: {}", named(unit).join(" "))).join("\n"),
            @r"
        Number: use_cases.c.prompt_tokens_mean use_cases.c.output_tokens_mean use_cases.c.preemptions_per_call use_cases.c.tiers.hbm.hit_tokens_mean use_cases.c.tiers.hbm.hit_blocks_mean running_mean waiting_mean
        Share: use_cases.c.cache_hit_fraction use_cases.c.tiers.hbm.hit_fraction use_cases.c.goodput_fraction utilization kv_use_peak kv_use_mean cache_hit_fraction tiers.hbm.hit_fraction
        PerSecond: use_cases.c.calls_per_s use_cases.c.goodput_calls_per_s preemptions_per_s finished_calls_per_s tiers.hbm.hit_blocks_per_s
        TokensPerSecond: output_tok_per_s_per_gpu input_tok_per_s_per_gpu computed_tok_per_s_per_gpu recomputed_tok_per_s_per_gpu tok_per_s_per_user tok_per_s_per_mw tiers.hbm.hit_tok_per_s
        UsdPerMtok: usd_per_mtok.input usd_per_mtok.cached_input usd_per_mtok.output usd_per_mtok.total
        UsdPerHour: use_cases.c.usd_per_hour usd_per_hour.input usd_per_hour.cached_input usd_per_hour.output usd_per_hour.idle usd_per_hour.total cache_saved_usd_per_hour
        Usd: use_cases.c.usd_per_call use_cases.c.usage_usd_per_call
        ");
        assert_eq!(named(Unit::Seconds).len(), 26);
    }

    #[test]
    fn bounds_are_written_in_the_unit_of_their_figure() {
        let read = |path: &str, text: &str| {
            let node = Node::parse_value(text, "s").unwrap();
            Unit::of(path).read(&node).map_err(|error| format!("{}; {}", error.problem, error.fix))
        };
        assert_eq!(read("use_cases.c.ttft_s.p95", "\"800 ms\""), Ok(0.8));
        assert_eq!(read("use_cases.c.goodput_fraction", "\"99 %\""), Ok(0.99));
        assert_eq!(read("use_cases.c.goodput_fraction", "0.99"), Ok(0.99));
        assert_eq!(read("pools.a.usd_per_mtok.total", "\"$0.20/Mtok\""), Ok(0.2));
        assert_eq!(read("use_cases.c.usd_per_call", "\"$0.02\""), Ok(0.02));
        assert_eq!(read("pools.a.tok_per_s_per_user", "\"30 tok/s\""), Ok(30.0));
        assert_eq!(read("pools.a.running_mean", "12"), Ok(12.0));
        insta::assert_snapshot!(
            [read("use_cases.c.ttft_s.p95", "0.8"), read("use_cases.c.ttft_s.p95", "\"2 /s\""),
             read("use_cases.c.goodput_fraction", "99"), read("pools.a.running_mean", "\"2 s\"")]
                .map(Result::unwrap_err).join("\n"),
            @r#"
        has no unit; units are s, ns, us, ms, min, h, days, weeks, months, years, e.g. "15 min"
        `/s` is not a unit of a duration; units are s, ns, us, ms, min, h, days, weeks, months, years, e.g. "15 min"
        is no part of one; write a number from 0 to 1, or "90 %"
        is a string; write a number without unit
        "#);
    }
}
