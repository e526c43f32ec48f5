//! What a conversation was when somebody saw it, and what somebody expects it to be.

use super::item::Revision;
use crate::error::{Code, Error, Result};

/// What a conversation was when it was seen: every change makes another one. Fit for an `ETag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    pub(in crate::store) fn new(version: u64, revision: &Revision) -> Self {
        Self(format!("{version}.{}", revision.as_str()))
    }

    /// The text of it: digits, letters and a dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a client expects a conversation to be when it changes it (`If-Match`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    #[default]
    Anything,
    /// One of these versions.
    OneOf(Vec<String>),
}

impl Expected {
    /// Whether it is that.
    ///
    /// # Errors
    /// [`Code::PreconditionFailed`].
    pub fn check(&self, version: &Version) -> Result<()> {
        match self {
            Self::OneOf(versions) if !versions.iter().any(|expected| expected == version.as_str()) => {
                Err(Error::new(Code::PreconditionFailed, "The conversation has changed since it was read"))
            }
            _ => Ok(()),
        }
    }
}
