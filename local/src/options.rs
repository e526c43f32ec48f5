//! The options of a studio.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Where a studio keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In memory. The data is lost when the studio stops.
    Memory,
    /// In this folder (`studio.db`, `secrets.json`). Only one studio at a time can use it, and only its owner can read
    /// it.
    Directory(PathBuf),
}

/// Which log lines of the functions the studio prints on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// No lines.
    Nothing,
    /// Warnings, errors, and lines that are not log records, such as a panic.
    Problems,
    /// All lines.
    Everything,
}

/// The limits of API Gateway and Lambda. The defaults are those of AWS; tests shorten the long ones.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a client may take to send a complete request, and how long a new connection may wait for its first
    /// request (10 s).
    pub request: Duration,
    /// How long a connection stays open after an answer without a further request (5 minutes).
    pub keep_alive: Duration,
    /// How long an idle WebSocket stays open (10 minutes).
    pub idle: Duration,
    /// The maximum lifetime of a WebSocket (2 hours).
    pub life: Duration,
    /// How long the HTTP API waits for a function (30 s).
    pub http_integration: Duration,
    /// How long the WebSocket API waits for a function (29 s).
    pub websocket_integration: Duration,
    /// The maximum number of instances of a function (128).
    pub max_instances: usize,
    /// How long an instance without events keeps running (5 minutes).
    pub instance_idle: Duration,
    /// The pause before the first retry of an asynchronous call (200 ms; a minute in the cloud). The pause before the
    /// second retry is twice as long.
    pub retry_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            keep_alive: Duration::from_secs(5 * 60),
            idle: Duration::from_secs(10 * 60),
            life: Duration::from_secs(2 * 60 * 60),
            http_integration: Duration::from_secs(30),
            websocket_integration: Duration::from_secs(29),
            max_instances: 128,
            instance_idle: Duration::from_secs(5 * 60),
            retry_delay: Duration::from_millis(200),
        }
    }
}

/// What a studio is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The path of the template.
    pub template: PathBuf,
    /// The folder of the function executables.
    pub binaries: PathBuf,
    /// Where the studio keeps its data.
    pub data: Data,
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 chooses a free port.
    pub port: u16,
    /// Values that replace variables of functions in the template, and defaults of template parameters
    /// (`ALLOWED_ORIGINS` sets `AllowedOrigins`). Names that the template does not use are ignored. `X` is the value of
    /// the secret that a function's variable `X_ARN` names.
    pub variables: BTreeMap<String, String>,
    /// Variables that every function receives in addition.
    pub extra_variables: BTreeMap<String, String>,
    /// The limits of API Gateway and Lambda.
    pub limits: Limits,
    /// Which log lines of the functions are printed.
    pub echo: Echo,
    /// Whether one instance of each function starts at once instead of at its first event.
    pub prestart: bool,
}

impl Options {
    /// Options for tests: data in memory, a free port of 127.0.0.1, no printed logs, and the limits of AWS.
    pub fn new(template: impl Into<PathBuf>, binaries: impl Into<PathBuf>) -> Self {
        Self {
            template: template.into(),
            binaries: binaries.into(),
            data: Data::Memory,
            host: "127.0.0.1".to_owned(),
            port: 0,
            variables: BTreeMap::new(),
            extra_variables: BTreeMap::new(),
            limits: Limits::default(),
            echo: Echo::Nothing,
            prestart: false,
        }
    }

    /// Adds one of [`Options::variables`].
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Adds one of [`Options::extra_variables`].
    #[must_use]
    pub fn extra_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra_variables.insert(name.into(), value.into());
        self
    }

    /// Keeps the data in this folder.
    #[must_use]
    pub fn directory(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Data::Directory(folder.into());
        self
    }

    /// Changes the limits.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }
}

impl Default for Options {
    /// [`Options::new`] with the `template.yaml` of this workspace and the executables next to the running one (the
    /// executable of a test is one folder deeper, in `deps`).
    fn default() -> Self {
        Self::new(
            crate::command::workspace_root().join("template.yaml"),
            crate::command::executables_folder(),
        )
    }
}
