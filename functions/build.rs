//! Compresses the files that the function `site` serves.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

const SITE: &str = "functions/site";
/// Files and whole folders of the function `site`.
const CARRIED: [&str; 4] = ["asyncapi.json", "openapi.json", "pages", "vendor"];

fn main() -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "Cargo passes the output folder this way")]
    let to = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    for name in CARRIED {
        let from = Path::new(SITE).join(name);
        // Cargo watches folders with their content.
        writeln!(io::stdout(), "cargo::rerun-if-changed={}", from.display())?;
        compress(&from, &to.join(name))?;
    }
    Ok(())
}

/// Compresses a file, or all files of a folder, and appends `.gz` to their names. The output depends only on the
/// content.
fn compress(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            compress(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    let mut to = to.as_os_str().to_owned();
    to.push(".gz");
    let mut encoder = GzEncoder::new(File::create(to)?, Compression::best());
    encoder.write_all(&fs::read(from)?)?;
    encoder.finish().map(drop)
}
