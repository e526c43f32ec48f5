//! The data folder, which only its owner can read.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use local::Studio;

use crate::options;

/// A data folder that is deleted at the end of the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("local-data-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The modes of the folder and of its files, by name.
    fn modes(&self) -> Vec<(String, u32)> {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let named = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), mode(&path));
        let mut modes: Vec<_> = files.map(named).collect();
        modes.sort();
        modes.insert(0, (".".to_owned(), mode(&self.0)));
        modes
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.0.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Asserts that only the owner can access the folder and its files.
fn assert_private(folder: &Folder) {
    let modes = folder.modes();
    assert!(
        ["lock", "secrets.json", "studio.db"].iter().all(|file| modes.iter().any(|(name, _)| name == file))
    );
    for (name, mode) in modes {
        assert_eq!(mode, if name == "." { 0o700 } else { 0o600 }, "{name}: {mode:o}");
    }
}

#[tokio::test]
async fn only_its_owner_can_read_a_data_folder_and_its_files() {
    let folder = Folder::new();
    let studio = Studio::start(options().directory(folder.path())).await.unwrap();
    assert_private(&folder);
    studio.stop().await;
    assert_private(&folder);
}

#[tokio::test]
async fn a_readable_data_folder_becomes_private_at_the_next_start() {
    let folder = Folder::new();
    Studio::start(options().directory(folder.path())).await.unwrap().stop().await;
    for (name, _) in folder.modes() {
        folder.set_mode(&name, if name == "." { 0o755 } else { 0o644 });
    }
    // Files of others stay unchanged.
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    folder.set_mode("notes.txt", 0o640);
    let studio = Studio::start(options().directory(folder.path())).await.unwrap();
    let modes = folder.modes();
    assert!(modes.contains(&("notes.txt".to_owned(), 0o640)), "{modes:?}");
    fs::remove_file(folder.path().join("notes.txt")).unwrap();
    assert_private(&folder);
    studio.stop().await;
    assert_private(&folder);
}
