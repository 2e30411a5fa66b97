//! Unpacks a Zstandard file: its frames one after the other, as `zstd` writes
//! them in parallel or after each other, without those that carry no data.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// Reads what a packed source holds.
pub(super) struct ZstdReader<R> {
    source: R,
    frame: FrameDecoder,
    is_in_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    pub fn new(source: R) -> Self {
        ZstdReader { source, frame: FrameDecoder::new(), is_in_frame: false }
    }

    /// Begins the next frame, or skips one without data.
    fn begin(&mut self) -> io::Result<()> {
        match self.frame.init(&mut self.source) {
            Ok(()) => self.is_in_frame = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let mut skipped = (&mut self.source).take(u64::from(length));
                io::copy(&mut skipped, &mut io::sink())?;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !into.is_empty() {
            if self.is_in_frame && self.frame.can_collect() > 0 {
                return self.frame.read(into);
            }
            if self.is_in_frame && !self.frame.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.frame.decode_blocks(&mut self.source, one);
                decoded.map_err(io::Error::other)?;
            } else if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.begin()?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::ZstdReader;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Read;

    #[test]
    fn frames_follow_each_other_and_some_carry_nothing() {
        let texts = ["one\n".repeat(100_000), String::new(), "two\n".repeat(3)];
        let mut packed = Vec::new();
        for text in &texts {
            packed.extend(compress_to_vec(text.as_bytes(), CompressionLevel::Fastest));
            packed.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7]);
        }
        let mut found = String::new();
        ZstdReader::new(packed.as_slice()).read_to_string(&mut found).unwrap();
        assert!(found == texts.concat());
        let cut = &packed[..packed.len() / 2];
        assert!(ZstdReader::new(cut).read_to_string(&mut String::new()).is_err());
    }
}
