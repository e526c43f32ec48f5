//! Randomness of the operating system.

use crate::error::Error;

/// Bytes of a secret; it is spelled in twice as many letters.
const SECRET_BYTES: usize = 32;

/// A secret of 64 hexadecimal letters, which nobody can guess.
pub(crate) fn new_secret() -> Result<String, Error> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
