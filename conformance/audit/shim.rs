//! What a disk and a clock can do to a server: a library that is loaded into it (shim.c).

mod undo;

use super::process::Program;
use std::{
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
        self.says("full", full)
    }

    /// The disk does not sync, or does again.
    ///
    /// # Errors
    /// When the file that says so cannot be made or removed.
    pub fn sicken(&self, sick: bool) -> Result<()> {
        self.says("sick", sick)
    }

    fn says(&self, word: &str, says: bool) -> Result<()> {
        let path = self.steer.join(word);
        if says { File::create(path).map(drop) } else { fs::remove_file(path) }
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
        let lost = undo::take_back(&fs::read(self.steer.join("undo"))?)?;
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
