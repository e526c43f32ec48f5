//! Who somebody is: passwords, access tokens, and the gate that every authenticated request passes.

mod gate;
mod passwords;
mod refresh;
mod tokens;

pub use gate::{Caller, Gate, Refusal};
pub use passwords::{Password, Passwords};
pub use refresh::{RefreshKey, RefreshToken};
pub use tokens::{Claims, SecretKey, Tokens};
