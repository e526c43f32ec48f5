//! The errors that prevent a studio from starting. Each is one line.

use std::{io, path::PathBuf};

use crate::template::TemplateError;

/// The reason why a studio did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The template cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    ReadTemplate {
        /// The path of the template.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The template cannot be used.
    #[error("{}: {source}", path.display())]
    Template {
        /// The path of the template.
        path: PathBuf,
        /// The problem.
        source: TemplateError,
    },
    /// The executable of a function does not exist.
    #[error("the executable of {function} is missing: {}", path.display())]
    MissingBinary {
        /// The name of the function.
        function: String,
        /// The path of the executable.
        path: PathBuf,
    },
    /// The studio cannot listen on an address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// `HOST:PORT`.
        address: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The data folder cannot be created or written.
    #[error("cannot write to the data folder {}: {source}", path.display())]
    DataFolder {
        /// The path of the folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another studio uses the data folder.
    #[error("another studio uses the data folder {}", path.display())]
    DataFolderInUse {
        /// The path of the folder.
        path: PathBuf,
    },
    /// The database cannot be opened, or a table cannot be created.
    #[error("cannot open the database: {0}")]
    Database(String),
    /// The operating system provided no random numbers for a secret.
    #[error("cannot generate a secret: {0}")]
    Randomness(String),
    /// The template names no secret of this name, or the secret has no value.
    #[error("there is no secret {0}")]
    UnknownSecret(String),
    /// `.env` cannot be read.
    #[error("{}: {reason}", path.display())]
    DotEnv {
        /// The path of the file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// A setting of the command is invalid.
    #[error("{0}")]
    Setting(String),
    /// The functions cannot be built. Cargo has printed the reason.
    #[error("cannot build the functions")]
    Build,
}
