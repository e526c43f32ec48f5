//! What `cargo run` does.

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::{Data, Echo, Error, Options, Studio, placeholders, secrets::check_signing, settings::Settings};

const HELP: &str = "\
AI Chat Studio on this machine: every function, an HTTP API, a WebSocket API, DynamoDB and a mailbox.

Usage: cargo run [-- OPTIONS]

Options:
  --data DIR   keep the data in DIR (.studio)
  --memory     keep the data in memory; it is gone when the studio stops
  --logs       print everything the functions log, not only warnings and errors
  --help       print this
  --version    print the version

HOST, PORT and the functions' variables are taken from the environment and from .env.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Run { data: Data, echo: Echo },
    Help,
    Version,
}

/// Runs the command. Bad options end it with 2, any other trouble with 1, each with one line on stderr.
pub async fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let request = match parse(arguments) {
        Ok(request) => request,
        Err(line) => {
            eprintln!("{line}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    let done = match request {
        Request::Help => print(HELP),
        Request::Version => print(concat!("AI Chat Studio ", env!("CARGO_PKG_VERSION"), "\n")),
        Request::Run { data, echo } => run(data, echo).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let (mut data, mut echo) = (Data::Directory(PathBuf::from(".studio")), Echo::Problems);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--data" => {
                let folder = arguments.next().ok_or("--data wants a folder")?;
                data = Data::Directory(folder.into());
            }
            "--memory" => data = Data::Memory,
            "--logs" => echo = Echo::Everything,
            "--help" | "-h" => return Ok(Request::Help),
            "--version" | "-V" => return Ok(Request::Version),
            unknown => return Err(format!("unknown option {unknown}")),
        }
    }
    Ok(Request::Run { data, echo })
}

async fn run(data: Data, echo: Echo) -> Result<(), Error> {
    let folder = env::current_dir().map_err(|error| Error::Setting(format!("no current folder: {error}")))?;
    let mut settings = Settings::read(&folder)?;
    for line in placeholders::remove(&mut settings.variables) {
        eprintln!("warning: {line}");
    }
    settings.variables.get("SECRET_KEY").map_or(Ok(()), |secret| check_signing(secret))?;
    build(&settings.cargo)?;
    let options = Options {
        data: data.clone(),
        echo,
        host: settings.host,
        port: settings.port,
        variables: settings.variables,
        // The first request then meets no cold start.
        prestart: true,
        ..Options::default()
    };
    let mut signals = Signals::new()?;
    let studio = Studio::start(options).await?;
    let place = match &data {
        Data::Memory => "in memory, gone when the studio stops".to_owned(),
        Data::Directory(path) => path.display().to_string(),
    };
    print(&format!(
        "AI Chat Studio is running.\n  HTTP       {}\n  WebSocket  {}\n  Mailbox    {}\n  Data       {place}\nCtrl-C stops it.\n",
        studio.url(),
        studio.ws_url(),
        studio.mailbox_url(),
    ))?;
    signals.wait().await;
    studio.stop().await;
    Ok(())
}

/// Builds the functions in the profile and the folder of the running executable. Cargo tells its progress
/// itself.
fn build(cargo: &str) -> Result<(), Error> {
    let folder = executables_folder();
    let mut command = Command::new(cargo);
    command.current_dir(workspace_root()).args(["build", "--workspace", "--bins", "--locked"]);
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    if folder.file_name().is_some_and(|profile| profile == "release") {
        command.arg("--release");
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::Build),
        Err(error) => Err(Error::Setting(format!("cannot run {cargo}: {error}"))),
    }
}

/// The root of the workspace this was built from.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).unwrap_or(Path::new(".")).to_owned()
}

/// The folder of the executables this one was built with.
pub(crate) fn executables_folder() -> PathBuf {
    let executable = env::current_exe().unwrap_or_default();
    let folder = executable.parent().unwrap_or(Path::new("."));
    // Tests and benchmarks lie one folder deeper.
    let is_deeper = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    let folder = if is_deeper { folder.parent().unwrap_or(folder) } else { folder };
    folder.to_owned()
}

fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Error::Setting(format!("cannot print: {error}")))
}

/// Ctrl-C and SIGTERM.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .map_err(|error| Error::Setting(format!("cannot listen for SIGTERM: {error}")))?,
        })
    }

    #[cfg(unix)]
    async fn wait(&mut self) {
        tokio::select! {
            _interrupted = tokio::signal::ctrl_c() => {}
            _terminated = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) {
        tokio::signal::ctrl_c().await.ok();
    }
}
