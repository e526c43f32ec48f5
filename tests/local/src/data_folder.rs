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

    /// The secret of this folder, made at its first use. Only its owner may read it.
    pub(crate) fn secret(&self) -> Result<String, Error> {
        let path = self.path.join("secret");
        let failed = |source| Error::DataFolder { path: path.clone(), source };
        match fs::read_to_string(&path) {
            Ok(secret) if secret.trim().len() == 2 * SECRET_BYTES => return Ok(secret.trim().to_owned()),
            // One that was cut short by a crash signed nothing that anyone waits for.
            Ok(_) => fs::remove_file(&path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let secret = new_secret()?;
        let mut options = OpenOptions::new();
        options.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).and_then(|mut file| file.write_all(secret.as_bytes())).map_err(failed)?;
        Ok(secret)
    }
}

/// 64 letters of the system's randomness.
pub(crate) fn new_secret() -> Result<String, Error> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
