//! Authentication: passwords, tokens, the second factor, the `Authenticator` that every authenticated request passes,
//! and the limits on guesses, requests and frames.

mod authenticator;
mod frame_limiter;
mod keyring;
mod limiter;
mod login_guard;
mod opaque;
mod passwords;
mod refresh;
mod tokens;
mod totp;
mod ttl_cache;
mod well_known;

pub use authenticator::{API_KEY_PREFIX, AuthError, Authenticator, Caller};
pub use frame_limiter::{Count, FrameLimiter, Pace};
pub use keyring::{Keyring, SecretKey, SigningKey, SigningKeys};
pub use limiter::{Limiter, check_allowance};
pub use login_guard::{Confirmation, Credentials, LoginGuard, VerifiedLogin, wrong_credentials};
pub use opaque::{TICKET_PREFIX, UserSecret, hash_opaque, new_opaque};
pub use passwords::{NewPassword, Password, Passwords};
pub use refresh::RefreshToken;
pub use tokens::{Claim, Claims, Tokens};
pub use totp::{new_recovery_codes, new_totp_secret, totp_address};
pub use ttl_cache::TtlCache;
