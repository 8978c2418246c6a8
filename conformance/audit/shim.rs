//! What a disk and a clock can do to a server: a library that is loaded into it (shim.c).

use super::process::Program;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Error, Result},
    os::unix::fs::FileExt,
    path::PathBuf,
    process::Command,
};

const SOURCE: &str = include_str!("shim.c");

/// The library, and the files that steer it.
pub struct Shim {
    steer: PathBuf,
}

impl Shim {
    /// Compiles it, and has the program load it from its next start on. With `records` it
    /// records what would be lost with the power.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn install(program: &mut Program, records: bool) -> Result<Self> {
        let steer = program.folder.join("shim");
        fs::create_dir_all(&steer)?;
        let (source, library) = (steer.join("shim.c"), steer.join("shim.so"));
        fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(&library);
        let compiled = compiler.arg(&source).args(["-lpthread", "-ldl"]).output()?;
        if !compiled.status.success() {
            return Err(Error::other(String::from_utf8_lossy(&compiled.stderr).into_owned()));
        }
        fs::write(steer.join("clock"), 0_i64.to_ne_bytes())?;
        if records {
            File::create(steer.join("undo"))?;
        }
        fs::create_dir_all(program.data())?;
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        program.environment.extend([
            ("LD_PRELOAD".into(), text(library)),
            ("WAXWING_SHIM".into(), text(steer.clone())),
            ("WAXWING_SHIM_DATA".into(), text(program.data().canonicalize()?)),
        ]);
        Ok(Self { steer })
    }

    /// The disk is full, or has room again.
    ///
    /// # Errors
    /// When the file that says so cannot be made or removed.
    pub fn fill(&self, full: bool) -> Result<()> {
        let path = self.steer.join("full");
        if full { File::create(path).map(drop) } else { fs::remove_file(path) }
    }

    /// The clock of the server is so many seconds ahead.
    ///
    /// # Errors
    /// When the file that says so cannot be written.
    pub fn set_clock(&self, seconds_ahead: i64) -> Result<()> {
        // In place: the server has mapped it.
        let clock = File::options().write(true).open(self.steer.join("clock"))?;
        clock.write_all_at(&seconds_ahead.to_ne_bytes(), 0)
    }

    /// Time has passed while the server was down: the system has written all by itself.
    ///
    /// # Errors
    /// When the file of records cannot be emptied.
    pub fn write_back(&self) -> Result<()> {
        File::create(self.steer.join("undo")).map(drop)
    }

    /// The server was killed, and the power with it: all that it had written and not synced is
    /// taken back. Gives how many writes that are.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn lose_power(&self, program: &Program) -> Result<u64> {
        let mut unsynced: BTreeMap<PathBuf, Vec<Undo>> = BTreeMap::new();
        for (path, undo) in records(&fs::read(self.steer.join("undo"))?) {
            match undo {
                Undo::Synced => _ = unsynced.remove(&path),
                undo => unsynced.entry(path).or_default().push(undo),
            }
        }
        let mut lost = 0;
        for (path, undos) in unsynced {
            // Made and removed again; nothing of it is left to take back.
            let Ok(file) = File::options().write(true).open(&path) else { continue };
            for undo in undos.into_iter().rev() {
                match undo {
                    Undo::Write { at, size, bytes } => {
                        lost += 1;
                        file.write_all_at(&bytes, at)?;
                        file.set_len(size)?;
                    }
                    Undo::Truncate { size } => file.set_len(size)?,
                    Undo::Synced => {}
                }
            }
        }
        self.write_back()?;
        remove_shared_memory(program)?;
        Ok(lost)
    }
}

/// What was mapped was never written.
fn remove_shared_memory(program: &Program) -> Result<()> {
    for entry in fs::read_dir(program.data())? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("-shm") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// How to take back one thing.
enum Undo {
    Write { at: u64, size: u64, bytes: Vec<u8> },
    Truncate { size: u64 },
    Synced,
}

/// What shim.c has recorded. The last record may be cut off: what it is about did not happen.
fn records(mut bytes: &[u8]) -> Vec<(PathBuf, Undo)> {
    let mut records = Vec::new();
    while let Some((record, rest)) = record(bytes) {
        records.push(record);
        bytes = rest;
    }
    records
}

fn record(bytes: &[u8]) -> Option<((PathBuf, Undo), &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let path = PathBuf::from(String::from_utf8_lossy(&rest[..end]).into_owned());
    let mut rest = &rest[end + 1..];
    let mut number = || {
        let (number, behind) = rest.split_first_chunk()?;
        rest = behind;
        Some(u64::from_ne_bytes(*number))
    };
    let undo = match kind {
        b'W' => {
            let (at, size, length) = (number()?, number()?, number()?);
            let (bytes, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = behind;
            Undo::Write { at, size, bytes: bytes.to_vec() }
        }
        b'T' => Undo::Truncate { size: number()? },
        _ => Undo::Synced,
    };
    Some(((path, undo), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_up_to_one_that_is_cut_off() {
        let mut bytes = b"W/a\0".to_vec();
        bytes.extend([4_u64, 9, 2].map(u64::to_ne_bytes).concat());
        bytes.extend(b"xyS/a\0T/b\0");
        bytes.extend(7_u64.to_ne_bytes());
        let whole = bytes.len();
        bytes.extend(b"W/a\0");
        bytes.extend([4_u64, 9, 2].map(u64::to_ne_bytes).concat());
        let read = records(&bytes);
        assert!(matches!(&read[0].1, Undo::Write { at: 4, size: 9, bytes } if bytes == b"xy"));
        assert!(matches!(read[1].1, Undo::Synced));
        assert!(matches!(read[2].1, Undo::Truncate { size: 7 }));
        assert_eq!((read.len(), records(&bytes[..whole]).len()), (3, 3));
    }
}
