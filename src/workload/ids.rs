//! Ids of prompt blocks as recordings write them: whole numbers of 64 bits,
//! signed or not, or texts.

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;

/// One id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(pub u64);

/// The ids of a prompt; `null` counts as none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids(pub Vec<u64>);

impl Id {
    /// A number in quotes is that number. Any other text stands for its FNV-1a
    /// hash: 64 bits of it, so two of a million texts collide with a chance of 3e-8.
    fn of(text: &str) -> Id {
        let text = text.trim();
        let hex = text.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let number = hex.or_else(|| text.parse::<u64>().ok());
        let number = number.or_else(|| text.parse::<i64>().ok().map(i64::cast_unsigned));
        Id(number.unwrap_or_else(|| {
            text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
        }))
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: a whole number of 64 bits, or a text")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Id, E> {
        Ok(Id(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Id, E> {
        Ok(Id(number.cast_unsigned()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
        Ok(Id::of(text))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdsVisitor;

impl<'de> Visitor<'de> for IdsVisitor {
    type Value = Ids;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of ids")
    }

    fn visit_unit<E: Error>(self) -> Result<Ids, E> {
        Ok(Ids::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ids, A::Error> {
        let mut ids = Vec::new();
        while let Some(Id(id)) = list.next_element()? {
            ids.push(id);
        }
        Ok(Ids(ids))
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ids, D::Error> {
        deserializer.deserialize_any(IdsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn ids_of_all_kinds() {
        let ids = |text: &str| serde_json::from_str::<Ids>(text).map(|ids| ids.0);
        let max = u64::MAX;
        assert_eq!(
            ids("[0, 18446744073709551615, -1, \"7\", \"-2\", \"0x10\"]").unwrap(),
            [0, max, max, 7, max - 1, 16]
        );
        let texts = ids("[\"a\", \"b\", \"a\"]").unwrap();
        assert!(texts[0] == texts[2] && texts[0] != texts[1]);
        assert_eq!(ids("null").unwrap(), [0; 0]);
        for wrong in ["[1.5]", "[18446744073709551616]", "[[1]]", "7"] {
            assert!(ids(wrong).is_err(), "{wrong}");
        }
    }
}
