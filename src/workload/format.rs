//! Layouts of recordings: their names, how to tell them apart, how to open one.

use super::zstd::ZstdReader;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Layouts of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Azure LLM inference CSV.
    Azure,
    /// Mooncake JSON lines.
    Mooncake,
    /// WEKA coding-agent sessions, JSON or JSON lines.
    Weka,
    /// Qwen-Bailian JSON lines.
    Bailian,
    /// BurstGPT CSV.
    BurstGpt,
    /// CSV whose columns are named by whoever reads it.
    Csv,
}

/// Formats by name.
const NAMES: [(&str, Format); 6] = [
    ("azure", Format::Azure),
    ("mooncake", Format::Mooncake),
    ("weka", Format::Weka),
    ("bailian", Format::Bailian),
    ("burstgpt", Format::BurstGpt),
    ("csv", Format::Csv),
];

/// Bytes from the start of a file that tell its format.
const HEAD: usize = 64 << 10;

impl Format {
    /// Names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// The format called `name`.
    pub fn named(name: &str) -> Option<Format> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, format)| *format == self).expect("all have names").0
    }

    /// Whether its calls carry the ids of their prompt blocks.
    pub fn has_prefix_ids(self) -> bool {
        !matches!(self, Format::Azure | Format::BurstGpt | Format::Csv)
    }

    /// The format of the file that `input` starts with, by the keys of its
    /// first record; `None` if they are none of ours, as those of plain CSV.
    /// Consumes nothing.
    pub fn detect(input: &mut impl BufRead) -> io::Result<Option<Format>> {
        let head = input.fill_buf()?;
        let head = String::from_utf8_lossy(&head[..head.len().min(HEAD)]);
        let head = head.trim_start_matches('\u{feff}').trim_start();
        let first = head.lines().next().unwrap_or_default();
        if first.contains("TIMESTAMP") || first.contains("ContextTokens") {
            return Ok(Some(Format::Azure));
        }
        if first.contains("Request tokens") && first.contains("Response tokens") {
            return Ok(Some(Format::BurstGpt));
        }
        // A record may be spread over lines, and its first ones may be broken.
        let has = |key: &str| head.contains(&format!("\"{key}\""));
        let is_json = head.starts_with(['{', '[']);
        Ok(match () {
            () if has("requests") && (has("block_size") || has("hash_id_scope")) => {
                Some(Format::Weka)
            }
            () if has("chat_id") => Some(Format::Bailian),
            () if has("input_length") || has("timestamp") => Some(Format::Mooncake),
            () if has("requests") => Some(Format::Weka),
            () if is_json && (has("hash_ids") || has("text_input")) => Some(Format::Mooncake),
            () => None,
        })
    }
}

/// Opens a recording; one packed with gzip or Zstandard is unpacked on the way.
pub fn open_trace(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut file = BufReader::with_capacity(HEAD, file);
    Ok(match file.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(HEAD, MultiGzDecoder::new(file))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(BufReader::with_capacity(HEAD, ZstdReader::new(file)))
        }
        _ => Box::new(file),
    })
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn formats_are_told_by_their_first_record() {
        let of = |text: &str| Format::detect(&mut text.as_bytes()).unwrap();
        let mooncake = "{\"timestamp\": 0, \"input_length\": 3, \"session_id\": \"requests\"}\n";
        assert_eq!(of(mooncake), Some(Format::Mooncake));
        assert_eq!(of(&format!("\u{feff}\n  {mooncake}")), Some(Format::Mooncake));
        assert_eq!(of("TIMESTAMP,ContextTokens,GeneratedTokens\n"), Some(Format::Azure));
        let burstgpt = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
        assert_eq!(of(burstgpt), Some(Format::BurstGpt));
        assert_eq!(of("[\n {\"id\": \"a\",\n \"requests\": []}]"), Some(Format::Weka));
        assert_eq!(
            of("{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 0.5, \"input_length\": 3}"),
            Some(Format::Bailian)
        );
        assert_eq!(of("hello"), None);
        assert_eq!(of(""), None);
    }
}
