//! Number formats of weights and KV cache.
//!
//! Bytes an element include the scales that travel with quantized blocks
//! (nvfp4: one fp8 scale per 16 values; mxfp4: one 8-bit scale per 32).

use super::Unknown;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Number formats of weights and KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Precision {
    /// Weights, and the arithmetic on them.
    pub weights: WeightFormat,
    /// Keys and values.
    pub kv_cache: KvFormat,
}

/// Formats of weights.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum WeightFormat {
    /// 16 bits throughout.
    Bf16,
    /// 8 bits throughout.
    Fp8,
    /// 4 bits with fp8 scales throughout.
    Nvfp4,
    /// Experts in 4 bits computed in bf16, the rest in bf16.
    Mxfp4,
    /// Experts in 4 bits computed in fp8, the rest in bf16.
    Mxfp4A8,
}

/// Formats of the KV cache.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum KvFormat {
    /// 16 bits.
    Bf16,
    /// 8 bits.
    Fp8,
}

/// What a scenario may write for a precision.
const WEIGHT_FORMATS: [(&str, WeightFormat); 5] = [
    ("bf16", WeightFormat::Bf16),
    ("fp8", WeightFormat::Fp8),
    ("nvfp4", WeightFormat::Nvfp4),
    ("mxfp4", WeightFormat::Mxfp4),
    ("mxfp4-a8", WeightFormat::Mxfp4A8),
];

/// What a scenario may write for the KV cache.
const KV_FORMATS: [(&str, KvFormat); 2] = [("bf16", KvFormat::Bf16), ("fp8", KvFormat::Fp8)];

impl WeightFormat {
    /// Bytes of one weight of attention and dense layers.
    pub fn dense_bytes(self) -> f64 {
        match self {
            WeightFormat::Bf16 | WeightFormat::Mxfp4 | WeightFormat::Mxfp4A8 => 2.0,
            WeightFormat::Fp8 => 1.0,
            WeightFormat::Nvfp4 => 0.5625,
        }
    }

    /// Bytes of one weight of the routed experts.
    pub fn expert_bytes(self) -> f64 {
        match self {
            WeightFormat::Mxfp4 | WeightFormat::Mxfp4A8 => 0.53125,
            other => other.dense_bytes(),
        }
    }

    /// The format in which dense products are computed where the GPU has it.
    pub(super) fn dense_arithmetic(self) -> WeightFormat {
        match self {
            WeightFormat::Mxfp4 | WeightFormat::Mxfp4A8 => WeightFormat::Bf16,
            other => other,
        }
    }

    /// The format in which expert products are computed where the GPU has it.
    pub(super) fn expert_arithmetic(self) -> WeightFormat {
        match self {
            WeightFormat::Mxfp4 => WeightFormat::Bf16,
            WeightFormat::Mxfp4A8 => WeightFormat::Fp8,
            other => other,
        }
    }
}

impl KvFormat {
    /// The format that an engine caches in unless it is told: that of the
    /// activations, 16 bits, whatever the weights are.
    ///
    /// Source: vLLM 0.27, `--kv-cache-dtype auto` (vllm/config/cache.py, and
    /// `resolve_kv_cache_dtype_string` in vllm/utils/torch_utils.py). Checkpoints
    /// that name a format of their own (`kv_cache_quant_algo`, most of NVIDIA's
    /// fp8 and nvfp4 ones) are cached in that there; here one writes it down.
    pub const AUTO: KvFormat = KvFormat::Bf16;

    /// Bytes of one key or value element.
    pub fn bytes(self) -> f64 {
        match self {
            KvFormat::Bf16 => 2.0,
            KvFormat::Fp8 => 1.0,
        }
    }
}

impl Precision {
    /// These weights with the KV format of an engine that is told nothing.
    pub fn new(weights: WeightFormat) -> Self {
        Precision { weights, kv_cache: KvFormat::AUTO }
    }

    /// The same weights with another KV format.
    pub fn with_kv_cache(self, kv_cache: KvFormat) -> Self {
        Precision { kv_cache, ..self }
    }
}

impl FromStr for WeightFormat {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        parse("precision", text, &WEIGHT_FORMATS, &[("bfloat16", "bf16")])
    }
}

impl FromStr for KvFormat {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        parse("KV cache precision", text, &KV_FORMATS, &[("bfloat16", "bf16")])
    }
}

impl FromStr for Precision {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        text.parse().map(Precision::new)
    }
}

fn parse<T: Copy>(
    kind: &'static str,
    text: &str,
    formats: &[(&str, T)],
    synonyms: &[(&str, &str)],
) -> Result<T, Unknown> {
    let folded = super::fold(text);
    let canonical =
        synonyms.iter().find(|(from, _)| *from == folded).map_or(folded.as_str(), |(_, to)| to);
    match formats.iter().find(|(name, _)| *name == canonical) {
        Some((_, format)) => Ok(*format),
        None => {
            let names: Vec<&str> = formats.iter().map(|(name, _)| *name).collect();
            Err(Unknown::new(kind, text, &names))
        }
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(*self, &WEIGHT_FORMATS))
    }
}

impl fmt::Display for KvFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(*self, &KV_FORMATS))
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} KV cache", self.weights, self.kv_cache)
    }
}

fn name_of<T: PartialEq>(format: T, names: &[(&'static str, T)]) -> &'static str {
    names.iter().find(|(_, known)| *known == format).expect("every format has a name").0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_read_back_from_what_it_prints() {
        for (name, format) in WEIGHT_FORMATS {
            assert_eq!(name.parse::<WeightFormat>(), Ok(format));
            assert_eq!(format.to_string(), name);
        }
        assert_eq!("MXFP4_A8".parse::<WeightFormat>(), Ok(WeightFormat::Mxfp4A8));
        assert_eq!("bfloat16".parse::<KvFormat>(), Ok(KvFormat::Bf16));
    }

    #[test]
    fn a_misspelled_format_is_answered_with_the_nearest() {
        let unknown = "nvpf4".parse::<Precision>().unwrap_err();
        assert_eq!(unknown.nearest.as_deref(), Some("nvfp4"));
        assert!("int3".parse::<Precision>().is_err());
    }

    #[test]
    fn the_kv_cache_has_16_bits_unless_set() {
        for (name, weights) in WEIGHT_FORMATS {
            let precision: Precision = name.parse().unwrap();
            assert_eq!((precision.weights, precision.kv_cache), (weights, KvFormat::Bf16));
            assert_eq!(precision.with_kv_cache(KvFormat::Fp8).kv_cache, KvFormat::Fp8);
        }
    }
}
