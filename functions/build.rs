//! Compresses the files that the function `site` embeds.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

const SITE: &str = "functions/site";
/// The embedded files and folders.
const CARRIED: [&str; 4] = ["asyncapi.json", "openapi.json", "pages", "vendor"];

fn main() -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "Cargo passes the output folder in a variable")]
    let to = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    for name in CARRIED {
        let from = Path::new(SITE).join(name);
        // Cargo also watches the files in a folder.
        writeln!(io::stdout(), "cargo::rerun-if-changed={}", from.display())?;
        compress(&from, &to.join(name))?;
    }
    Ok(())
}

/// Compresses `from`, a file or a folder, to `to`, and appends `.gz` to file names. Equal content gives equal bytes.
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
