//! What a studio is started with.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Where the data of a studio lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In memory, gone when the studio stops.
    Memory,
    /// In this folder (`studio.db`, `secrets.json`), which only one studio at a time may use, and only its owner may read.
    Directory(PathBuf),
}

/// Which lines of the functions' logs are repeated on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// None.
    Nothing,
    /// Warnings, errors, and whatever is not a log record, such as a panic.
    Problems,
    /// All.
    Everything,
}

/// The limits of API Gateway and Lambda. The defaults are the real ones; tests shorten the long ones.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A connection whose request, head and body, is not complete after this long is closed, and so is one without a request
    /// (10 s).
    pub request: Duration,
    /// A connection without another request is closed this long after an answer (5 minutes).
    pub keep_alive: Duration,
    /// A WebSocket over which nothing goes for this long is closed (10 minutes).
    pub idle: Duration,
    /// A WebSocket is closed after this long in any case (2 hours).
    pub life: Duration,
    /// How long the HTTP API waits for a function (30 s).
    pub http_integration: Duration,
    /// How long the WebSocket API waits for a function (29 s).
    pub websocket_integration: Duration,
    /// How many instances one function may have (128).
    pub max_instances: usize,
    /// An instance that had no event for this long is ended (5 minutes).
    pub instance_idle: Duration,
    /// The pause before the first retry of an asynchronous call (200 ms; a minute in the cloud). The second
    /// waits twice as long.
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
    /// The template.
    pub template: PathBuf,
    /// The folder of the function executables.
    pub binaries: PathBuf,
    /// Where the data lives.
    pub data: Data,
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// Values that replace what the template gives a function under the same name, and the default of the
    /// template parameter of that name (`ALLOWED_ORIGINS` is `AllowedOrigins`). Names the template does not
    /// use are ignored. The secret that a function's `X_ARN` names has the value of `X` here.
    pub variables: BTreeMap<String, String>,
    /// Values that every function gets, whatever the template says.
    pub extra_variables: BTreeMap<String, String>,
    /// The limits.
    pub limits: Limits,
    /// What is repeated of the functions' logs.
    pub echo: Echo,
    /// Starts one instance of each function at once rather than at its first event.
    pub prestart: bool,
}

impl Options {
    /// A studio in memory, on a free port of 127.0.0.1, silent, with AWS's limits: what a test wants.
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
    /// [`Options::new`] for this workspace: its `template.yaml`, and the executables beside the running one
    /// (a test's own lies one folder deeper, in `deps`).
    fn default() -> Self {
        Self::new(
            crate::command::workspace_root().join("template.yaml"),
            crate::command::executables_folder(),
        )
    }
}
