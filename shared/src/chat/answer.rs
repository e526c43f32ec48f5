//! A reply made within one request, for clients that wait for all of it. Nothing of it is stored but what it used.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::so_far::{Ended, SoFar, Step};
use super::turns::{Turns, charge};
use crate::domain::{ModelName, User};
use crate::error::Result;
use crate::models::{Failure, FailureKind, Fitted, Models, Question, fit};

/// The HTTP API gives up after 30 s; this leaves room to answer.
pub const LONGEST_ANSWER: Duration = Duration::from_secs(25);

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
    /// How many of the oldest messages the model was not sent, for lack of room; none when it was sent all.
    pub left_out: Option<usize>,
}

/// Answers within a request.
#[derive(Clone)]
pub struct Answers {
    models: Models,
    turns: Turns,
}

impl Answers {
    /// Over these.
    #[must_use]
    pub fn new(models: Models, turns: Turns) -> Self {
        Self { models, turns }
    }

    /// Asks a model and waits for the reply, 25 s at most. What it may use is reserved before, and what it used settled after.
    ///
    /// # Errors
    /// [`crate::error::Code::UnknownModel`]; that the budget is spent; why the model gave nothing.
    pub async fn answer(&self, user: &Arc<User>, question: Question) -> Result<Answered> {
        let deadline = Instant::now() + LONGEST_ANSWER;
        let entry = self.models.offer().find(&question.model)?;
        let Fitted { messages, left_out, params } = fit(question.messages, &entry, question.params);
        let question = Question { messages, params, ..question };
        let held = self.turns.reserve(user, &question).await?;
        let mut said = SoFar::default();
        said.reads(&question);
        said.left_out = left_out;
        let finish_reason = self.listen(&question, &mut said, deadline).await;
        let model = said.model.clone().unwrap_or_else(|| question.model.clone());
        let charge = charge(self.models.offer(), &model, said.usage());
        self.turns.settle(user.id, &held, Some(&charge)).await?;
        Ok(Answered {
            content: said.text,
            tokens: charge.usage.output,
            model,
            finish_reason: finish_reason?,
            left_out: (said.left_out > 0).then_some(said.left_out),
        })
    }

    /// Takes what the model says until it ends, and gives the reason why it does.
    async fn listen(&self, question: &Question, said: &mut SoFar, deadline: Instant) -> Result<&'static str> {
        let mut pieces = self.models.ask(question);
        loop {
            match timeout_at(deadline, pieces.next()).await {
                Ok(Some(piece)) => {
                    if let Step::Ended(ended) = said.take(piece) {
                        return said.finish_reason(ended);
                    }
                }
                Ok(None) => return said.finish_reason(Ended::Failed(FailureKind::BrokeOff.into())),
                Err(_late) if said.text.is_empty() => return Err(Failure::from(FailureKind::TimedOut).into()),
                Err(_late) => return Ok("deadline"),
            }
            if said.is_full() {
                return Ok("length");
            }
        }
    }
}
