//! The check of the version that a client expects.

use crate::domain::{Expected, Version};
use crate::error::{Code, Error, Result};

/// Checks that the conversation has a version that the client expects.
///
/// # Errors
/// [`Code::PreconditionFailed`].
pub(in crate::store) fn check_version(expected: &Expected, version: &Version) -> Result<()> {
    if expected.allows(version) {
        return Ok(());
    }
    Err(Error::new(Code::PreconditionFailed, "The conversation has changed since it was read"))
}
