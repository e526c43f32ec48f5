//! Turns and their replies: a turn is stored, a worker makes the reply, and subscribers receive it while it is
//! generated.

mod connections;
mod context;
mod control;
mod draft;
mod finish;
mod greeting;
mod inline;
mod live_reply;
mod pacing;
mod subscribers;
mod task;
mod title_text;
mod titles;
mod turns;
mod worker;

pub use connections::{Connections, Delivery};
pub use control::{ReplyControl, ReplyRef};
pub use finish::FinishedReply;
pub use greeting::greet;
pub use inline::{INLINE_TIMEOUT, InlineReplies, InlineReply};
pub use task::ReplyTask;
pub use title_text::title_of;
pub use titles::Titles;
pub use turns::{Limits, RegenerateRequest, TurnRequest, Turns};
pub use worker::{TimeLimits, Worker};
