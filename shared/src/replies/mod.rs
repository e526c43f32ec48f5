//! The life of a reply: a turn is stored and handed over, a worker makes the reply and pushes it while it comes.

mod answer;
mod control;
mod fit;
mod greeting;
mod handover;
mod making;
mod outlets;
mod pacing;
mod so_far;
mod titles;
mod turns;
mod worker;

pub use answer::{Answered, Answers, LONGEST_ANSWER};
pub use control::{Replies, Wanted};
pub use greeting::greet;
pub use handover::Task;
pub use titles::Titles;
pub use turns::{Limits, Turns, Wish};
pub use worker::{Made, Time, Worker};

use crate::domain::{Prompt, Title};
use crate::error::{Error, Result};

/// The temperature when a client names none.
pub const DEFAULT_TEMPERATURE: f64 = 0.7;
/// The most tokens of a reply when a client names no number.
pub const DEFAULT_MAX_TOKENS: u32 = 2048;
/// No model writes more at once.
const MOST_TOKENS: u32 = 131_072;
/// A title made of a message has at most so many characters.
const TITLE_LENGTH: usize = 40;

/// A temperature that models take.
///
/// # Errors
/// The rule, when it is none.
pub fn check_temperature(temperature: Option<f64>) -> Result<f64> {
    let temperature = temperature.unwrap_or(DEFAULT_TEMPERATURE);
    if (0.0..=2.0).contains(&temperature) {
        return Ok(temperature);
    }
    Err(Error::invalid_field("temperature", "must be from 0 to 2"))
}

/// A number of tokens that a client may ask for.
///
/// # Errors
/// The rule, when it is none.
pub fn check_max_tokens(max_tokens: Option<u32>) -> Result<u32> {
    let max_tokens = max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    if (1..=MOST_TOKENS).contains(&max_tokens) {
        return Ok(max_tokens);
    }
    Err(Error::invalid_field("max_tokens", format!("must be from 1 to {MOST_TOKENS}")))
}

/// A title for a conversation that begins with this message: its first line, cut short.
#[must_use]
pub fn title_of(prompt: &Prompt) -> Title {
    let line = prompt.as_str().lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let short: String = line.chars().filter(|c| !c.is_control()).take(TITLE_LENGTH).collect();
    Title::try_from(short).unwrap_or_else(|_| Title::untitled())
}
