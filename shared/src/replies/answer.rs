//! A reply made within one request, for clients that wait for all of it.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::models::{Finish, Models, Piece, Question};

/// The HTTP API gives up after 30 s; this leaves room to answer.
const LONGEST: Duration = Duration::from_secs(25);

/// A reply, or as much of it as came in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The text.
    pub content: String,
    /// How many tokens it took.
    pub tokens: u64,
    /// `stop`, `length` or `deadline`.
    pub finish_reason: &'static str,
}

/// Asks a model and waits for the reply, 25 s at most.
pub async fn answer(models: &Models, question: &Question) -> Answered {
    let deadline = Instant::now() + LONGEST;
    let mut pieces = models.ask(question);
    let mut answered = Answered { content: String::new(), tokens: 0, finish_reason: "deadline" };
    while let Ok(piece) = timeout_at(deadline, pieces.next()).await {
        match piece {
            Some(Piece::Text { text, tokens }) => {
                answered.content.push_str(&text);
                answered.tokens += tokens;
            }
            Some(Piece::End(Finish::Length)) => {
                answered.finish_reason = "length";
                break;
            }
            Some(Piece::End(Finish::Stop)) => {
                answered.finish_reason = "stop";
                break;
            }
            // It broke off: what came is all there is.
            None => break,
        }
    }
    answered
}
