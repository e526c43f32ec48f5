//! The folder a studio keeps its data in.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Bytes of a secret; it is spelled in twice as many letters.
const SECRET_BYTES: usize = 32;

/// A data folder, which no other studio uses while this exists.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Holds the lock, which the system releases however the studio ends.
    lock: File,
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is being started has it too, until it is the new program.
        // When this fails, the lock goes with that process.
        self.lock.unlock().unwrap_or_default();
    }
}

impl DataFolder {
    /// Makes the folder if it is absent, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::DataFolder { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(Error::DataFolderInUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("studio.db")
    }

    /// The file of the secrets.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.path.join("secrets.json")
    }
}

/// The text of a file, if it is there.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::DataFolder { path: path.to_owned(), source }),
    }
}

/// Replaces a file, whole or not at all. Only its owner may read it.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::DataFolder { path: path.to_owned(), source };
    let new = path.with_extension("new");
    // One that a crash left behind could be of other permissions.
    fs::remove_file(&new).or_else(absent).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// 64 letters of the system's randomness.
pub(crate) fn new_secret() -> Result<String, Error> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
