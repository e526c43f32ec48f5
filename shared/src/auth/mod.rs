//! Who somebody is: passwords, access tokens, and the gate that every authenticated request passes.

mod gate;
mod keyring;
mod limiter;
mod opaque;
mod passwords;
mod refresh;
mod tokens;

pub use gate::{API_KEY_PREFIX, Caller, Gate, Refusal};
pub use limiter::{Limiter, check_allowance};
pub use opaque::{hash_opaque, new_opaque};
pub use passwords::{Password, Passwords};
pub use keyring::{Key, Keyring, Keys, SecretKey};
pub use refresh::RefreshToken;
pub use tokens::{Claim, Claims, Tokens};
