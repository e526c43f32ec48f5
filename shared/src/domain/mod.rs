//! The nouns of the product, in plain Rust: no AWS, no HTTP, no clock, no I/O.

pub mod account;
pub mod branch;
pub mod claimed_user;
pub mod conversation;
pub mod id;
pub mod limit;
mod login_name;
pub mod message;
pub mod session;
pub mod statistics;
mod text;
pub mod time;
pub mod usage;
mod visible;

pub use account::{ApiKey, DisplayName, Email, KeyName, SecondFactor, Totp, User, Username};
pub use branch::Branch;
pub use claimed_user::ClaimedUser;
pub use conversation::{Conversation, Filing, Folder, Summary, Tag, Tags};
pub use id::{ConnectionId, ConversationId, Credential, KeyId, MessageId, SessionId, UserId};
pub use limit::{Allowance, FREE_FAILURES, Failures, Network, Rate, Requester};
pub use login_name::LoginName;
pub use message::{Message, ReplyStatus, Role};
pub use session::LoggedIn;
pub use text::{Content, ModelName, Prompt, RuleBroken, SystemPrompt, Title, TokenCount};
pub use time::{Day, Millis};
pub use usage::Usage;
pub use visible::{Visible, is_visible, turns_direction};
