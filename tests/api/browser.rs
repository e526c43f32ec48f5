//! The pages in a real browser: Chromium, driven by playwright-core. `.ci/run` installs both; where they are not, this test
//! says so and proves nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::actors::studio_with;

/// A browser takes its time, and other tests run beside this one.
const PATIENCE: Duration = Duration::from_secs(240);

/// A program, found as a shell finds it.
fn program(names: &[&str]) -> Option<PathBuf> {
    let (_, path) = std::env::vars_os().find(|(name, _)| name == "PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

/// The browser and what drives it, or what is missing.
fn browser() -> Result<(PathBuf, PathBuf, PathBuf), &'static str> {
    let node = program(&["node"]).ok_or("there is no Node.js")?;
    let chromium =
        program(&["chromium", "chromium-browser", "google-chrome"]).ok_or("there is no Chromium")?;
    let driver = std::env::temp_dir().join("studio-ci-browser/node_modules/playwright-core");
    if driver.is_dir() {
        Ok((node, chromium, driver))
    } else {
        Err("there is no playwright-core; .ci/run installs it")
    }
}

#[tokio::test]
async fn the_pages_work_in_a_browser_and_it_finds_nothing_wrong_with_them() {
    let (node, chromium, driver) = match browser() {
        Ok(found) => found,
        Err(missing) => {
            // Past the test harness, which shows nothing of a test that passes.
            writeln!(std::io::stderr(), "browser: skipped, since {missing}").unwrap();
            return;
        }
    };
    let studio = studio_with(|options| options).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/browser.mjs");
    let mut command = Command::new(node);
    command.arg(script).arg(studio.url()).env("CHROMIUM", chromium).env("PLAYWRIGHT_CORE", driver);
    let output =
        timeout(PATIENCE, command.kill_on_drop(true).output()).await.expect("the browser ends").unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}{complained}");
}
