//! The pages in a real browser: Chromium, driven by playwright-core. `.ci/run` installs both; where they are not, this test
//! says so and proves nothing.
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{eventually, studio_with};

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

/// Runs a script of this folder that drives a browser; fails when it does.
async fn run(script: &str, arguments: &[String]) {
    let (node, chromium, driver) = match browser() {
        Ok(found) => found,
        Err(missing) => {
            // Past the test harness, which shows nothing of a test that passes.
            let mut stderr = std::io::stderr();
            writeln!(stderr, "browser: skipped, since {missing}").unwrap();
            return;
        }
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/documents").join(script);
    let mut command = Command::new(node);
    command.arg(script).args(arguments).env("CHROMIUM", chromium).env("PLAYWRIGHT_CORE", driver);
    let output =
        timeout(PATIENCE, command.kill_on_drop(true).output()).await.expect("the browser ends").unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}{complained}");
}

#[tokio::test]
async fn the_pages_work_in_a_browser_and_it_finds_nothing_wrong_with_them() {
    let studio = studio_with(|options| options).await;
    run("browser.mjs", &[studio.url()]).await;
}

#[tokio::test]
async fn no_page_of_another_origin_reads_anything_and_the_studios_own_open_websockets() {
    let studio = studio_with(|options| options).await;
    let _ada = studio.user("ada").await;
    eventually("a mail arrives", || async { studio.mailbox().pop() }).await;
    let port = |url: String| url.rsplit(':').next().unwrap().to_owned();
    let internal = [port(studio.lambda_url()), port(studio.dynamodb_url())].join(",");
    run("attacks.mjs", &[studio.url(), internal, studio.mailbox_url()]).await;
}
