//! Versions of a conversation, and the version that a client expects.

/// The version of a conversation: every change makes another one. Used as `ETag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The version with this number within a revision of the messages.
    #[must_use]
    pub fn new(number: u64, revision: &str) -> Self {
        Self(format!("{number}.{revision}"))
    }

    /// The text of the version: digits, letters and a dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The version that a client expects a conversation to have when it changes it (`If-Match`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Any version.
    #[default]
    Anything,
    /// One of these versions.
    OneOf(Vec<String>),
}

impl Expected {
    /// Whether `version` is an expected one.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        match self {
            Self::Anything => true,
            Self::OneOf(versions) => versions.iter().any(|expected| expected == version.as_str()),
        }
    }
}
