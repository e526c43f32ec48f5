//! Random numbers from the operating system.

use crate::error::Error;

/// The number of bytes in a secret, which has twice as many hexadecimal digits.
const SECRET_BYTES: usize = 32;

/// A new random secret of 64 hexadecimal digits.
pub(crate) fn new_secret() -> Result<String, Error> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
