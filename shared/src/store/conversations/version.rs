//! The check of the version that a client expects.

use crate::domain::{Expected, Version};
use crate::error::{Code, Error, Result};

/// Refuses a change when the conversation has another version than its client expects.
///
/// # Errors
/// [`Code::PreconditionFailed`].
pub(in crate::store) fn check_version(expected: &Expected, version: &Version) -> Result<()> {
    if expected.allows(version) {
        return Ok(());
    }
    Err(Error::new(Code::PreconditionFailed, "The conversation has changed since it was read"))
}
