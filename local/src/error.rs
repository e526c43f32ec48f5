//! Why a studio did not start: each is one clear line.

use std::{io, path::PathBuf};

use crate::template::TemplateError;

/// Why a studio did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The template cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    ReadTemplate {
        /// The template.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The template cannot be used.
    #[error("{}: {source}", path.display())]
    Template {
        /// The template.
        path: PathBuf,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// A function's executable is not there.
    #[error("the executable of {function} is missing: {}", path.display())]
    MissingBinary {
        /// The function.
        function: String,
        /// Where the executable should be.
        path: PathBuf,
    },
    /// The public address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// `HOST:PORT`.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The data folder cannot be made or written.
    #[error("cannot write to the data folder {}: {source}", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another studio runs on the same data folder.
    #[error("another studio is running on the data folder {}", path.display())]
    DataFolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The database cannot be opened, or a table cannot be made.
    #[error("the database does not open: {0}")]
    Database(String),
    /// The system gave no randomness for the secret.
    #[error("no randomness for the secret: {0}")]
    Randomness(String),
    /// The template names no such secret, or it has no value.
    #[error("there is no secret {0}")]
    UnknownSecret(String),
    /// `.env` cannot be read.
    #[error("{}: {reason}", path.display())]
    DotEnv {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting of the command has a value it cannot have.
    #[error("{0}")]
    Setting(String),
    /// The functions did not build; cargo has said why.
    #[error("the functions did not build")]
    Build,
}
