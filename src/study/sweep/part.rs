//! A part file: the runs of one shard, kept as they finish.
//!
//! While runs are going on, lines are appended in the order in which runs end,
//! one write each, so that what was finished survives any end of the process.
//! Once all are there the part is rewritten in order, with an end line, under
//! its own name; parts in order are merged without keeping them in memory.
//! Meanwhile 16 bytes a line are.

use super::line::{self, Header, Key, Line, Run};
use super::plan::Progress;
use crate::error::{Error, Mistake, Result};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One share of a sweep: `index` of `count`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

impl Shard {
    /// The only share of a sweep that is not split.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Shard, String> {
        let fix = "write I/N with I from 0 to N - 1, e.g. 0/8";
        let parse = |text: &str| text.trim().parse::<u32>().map_err(|_| fix.to_owned());
        let (index, count) = text.split_once('/').ok_or(fix)?;
        let shard = Shard { index: parse(index)?, count: parse(count)? };
        if shard.index < shard.count && shard.count <= 100_000 {
            Ok(shard)
        } else if shard.count > 100_000 {
            Err("at most 100000 shards".to_owned())
        } else {
            Err(format!("shards count from 0: {fix}"))
        }
    }
}

/// Where a line begins in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    point: u32,
    slot: u32,
    offset: u64,
}

impl Place {
    fn is_run(&self) -> bool {
        self.slot != Slot::Point.number() && self.slot != Slot::Settled.number()
    }
}

/// Place of a line among those of its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The point's own line comes first.
    Point,
    /// Its runs follow by replication.
    Run(u32),
    /// That they are enough comes last.
    Settled,
}

impl Slot {
    fn number(self) -> u32 {
        match self {
            Slot::Point => 0,
            Slot::Run(replication) => 1 + replication,
            Slot::Settled => u32::MAX,
        }
    }
}

/// A part that is being filled.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    shard: Shard,
    header: Header,
    file: File,
    end: u64,
    places: Vec<Place>,
    is_finished: bool,
}

impl Part {
    /// The file of `shard` in the output folder `dir`.
    pub fn path(dir: &Path, shard: Shard) -> PathBuf {
        dir.join("parts").join(format!("part-{:05}-of-{:05}.jsonl", shard.index, shard.count))
    }

    /// Begins the part of `shard` in `dir`.
    pub fn begin(dir: &Path, shard: Shard, header: Header) -> Result<Part> {
        let path = Part::path(dir, shard);
        let folder = path.parent().expect("parts have a folder");
        fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
        let open = OpenOptions::new().append(true).create(true).truncate(false).open(&path);
        let file = open.map_err(|source| unwritable(&path, source))?;
        let mut part =
            Part { path, shard, header, file, end: 0, places: Vec::new(), is_finished: false };
        part.put(&part.first_line())?;
        Ok(part)
    }

    /// Opens the part of `shard` in `dir`, notes in `progress` what it holds,
    /// and names the lines that are of no use.
    pub fn reopen(
        dir: &Path,
        shard: Shard,
        header: Header,
        progress: &mut Progress,
    ) -> Result<(Part, Vec<String>)> {
        let path = Part::path(dir, shard);
        let failed = |source| unwritable(&path, source);
        let file = OpenOptions::new().read(true).append(true).open(&path).map_err(failed)?;
        let mut part = Part {
            path: path.clone(),
            shard,
            header,
            file,
            end: 0,
            places: Vec::new(),
            is_finished: false,
        };
        let mut damaged = Vec::new();
        let mut reader = BufReader::new(File::open(&path).map_err(failed)?);
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let length = reader.read_until(b'\n', &mut text).map_err(failed)?;
            if length == 0 {
                break;
            }
            if !text.ends_with(b"\n") {
                damaged.push(damage(&path, number));
                break;
            }
            let line = std::str::from_utf8(&text[..length - 1]).unwrap_or_default();
            if !part.take(line, number, progress)? {
                damaged.push(damage(&path, number));
            }
            part.end += length as u64;
        }
        part.is_finished &= damaged.is_empty();
        Ok((part, damaged))
    }

    /// Takes away a last line that was cut short, so that more can follow.
    pub(super) fn mend(&mut self) -> Result<()> {
        self.file.set_len(self.end).map_err(|source| unwritable(&self.path, source))?;
        if self.end == 0 { self.put(&self.first_line()) } else { Ok(()) }
    }

    /// Notes what a line holds; false if it is of no use.
    fn take(&mut self, text: &str, number: usize, progress: &mut Progress) -> Result<bool> {
        if let Some((index, count, header)) = line::read_header(text) {
            self.compare(&header)?;
            return Ok(number == 1 && Shard { index, count } == self.shard);
        }
        let (point, slot) = match line::read::<Key>(text, &self.header.hash) {
            Some(Key::Point { point, warm_up_ticks }) if progress.begin(point, warm_up_ticks) => {
                (point, Slot::Point)
            }
            Some(Key::Run { point, replication }) if progress.finish(point, replication) => {
                (point, Slot::Run(replication))
            }
            Some(Key::Settled { point, replications }) if progress.settle(point, replications) => {
                (point, Slot::Settled)
            }
            Some(Key::End {}) => {
                self.is_finished = true;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.places.push(Place { point, slot: slot.number(), offset: self.end });
        Ok(true)
    }

    /// Refuses the part of another sweep.
    fn compare(&self, found: &Header) -> Result<()> {
        let problem = if found.hash != self.header.hash {
            format!(
                "holds runs of a scenario with the hash {}; that of this scenario is {}",
                found.hash, self.header.hash
            )
        } else if found.version != self.header.version {
            let (theirs, ours) = (&found.version, &self.header.version);
            format!("was begun by tokenmill {theirs}; this is {ours}")
        } else {
            return Ok(());
        };
        Err(Error::Invalid(vec![Mistake {
            file: self.path.display().to_string(),
            line: Some(1),
            key: String::new(),
            value: None,
            problem,
            fix: "go back to the scenario and version it was begun with, or start anew in another \
                  folder with --out"
                .to_owned(),
        }]))
    }

    /// Whether all runs were there and in order when the part was opened.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.path
    }

    /// Salt of the checksums of its lines.
    pub fn salt(&self) -> &str {
        &self.header.hash
    }

    /// Appends a line of a point, as [`line::write`] made it.
    pub(super) fn append(&mut self, point: u32, slot: Slot, text: &str) -> Result<()> {
        let place = Place { point, slot: slot.number(), offset: self.end };
        self.put(text)?;
        self.places.push(place);
        Ok(())
    }

    /// The runs of `point` that are there, by replication. Cost: a look at every
    /// line that is there, so this is for points that were interrupted.
    pub(super) fn runs(&self, point: u32) -> Result<Vec<Run>> {
        let is_wanted = |place: &&Place| place.point == point && place.is_run();
        let failed = |source| unwritable(&self.path, source);
        let mut from = BufReader::new(File::open(&self.path).map_err(failed)?);
        let mut text = String::new();
        let mut runs = Vec::new();
        for place in self.places.iter().filter(is_wanted) {
            text.clear();
            from.seek(SeekFrom::Start(place.offset)).map_err(failed)?;
            from.read_line(&mut text).map_err(failed)?;
            runs.extend(line::read::<Run>(text.trim_end(), &self.header.hash));
        }
        runs.sort_by_key(|run| run.replication);
        Ok(runs)
    }

    fn put(&mut self, text: &str) -> Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|source| {
            // What could not be written whole should not be there at all.
            let _ = self.file.set_len(self.end);
            unwritable(&self.path, source)
        })?;
        self.end += text.len() as u64;
        Ok(())
    }

    fn first_line(&self) -> String {
        let Shard { index, count } = self.shard;
        let line = Line::Part { shard: index, shards: count, sweep: self.header.clone() };
        line::write(&line, &self.header.hash)
    }

    /// Puts the lines of a part whose runs are all there in order.
    pub fn finish(mut self) -> Result<PathBuf> {
        let failed = |source| unwritable(&self.path, source);
        self.places.sort_unstable_by_key(|place| (place.point, place.slot));
        let folder = self.path.parent().expect("parts have a folder");
        let mut ordered =
            tempfile::Builder::new().prefix(".tokenmill-").tempfile_in(folder).map_err(failed)?;
        self.copy(&mut io::BufWriter::new(ordered.as_file_mut())).map_err(failed)?;
        ordered.as_file().sync_all().map_err(failed)?;
        share(ordered.as_file()).map_err(failed)?;
        ordered.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(self.path)
    }

    fn copy(&self, to: &mut impl Write) -> io::Result<()> {
        let mut from = BufReader::new(File::open(&self.path)?);
        let mut text = Vec::new();
        to.write_all(self.first_line().as_bytes())?;
        let mut runs = 0;
        for place in &self.places {
            text.clear();
            from.seek(SeekFrom::Start(place.offset))?;
            from.read_until(b'\n', &mut text)?;
            to.write_all(&text)?;
            runs += u64::from(place.is_run());
        }
        to.write_all(line::write(&Line::End { runs }, &self.header.hash).as_bytes())?;
        to.flush()
    }
}

/// Temporary files are private to their owner; results are not.
#[cfg(unix)]
pub(super) fn share(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(super) fn share(_: &File) -> io::Result<()> {
    Ok(())
}

/// Names a line that is cut short or damaged.
pub fn damage(path: &Path, number: usize) -> String {
    format!("{}:{number}: the line is cut short or damaged", path.display())
}

pub(super) fn unwritable(path: &Path, source: io::Error) -> Error {
    let fix = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "what was finished is kept: free some space and continue with --resume"
        }
        _ => "what was finished is kept: mend this and continue with --resume",
    };
    Error::Io { action: "cannot write", path: path.into(), source, fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_count_from_zero() {
        assert_eq!("2/8".parse(), Ok(Shard { index: 2, count: 8 }));
        for wrong in ["", "1", "8/8", "-1/8", "0/0", "a/b", "1/2/3", "1/9999999"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
