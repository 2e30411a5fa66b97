//! Bytes written once and then read from start to end by many cursors.
//!
//! A short tape stays in memory. A long one lies in a temporary file without a
//! name, which is gone with the tape, so that memory does not grow with it.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Mutex;
use tempfile::{SpooledData, SpooledTempFile};

/// Longest tape in memory, in bytes: some 300,000 calls.
const MEMORY_MAX: usize = 8 << 20;
/// Bytes that a reader takes at once.
const CHUNK: usize = 32 << 10;

/// A finished tape.
#[derive(Debug)]
pub struct Tape {
    kept: Kept,
    bytes: u64,
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    /// Readers seek and read under the lock, a chunk at a time.
    Disk(Mutex<File>),
}

impl Default for Tape {
    fn default() -> Self {
        Tape { kept: Kept::Memory(Vec::new()), bytes: 0 }
    }
}

impl Tape {
    /// Whether it lies in a file.
    #[cfg(test)]
    pub fn is_on_disk(&self) -> bool {
        matches!(self.kept, Kept::Disk(_))
    }

    /// Appends to `into` what follows `offset`, `wanted` bytes or more unless
    /// the tape ends before.
    fn read(&self, offset: u64, wanted: usize, into: &mut Vec<u8>) {
        let bytes = (self.bytes - offset).min(wanted.max(CHUNK) as u64);
        match &self.kept {
            Kept::Memory(tape) => {
                into.extend_from_slice(&tape[offset as usize..][..bytes as usize]);
            }
            Kept::Disk(file) => {
                let mut file = file.lock().expect("no reader panics");
                let seek = file.seek(SeekFrom::Start(offset));
                let read = seek.and_then(|_| (&mut *file).take(bytes).read_to_end(into));
                assert_eq!(read.ok(), Some(bytes as usize), "our temporary file can be read");
            }
        }
    }
}

/// Writes a tape.
#[derive(Debug)]
pub struct TapeWriter {
    to: BufWriter<SpooledTempFile>,
    bytes: u64,
}

impl Default for TapeWriter {
    fn default() -> Self {
        let to = BufWriter::with_capacity(CHUNK, SpooledTempFile::new(MEMORY_MAX));
        TapeWriter { to, bytes: 0 }
    }
}

impl TapeWriter {
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    pub fn finish(self) -> io::Result<Tape> {
        let file = self.to.into_inner().map_err(io::IntoInnerError::into_error)?;
        let kept = match file.into_inner() {
            SpooledData::InMemory(cursor) => Kept::Memory(cursor.into_inner()),
            SpooledData::OnDisk(file) => Kept::Disk(Mutex::new(file)),
        };
        Ok(Tape { kept, bytes: self.bytes })
    }
}

/// A place on a tape, and what was read ahead of it.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    ahead: Vec<u8>,
    /// How much of that has been used.
    used: usize,
    /// Where on the tape the rest begins.
    offset: u64,
}

impl Reader {
    /// Whether the tape ends here.
    #[inline]
    pub fn is_at_end(&self, tape: &Tape) -> bool {
        self.used == self.ahead.len() && self.offset == tape.bytes
    }

    /// The next `count` bytes, which must be there.
    #[inline]
    pub fn bytes(&mut self, tape: &Tape, count: usize) -> &[u8] {
        if self.ahead.len() - self.used < count {
            self.fill(tape, count);
        }
        let from = self.used;
        self.used += count;
        &self.ahead[from..self.used]
    }

    fn fill(&mut self, tape: &Tape, count: usize) {
        self.ahead.drain(..self.used);
        self.used = 0;
        let before = self.ahead.len();
        tape.read(self.offset, count - before, &mut self.ahead);
        self.offset += (self.ahead.len() - before) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tapes_lie_on_disk_and_read_the_same() {
        for (numbers, on_disk) in [(0u64, false), (1_000, false), (2_000_000, true)] {
            let mut writer = TapeWriter::default();
            (0..numbers).for_each(|number| writer.write(&number.to_le_bytes()).unwrap());
            let tape = writer.finish().unwrap();
            assert_eq!(tape.is_on_disk(), on_disk);
            let mut readers = [Reader::default(), Reader::default()];
            // One reads in pieces that no chunk is a multiple of.
            for number in 0..numbers {
                assert_eq!(readers[0].bytes(&tape, 8), number.to_le_bytes());
            }
            for piece in 0..numbers / 3 {
                assert_eq!(readers[1].bytes(&tape, 24)[16..], (3 * piece + 2).to_le_bytes());
            }
            assert!(readers[0].is_at_end(&tape));
        }
    }
}
