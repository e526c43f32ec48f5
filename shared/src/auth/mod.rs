//! Who somebody is: passwords, access tokens, and the gate that every authenticated request passes.

mod frame_limiter;
mod gate;
mod keyring;
mod limiter;
mod opaque;
mod passwords;
mod refresh;
mod tokens;
mod totp;
mod views;
mod well_known;

pub use frame_limiter::{FrameLimiter, Pace};
pub use gate::{API_KEY_PREFIX, Caller, Gate, Refusal};
pub use keyring::{Key, Keyring, Keys, SecretKey};
pub use limiter::{CountedGuess, Limiter, check_allowance};
pub use opaque::{TICKET_PREFIX, UserSecret, hash_opaque, new_opaque};
pub use passwords::{NewPassword, Password, Passwords};
pub use refresh::RefreshToken;
pub use tokens::{Claim, Claims, Tokens};
pub use totp::{matching_step, new_recovery_codes, new_totp_secret, second_factor, totp_address};
pub use views::Views;
