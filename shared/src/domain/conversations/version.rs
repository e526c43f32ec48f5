//! Versions of a conversation (`ETag`) and the versions that a client expects (`If-Match`).

/// The version of a conversation. Every change of the conversation gives it a new version. Served as `ETag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The version with this number in the given revision of the messages.
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

/// The versions in which a client accepts to change a conversation (`If-Match`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Any version.
    #[default]
    Anything,
    /// One of these versions.
    OneOf(Vec<String>),
}

impl Expected {
    /// Whether `version` is one of the expected versions.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        match self {
            Self::Anything => true,
            Self::OneOf(versions) => versions.iter().any(|expected| expected == version.as_str()),
        }
    }
}
