//! The life of a reply: a turn is stored and handed over, a worker makes the reply and pushes it while it comes.

mod answer;
mod control;
mod greeting;
mod handover;
mod making;
mod outlets;
mod pacing;
mod so_far;
mod title_text;
mod titles;
mod turns;
mod worker;

pub use answer::{Answered, Answers, LONGEST_ANSWER};
pub use control::{Replies, Wanted};
pub use greeting::greet;
pub use handover::Task;
pub use title_text::title_of;
pub use titles::Titles;
pub use turns::{Again, Limits, Turns, Wish};
pub use worker::{Made, Time, Worker};
