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

use crate::error::{Error, Result};

/// The temperature when a client names none.
pub const DEFAULT_TEMPERATURE: f64 = 0.7;
/// No model writes more at once.
const MOST_TOKENS: u32 = 131_072;

/// A temperature that models take, rounded to a millionth: DynamoDB stores no number below 10⁻¹³⁰, and no model knows the
/// difference.
///
/// # Errors
/// The rule, when it is none.
pub fn check_temperature(temperature: Option<f64>) -> Result<f64> {
    let temperature = temperature.unwrap_or(DEFAULT_TEMPERATURE);
    if (0.0..=2.0).contains(&temperature) {
        return Ok((temperature * 1e6).round() / 1e6);
    }
    Err(Error::invalid_field("temperature", "must be from 0 to 2"))
}

/// A number of tokens that a client may ask for. Without one, the model decides.
///
/// # Errors
/// The rule, when it is none.
pub fn check_max_tokens(max_tokens: Option<u32>) -> Result<Option<u32>> {
    if max_tokens.is_none_or(|max_tokens| (1..=MOST_TOKENS).contains(&max_tokens)) {
        return Ok(max_tokens);
    }
    Err(Error::invalid_field("max_tokens", format!("must be from 1 to {MOST_TOKENS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_is_one_that_can_be_stored() {
        let checked = |temperature| check_temperature(Some(temperature)).ok();
        assert_eq!([0.7, 0.1, 2.0, 1.3].map(checked), [0.7, 0.1, 2.0, 1.3].map(Some));
        assert_eq!([5e-324, 1e-200, -0.0].map(checked), [Some(0.0); 3]);
        assert_eq!([-0.1, 2.000_001, f64::NAN].map(checked), [None; 3]);
    }
}
