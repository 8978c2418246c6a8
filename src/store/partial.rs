//! Files that get their name when they are whole, and that only their owner may read: they hold
//! keys.

use crate::check::refused;
use engine::port::Fault;
use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// Opens or makes a file that only its owner may read.
pub(crate) fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.read(true).write(true).create(true).truncate(false).open(path)
}

/// A file that stands beside another.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// An empty file beside where it is to be. Of one that was broken off nothing is left.
pub(crate) fn begun(to: &Path) -> Result<PathBuf, Fault> {
    let partial = beside(to, ".partial");
    let made = match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => private(&partial).map(drop),
    };
    made.map_err(|error| cannot(&partial, &error))?;
    Ok(partial)
}

/// Durable, then under its name.
pub(crate) fn arrives(partial: &Path, to: &Path) -> Result<(), Fault> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let durable = || {
        File::open(partial)?.sync_all()?;
        fs::rename(partial, to)?;
        File::open(folder)?.sync_all()
    };
    durable().map_err(|error| cannot(to, &error))
}

/// Why a file is not there.
pub(crate) fn cannot(path: &Path, error: &io::Error) -> Fault {
    refused(format!("{} cannot be written: {error}", path.display()))
}
