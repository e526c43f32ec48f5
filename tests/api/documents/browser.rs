//! The pages in Chromium, driven by playwright-core. `.ci/run` installs both; without them the tests say so and
//! check nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{eventually, studio_with};

/// A browser is slow, and other tests run at the same time.
const WAIT_TIMEOUT: Duration = Duration::from_secs(240);

/// A program, found as a shell finds it.
fn program(names: &[&str]) -> Option<PathBuf> {
    let (_, path) = std::env::vars_os().find(|(name, _)| name == "PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

/// Node.js, Chromium and its driver, or what is missing.
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

/// Runs a script of this folder in a browser, and fails if the script fails.
async fn run(script: &str, arguments: &[String]) {
    let (node, chromium, driver) = match browser() {
        Ok(found) => found,
        Err(missing) => {
            // The test harness hides the output of a test that passes, so this writes to stderr directly.
            let mut stderr = std::io::stderr();
            writeln!(stderr, "browser: skipped, since {missing}").unwrap();
            return;
        }
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/documents").join(script);
    let mut command = Command::new(node);
    command.arg(script).args(arguments).env("CHROMIUM", chromium).env("PLAYWRIGHT_CORE", driver);
    let output =
        timeout(WAIT_TIMEOUT, command.kill_on_drop(true).output()).await.expect("the browser ends").unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}{complained}");
}

#[tokio::test]
async fn the_pages_work_in_a_browser_without_errors() {
    let studio = studio_with(|options| options).await;
    run("browser.mjs", &[studio.url()]).await;
}

#[tokio::test]
async fn pages_of_other_origins_read_nothing_and_own_pages_open_websockets() {
    let studio = studio_with(|options| options).await;
    let _ada = studio.user("ada").await;
    eventually("a mail arrives", || async { studio.mailbox().pop() }).await;
    let port = |url: String| url.rsplit(':').next().unwrap().to_owned();
    let internal = [port(studio.lambda_url()), port(studio.dynamodb_url())].join(",");
    run("attacks.mjs", &[studio.url(), internal, studio.mailbox_url()]).await;
}
