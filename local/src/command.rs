//! The command `cargo run`: parses the options, builds the functions, and runs a studio until Ctrl-C.

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::{Data, Echo, Error, Options, Studio, placeholders, secrets::check_signing, settings::Settings};

const HELP: &str = "\
Runs AI Chat Studio on this machine: all functions, the HTTP API, the WebSocket API, DynamoDB and a mailbox.

Usage: cargo run [-- OPTIONS]

Options:
  --data DIR   keep the data in the folder DIR (default: .studio)
  --memory     keep the data in memory; it is lost when the studio stops
  --logs       print all logs of the functions, not only warnings and errors
  --help       print this help
  --version    print the version

HOST, PORT and the variables of the functions are read from the environment and from the file .env.
";

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Run { data: Data, echo: Echo },
    Help,
    Version,
}

/// Runs the command. Exits with 2 after an invalid option and with 1 after another error, with one line on stderr.
pub async fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let request = match parse(arguments) {
        Ok(request) => request,
        Err(line) => {
            eprintln!("error: {line}; --help lists the options");
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
                let folder = arguments.next().ok_or("--data needs a folder")?;
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
    let folder = env::current_dir()
        .map_err(|error| Error::Setting(format!("cannot find the current folder: {error}")))?;
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
        // Without this, the first request would wait for a cold start.
        prestart: true,
        ..Options::default()
    };
    let mut signals = Signals::new()?;
    let studio = Studio::start(options).await?;
    let place = match &data {
        Data::Memory => "in memory, lost when the studio stops".to_owned(),
        Data::Directory(path) => path.display().to_string(),
    };
    print(&format!(
        "AI Chat Studio is running.\n  HTTP       {0}\n  Try it     {0}/docs\n  WebSocket  {1}\n  Mailbox    {2}\n  Data       {place}\nPress Ctrl-C to stop.\n",
        studio.url(),
        studio.ws_url(),
        studio.mailbox_url(),
    ))?;
    signals.wait().await;
    studio.stop().await;
    Ok(())
}

/// Builds the functions with the profile and target folder of the running executable. Cargo prints its progress.
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

/// The root of the workspace that this executable was built from.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).unwrap_or(Path::new(".")).to_owned()
}

/// The folder that contains this executable and those of the functions.
pub(crate) fn executables_folder() -> PathBuf {
    let executable = env::current_exe().unwrap_or_default();
    let folder = executable.parent().unwrap_or(Path::new("."));
    // Tests and benchmarks are one folder deeper.
    let is_deeper = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    let folder = if is_deeper { folder.parent().unwrap_or(folder) } else { folder };
    folder.to_owned()
}

fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Error::Setting(format!("cannot print: {error}")))
}

/// Waits for Ctrl-C or SIGTERM.
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
