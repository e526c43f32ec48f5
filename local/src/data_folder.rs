//! The data folder of a studio.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{error::Error, options::Data, private_files as private};

const DATABASE: &str = "studio.db";
const LOCK: &str = "lock";
const SECRETS: &str = "secrets.json";

/// A data folder. While this value exists, no other studio can use the folder.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// The lock. The system releases it even if the studio crashes.
    lock: File,
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is just starting also holds it. If unlocking fails, the
        // lock ends with that process.
        self.lock.unlock().unwrap_or_default();
    }
}

impl DataFolder {
    /// Takes the folder that `data` names, if it names one.
    pub(crate) fn of(data: &Data) -> Result<Option<Self>, Error> {
        match data {
            Data::Memory => Ok(None),
            Data::Directory(path) => Self::take(path).map(Some),
        }
    }

    /// Creates the folder if it does not exist, locks it, and makes it accessible only to its owner.
    fn take(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::DataFolder { path: path.to_owned(), source };
        private::make_folder(path).map_err(failed)?;
        let lock = private::open(&path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::DataFolderInUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let folder = Self { path: path.to_owned(), lock };
        folder.close_to_others().map_err(failed)?;
        Ok(folder)
    }

    /// Makes the files of an earlier version accessible only to their owner. Further files of the database take the
    /// mode of the first.
    fn close_to_others(&self) -> io::Result<()> {
        private::open(&self.database())?;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_ours = name
                .to_str()
                .is_some_and(|name| name.starts_with(DATABASE) || [LOCK, SECRETS].contains(&name));
            if is_ours && entry.file_type()?.is_file() {
                private::set_mode(&entry.path(), private::FILE)?;
            }
        }
        Ok(())
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The secrets file.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.path.join(SECRETS)
    }
}

/// The text of a file, if it exists.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::DataFolder { path: path.to_owned(), source }),
    }
}

/// Replaces a file atomically. Only its owner can read it.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::DataFolder { path: path.to_owned(), source };
    let new = path.with_extension("new");
    // A crash may have left a file with other permissions.
    fs::remove_file(&new).or_else(absent).map_err(failed)?;
    let mut file = private::open(&new).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
