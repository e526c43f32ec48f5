//! Compresses what the function `site` carries.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

const SITE: &str = "functions/site";
/// What it carries: files, and folders with all that is in them.
const CARRIED: [&str; 4] = ["asyncapi.json", "openapi.json", "pages", "vendor"];

fn main() -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "Cargo says in this way where to build")]
    let to = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    for name in CARRIED {
        let from = Path::new(SITE).join(name);
        // A line for Cargo, which looks into folders, too.
        writeln!(io::stdout(), "cargo::rerun-if-changed={}", from.display())?;
        compress(&from, &to.join(name))?;
    }
    Ok(())
}

/// `from` and all that is in it as `to`, each file with `.gz` behind its name. The same content is always the same bytes.
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
