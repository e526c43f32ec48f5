//! A reply made within one request, for clients that wait for all of it.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::so_far::{Ended, LONGEST_REPLY, SoFar};
use crate::domain::ModelName;
use crate::error::Result;
use crate::models::{FailureKind, Models, Question};

/// The HTTP API gives up after 30 s; this leaves room to answer.
const LONGEST: Duration = Duration::from_secs(25);

/// A reply, or as much of it as came in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The text.
    pub content: String,
    /// How many tokens it took.
    pub tokens: u64,
    /// The model that answered.
    pub model: ModelName,
    /// `stop`, `length`, `content_filter`, `interrupted` or `deadline`.
    pub finish_reason: &'static str,
}

/// Asks a model and waits for the reply, 25 s at most.
///
/// # Errors
/// Why the model gave nothing.
pub async fn answer(models: &Models, question: &Question) -> Result<Answered> {
    let deadline = Instant::now() + LONGEST;
    let mut pieces = models.ask(question);
    let mut said = SoFar::default();
    let finish_reason = loop {
        match timeout_at(deadline, pieces.next()).await {
            Ok(Some(piece)) => {
                if let Some(ended) = said.take(piece) {
                    break said.finish_reason(ended)?;
                }
            }
            Ok(None) => break said.finish_reason(Ended::Failed(FailureKind::BrokeOff.into()))?,
            Err(_late) => break "deadline",
        }
        if said.text.len() >= LONGEST_REPLY {
            break "length";
        }
    };
    let (usage, model) = (said.usage(question), said.model.clone().unwrap_or_else(|| question.model.clone()));
    Ok(Answered { content: said.text, tokens: usage.output, model, finish_reason })
}
