//! What attackers try, and what must stay secret.

pub(crate) mod echoes;
pub(crate) mod forgeries;
pub(crate) mod guesses;
pub(crate) mod isolation;
pub(crate) mod key_rotation;
pub(crate) mod revocation;
pub(crate) mod secrecy;
