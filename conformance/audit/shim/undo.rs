//! What is lost with the power, out of what shim.c has recorded.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Result,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// One thing that was done to a file.
enum Done {
    /// So many bytes were written there; what stood there, and how large the file was.
    Write { at: u64, size: u64, count: u64, bytes: Vec<u8> },
    /// It was cut, or made longer; how large it was.
    Resize { size: u64 },
    /// All of it was synced.
    Synced,
    /// It could not be synced. The system says so once, and holds for synced what was not: it is
    /// lost for good, unless it is written again.
    Failed,
    /// It is no more.
    Removed,
}

/// What of a file is not on the disk.
#[derive(Default)]
struct Unsynced {
    /// What the next sync takes.
    dirty: Vec<Done>,
    /// What no sync takes any more: where, and what stands there on the disk.
    forgotten: Vec<(u64, Vec<u8>)>,
}

/// Takes back all that was written and not synced. Gives how many writes that are.
///
/// # Errors
/// When the files cannot be written.
pub(super) fn take_back(recorded: &[u8]) -> Result<u64> {
    let mut files: BTreeMap<PathBuf, Unsynced> = BTreeMap::new();
    for (path, done) in records(recorded) {
        let unsynced = files.entry(path).or_default();
        match done {
            Done::Synced => unsynced.synced(),
            Done::Failed => unsynced.failed(),
            Done::Removed => *unsynced = Unsynced::default(),
            done => unsynced.dirty.push(done),
        }
    }
    files.iter().map(|(path, unsynced)| unsynced.take_back(path)).sum()
}

impl Unsynced {
    fn synced(&mut self) {
        for done in std::mem::take(&mut self.dirty) {
            if let Done::Write { at, count, .. } = done {
                self.written_again(at, count);
            }
        }
    }

    fn failed(&mut self) {
        for done in std::mem::take(&mut self.dirty) {
            if let Done::Write { at, count, mut bytes, .. } = done {
                bytes.resize(usize::try_from(count).unwrap_or(usize::MAX), 0);
                self.forgotten.push((at, bytes));
            }
        }
    }

    /// So many bytes from there on are on the disk.
    fn written_again(&mut self, at: u64, count: u64) {
        let end = at + count;
        let pieces = std::mem::take(&mut self.forgotten).into_iter().flat_map(|(from, bytes)| {
            let length = bytes.len() as u64;
            // Up to here it stands before what was written, from there on behind it.
            let before = at.clamp(from, from + length) - from;
            let behind = end.clamp(from, from + length) - from;
            let part = |from: u64, to: u64| bytes[from as usize..to as usize].to_vec();
            [(from, part(0, before)), (from + behind, part(behind, length))]
        });
        self.forgotten = pieces.filter(|(_, bytes)| !bytes.is_empty()).collect();
    }

    fn take_back(&self, path: &Path) -> Result<u64> {
        // Made and removed again; nothing of it is left to take back.
        let Ok(file) = File::options().write(true).open(path) else { return Ok(0) };
        let mut lost = 0;
        for done in self.dirty.iter().rev() {
            match done {
                Done::Write { at, size, bytes, .. } => {
                    lost += 1;
                    file.write_all_at(bytes, *at)?;
                    file.set_len(*size)?;
                }
                Done::Resize { size } => file.set_len(*size)?,
                Done::Synced | Done::Failed | Done::Removed => {}
            }
        }
        let size = file.metadata()?.len();
        for (at, bytes) in self.forgotten.iter().rev() {
            let within = usize::try_from(size.saturating_sub(*at)).unwrap_or(usize::MAX);
            file.write_all_at(&bytes[..within.min(bytes.len())], *at)?;
            lost += 1;
        }
        Ok(lost)
    }
}

/// What shim.c has recorded. The last record may be cut off: what it is about did not happen.
fn records(mut bytes: &[u8]) -> Vec<(PathBuf, Done)> {
    let mut records = Vec::new();
    while let Some((record, rest)) = record(bytes) {
        records.push(record);
        bytes = rest;
    }
    records
}

fn record(bytes: &[u8]) -> Option<((PathBuf, Done), &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let path = PathBuf::from(String::from_utf8_lossy(&rest[..end]).into_owned());
    let mut rest = &rest[end + 1..];
    let mut number = || {
        let (number, behind) = rest.split_first_chunk()?;
        rest = behind;
        Some(u64::from_ne_bytes(*number))
    };
    let done = match kind {
        b'W' => {
            let (at, size, count, length) = (number()?, number()?, number()?, number()?);
            let (bytes, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = behind;
            Done::Write { at, size, count, bytes: bytes.to_vec() }
        }
        b'T' => Done::Resize { size: number()? },
        b'F' => Done::Failed,
        b'U' => Done::Removed,
        _ => Done::Synced,
    };
    Some(((path, done), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(path: &str, numbers: [u64; 3], bytes: &[u8]) -> Vec<u8> {
        let [at, size, count] = numbers;
        let numbers = [at, size, count, bytes.len() as u64].map(u64::to_ne_bytes).concat();
        [b"W", path.as_bytes(), b"\0", &numbers, bytes].concat()
    }

    #[test]
    fn records_are_read_up_to_one_that_is_cut_off() {
        let mut bytes = write("/a", [4, 9, 2], b"xy");
        bytes.extend(b"S/a\0T/b\0");
        bytes.extend(7_u64.to_ne_bytes());
        let whole = bytes.len();
        let cut = write("/a", [4, 9, 2], b"xy");
        bytes.extend(&cut[..cut.len() - 2]);
        let read = records(&bytes);
        assert!(matches!(
            &read[0].1,
            Done::Write { at: 4, size: 9, count: 2, bytes } if bytes == b"xy"
        ));
        assert!(matches!(read[1].1, Done::Synced));
        assert!(matches!(read[2].1, Done::Resize { size: 7 }));
        assert_eq!((read.len(), records(&bytes[..whole]).len()), (3, 3));
    }

    #[test]
    fn what_a_sync_did_not_take_is_lost_unless_it_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let path = file.to_str().unwrap();
        let word = |kind: &str| format!("{kind}{path}\0").into_bytes();
        let after = |recorded: &[Vec<u8>]| {
            fs::write(&file, "abcdefgh").unwrap();
            take_back(&recorded.concat()).unwrap();
            fs::read_to_string(&file).unwrap()
        };
        let first = write(path, [2, 8, 4], b"....");
        assert_eq!(after(&[first.clone(), word("S")]), "abcdefgh");
        assert_eq!(after(std::slice::from_ref(&first)), "ab....gh");
        assert_eq!(after(&[first.clone(), word("F"), word("S")]), "ab....gh");
        let again = write(path, [3, 8, 2], b"--");
        let all = [first.clone(), word("F"), again.clone(), word("S")];
        assert_eq!(after(&all), "ab.de.gh");
        assert_eq!(after(&[first.clone(), word("F"), again]), "ab....gh");
        assert_eq!(after(&[first, word("F"), word("U")]), "abcdefgh");
        let longer = [write(path, [6, 6, 2], b""), word("F"), word("S")];
        assert_eq!(after(&longer), "abcdef\0\0");
    }
}
