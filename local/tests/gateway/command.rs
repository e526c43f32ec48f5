//! Tests the command that `cargo run` starts, with functions that misbehave. `CARGO=true` replaces the build.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{eventually, examples, processes::is_running};

/// A folder that contains only the command and an executable for each function of the product.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("local-command-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let template =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).unwrap();
        // Two functions may have the same executable.
        let binaries: BTreeSet<&str> = template
            .split("Binary: ")
            .skip(1)
            .filter_map(|rest| rest.split([' ', '\n', '}']).next())
            .collect();
        for name in binaries {
            place(&examples().join("misbehaving"), &folder.join(name));
        }
        place(Path::new(env!("CARGO_BIN_EXE_local")), &folder.join("local"));
        Self(folder)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0.join("local"));
        command.current_dir(&self.0).env("CARGO", "true").env("PORT", "0").env_remove("HOST").args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        ended(self.command(arguments).output().unwrap())
    }

    /// Starts the command and waits until it prints its addresses. Also returns the HTTP address.
    fn start(&self, arguments: &[&str]) -> (Running, String) {
        Self::wait(self.command(arguments))
    }

    /// Starts this command and waits until it prints its addresses. Also returns the HTTP address.
    pub(crate) fn wait(mut command: Command) -> (Running, String) {
        let mut running = Running(command.spawn().unwrap());
        let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
        let address = loop {
            let Some(line) = lines.next() else { panic!("the command ended: {}", stderr_of(&mut running.0)) };
            if let Some(address) = line.unwrap().trim().strip_prefix("HTTP") {
                break address.trim().to_owned();
            }
        };
        (running, address)
    }

    /// The processes of functions whose executables are in this folder.
    fn function_processes(&self) -> Vec<u32> {
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
        let here = |pid: &u32| {
            let executable = fs::read_link(format!("/proc/{pid}/exe"));
            executable.is_ok_and(|it| it.starts_with(&self.0) && !it.ends_with("local"))
        };
        processes.filter(here).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Places an executable at `to`, which is then the path of its processes.
fn place(executable: &Path, to: &Path) {
    // Copying onto a link to the executable itself would empty it.
    assert!(!to.exists(), "{} is there already", to.display());
    if fs::hard_link(executable, to).is_err() {
        fs::copy(executable, to).unwrap();
    }
}

/// The running command, which is killed when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Everything that a process wrote to stderr until its end.
pub(crate) fn stderr_of(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn ended(output: Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn every_error_at_the_start_is_one_line_and_an_exit_code() {
    let place = Place::new();
    let expect = |arguments: &[&str], status: i32, part: &str| {
        let (code, line) = place.run(arguments);
        assert_eq!((code, line.matches('\n').count()), (status, 1), "{line}");
        assert!(line.contains(part), "{line}");
    };
    expect(&["--unknown"], 2, "unknown option --unknown");
    expect(&["--data"], 2, "--data needs a folder");
    expect(&["--data", "/proc/nowhere"], 1, "cannot write to the data folder /proc/nowhere");
    let (_running, address) = place.start(&[]);
    expect(&[], 1, "another studio uses the data folder .studio");
    fs::write(place.0.join(".env"), "PORT=1\na secret, pasted\n").unwrap();
    expect(&[], 1, ".env: line 2 is not NAME=value");
    fs::remove_file(place.0.join(".env")).unwrap();
    for weak in ["short", "hunter2hunter2", &"a".repeat(64)] {
        let refused = place.command(&["--memory"]).env("SECRET_KEY", weak).output().unwrap();
        let (code, line) = ended(refused);
        assert_eq!((code, line.matches('\n').count()), (1, 1), "{line}");
        assert!(line.contains("SECRET_KEY must have") && line.contains("openssl rand -hex 32"), "{line}");
        assert!(!line.contains(weak), "{line}");
    }
    let port = address.rsplit(':').next().unwrap();
    let taken = place.command(&["--memory"]).env("PORT", port).output().unwrap();
    let (code, line) = ended(taken);
    assert_eq!(code, 1);
    assert!(line.contains("cannot listen on 127.0.0.1:"), "{line}");
}

#[tokio::test]
async fn sigterm_stops_the_studio_properly() {
    let place = Place::new();
    let (mut running, address) = place.start(&[]);
    assert_eq!(reqwest::get(&address).await.unwrap().status(), 200);
    assert!(!place.function_processes().is_empty());
    signal("-TERM", running.0.id());
    let status = eventually("the command ends", || running.0.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0), "{}", stderr_of(&mut running.0));
    assert!(place.function_processes().is_empty());
}

#[tokio::test]
async fn no_function_outlives_a_killed_studio_even_during_an_event() {
    let place = Place::new();
    let (running, address) = place.start(&["--memory"]);
    tokio::spawn(reqwest::get(format!("{address}/?do=hang")));
    let processes = eventually("the functions run", || {
        let processes = place.function_processes();
        (!processes.is_empty()).then_some(processes)
    })
    .await;
    signal("-KILL", running.0.id());
    eventually("all functions have ended", || (!processes.iter().any(|pid| is_running(*pid))).then_some(()))
        .await;
    assert!(place.function_processes().is_empty());
}
