//! What attackers try, and what must stay secret.

mod echoes;
pub(crate) mod forgeries;
mod guesses;
mod isolation;
mod key_rotation;
mod revocation;
mod secrecy;
