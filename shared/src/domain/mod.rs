//! The domain types of the product: no AWS, no HTTP, no clock, no I/O.

pub mod accounts;
pub mod conversations;
pub mod id;
mod idempotency;
pub mod limit;
mod reservation;
pub mod statistics;
mod text;
pub mod time;
pub mod usage;
mod visible;

pub use accounts::account::{ApiKey, DisplayName, Email, KeyName, SecondFactor, Totp, User, Username};
pub use accounts::claimed_user::ClaimedUser;
pub use accounts::connection::{Owner, TokenEnd};
pub use accounts::login_name::LoginName;
pub use accounts::session::LoggedIn;
pub use conversations::branch::Branch;
pub use conversations::conversation::{Conversation, Filing, Folder, Summary, Tag, Tags};
pub use conversations::generation::{GenerationParams, ParamOutOfRange};
pub use conversations::message::{Follows, Message, Role};
pub use conversations::reply::{Charge, Ending, ReplyPlace, ReplyStatus};
pub use conversations::version::{Expected, Version};
pub use id::{ConnectionId, ConversationId, Credential, KeyId, MessageId, SessionId, UserId};
pub use idempotency::{IdempotencyKey, Once};
pub use limit::{Allowance, FREE_FAILURES, Failures, Network, Rate, Requester};
pub use reservation::{Held, Reservation};
pub use text::{Content, ModelName, Prompt, RuleBroken, SystemPrompt, Title, TokenCount};
pub use time::{Day, Millis};
pub use usage::Usage;
pub use visible::{Visible, is_visible, turns_direction};
