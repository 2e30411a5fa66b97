//! Shares of figures as they are written in a part file.
//!
//! A number is a value, a pair two totals, a truth value a promise, null nothing. The
//! quantiles of one latency share the distribution that they are of, so only the first
//! of them in a row is written with it.

use crate::statistics::KnownDistribution;
use crate::study::figures::Share;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Packed {
    Kept(bool),
    Value(f64),
    Ratio(f64, f64),
    Quantile {
        /// The fraction.
        at: f64,
        /// Values, and their quantiles; without: those of the one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<(u64, Vec<f64>)>,
    },
    Nothing,
}

fn pack(shares: &[Share]) -> Vec<Packed> {
    let mut last: Option<&KnownDistribution> = None;
    let pack = |share| match share {
        &Share::Value(value) => Packed::Value(value),
        &Share::Ratio(top, bottom) => Packed::Ratio(top, bottom),
        &Share::Kept(is_kept) => Packed::Kept(is_kept),
        Share::Nothing => Packed::Nothing,
        Share::Quantile(at, known) => {
            let is_new = last.replace(known) != Some(known);
            let of = is_new.then(|| (known.count(), known.quantiles().to_vec()));
            Packed::Quantile { at: *at, of }
        }
    };
    shares.iter().map(pack).collect()
}

/// `None` if a line that has its checksum is not one of ours.
fn unpack(packed: Vec<Packed>) -> Option<Vec<Share>> {
    let mut last: Option<KnownDistribution> = None;
    let unpack = |packed| {
        Some(match packed {
            Packed::Value(value) => Share::Value(value),
            Packed::Ratio(top, bottom) => Share::Ratio(top, bottom),
            Packed::Kept(is_kept) => Share::Kept(is_kept),
            Packed::Nothing => Share::Nothing,
            Packed::Quantile { at, of } => {
                if let Some((count, quantiles)) = of {
                    last = Some(KnownDistribution::checked(count, quantiles)?);
                }
                Share::Quantile(at, last.clone()?)
            }
        })
    };
    packed.into_iter().map(unpack).collect()
}

const FOREIGN: &str = "quantiles of nothing";

pub mod shares {
    use super::{FOREIGN, Packed, Share, pack, unpack};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(shares: &[Share], to: S) -> Result<S::Ok, S::Error> {
        pack(shares).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Share>, D::Error> {
        unpack(Vec::<Packed>::deserialize(from)?).ok_or_else(|| D::Error::custom(FOREIGN))
    }
}

pub mod sections {
    use super::{FOREIGN, Packed, Share, pack, unpack};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(sections: &[Vec<Share>], to: S) -> Result<S::Ok, S::Error> {
        sections.iter().map(|shares| pack(shares)).collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<Share>>, D::Error> {
        let all = Vec::<Vec<Packed>>::deserialize(from)?;
        let all: Option<Vec<Vec<Share>>> = all.into_iter().map(unpack).collect();
        all.ok_or_else(|| D::Error::custom(FOREIGN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::CDF_FRACTIONS;

    #[test]
    fn quantiles_of_one_latency_are_written_once() {
        let known = |scale: f64| {
            KnownDistribution::new(9, CDF_FRACTIONS.map(|at| (at + 0.1) / scale).to_vec())
        };
        let shares = vec![
            Share::Value(1.0),
            Share::Quantile(0.5, known(3.0)),
            Share::Kept(true),
            Share::Quantile(0.95, known(3.0)),
            Share::Quantile(0.5, known(7.0)),
            Share::Ratio(1.0, 3.0),
            Share::Nothing,
        ];
        let text = serde_json::to_string(&pack(&shares)).unwrap();
        assert_eq!(text.matches("\"of\"").count(), 2);
        assert!(text.contains(",true,{\"at\":0.95},"), "{text}");
        assert_eq!(unpack(serde_json::from_str(&text).unwrap()), Some(shares));
        let orphan: Vec<Packed> = serde_json::from_str("[{\"at\":0.5}]").unwrap();
        assert_eq!(unpack(orphan), None);
        let few: Vec<Packed> = serde_json::from_str("[{\"at\":0.5,\"of\":[3,[1.0]]}]").unwrap();
        assert_eq!(unpack(few), None);
    }
}
