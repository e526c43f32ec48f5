//! Files and folders that only their owner can use.

#[cfg(unix)]
use std::{
    fs::Permissions,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

const FOLDER: u32 = 0o700;
/// The mode of a file.
pub(crate) const FILE: u32 = 0o600;

/// Creates a folder, or makes an existing one accessible only to its owner.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(FOLDER);
    builder.create(path)?;
    set_mode(path, FOLDER)
}

/// Opens a file for writing, and creates it if it does not exist.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(false);
    #[cfg(unix)]
    options.mode(FILE);
    options.open(path)
}

/// Sets the mode of a file or folder if it has another one.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    if fs::metadata(path)?.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}
