//! Replies that are made within one HTTP request and are not stored. Only their cost is recorded.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::draft::{ModelEnd, ReplyDraft, Step};
use super::turns::{Turns, charge_of};
use crate::domain::{ModelName, User};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::models::{FailureKind, Fitted, ModelFailure, Models, Question, fit};

/// How long a reply within a request may take. The HTTP API gives up after 30 s.
pub const INLINE_TIMEOUT: Duration = Duration::from_secs(25);

/// A reply, or the part of it that arrived in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineReply {
    /// The text.
    pub content: String,
    /// The number of tokens of the reply.
    pub tokens: u64,
    /// The model that answered.
    pub model: ModelName,
    /// `stop`, `length`, `content_filter`, `interrupted` or `deadline`.
    pub finish_reason: &'static str,
    /// How many of the oldest messages did not fit into the model's context window. `None` when all fitted.
    pub left_out: Option<usize>,
}

/// Makes replies within a request.
#[derive(Clone)]
pub struct InlineReplies {
    models: Models,
    turns: Turns,
}

impl InlineReplies {
    /// Asks the given models, and reserves and settles the cost through `turns`.
    #[must_use]
    pub fn new(models: Models, turns: Turns) -> Self {
        Self { models, turns }
    }

    /// Asks a model and waits up to 25 s for the reply. Reserves the cost before, and settles it afterwards.
    ///
    /// # Errors
    /// [`Code::UnknownModel`], [`Code::LimitReached`], or the failure of a model that sent no text.
    pub async fn reply(&self, user: &Arc<User>, question: Question) -> Result<InlineReply> {
        let deadline = Instant::now() + INLINE_TIMEOUT;
        let entry = self.models.offer().find(&question.model)?;
        let Fitted { messages, left_out, params } = fit(question.messages, &entry, question.params);
        let question = Question { messages, params, ..question };
        let held = self.turns.reserve(user, &question).await?;
        let mut draft = ReplyDraft::default();
        draft.estimate_input(&question);
        draft.left_out = left_out;
        let finish_reason = self.generate(&question, &mut draft, deadline).await;
        let model = draft.model.clone().unwrap_or_else(|| question.model.clone());
        let charge = charge_of(self.models.offer(), &model, draft.usage());
        self.turns.settle(user.id, &held, Some(&charge)).await?;
        Ok(InlineReply {
            content: draft.text,
            tokens: charge.usage.output,
            model,
            finish_reason: finish_reason?,
            left_out: (draft.left_out > 0).then_some(draft.left_out),
        })
    }

    /// Adds what the model sends to `draft` until the reply ends. Returns the `finish_reason`.
    async fn generate(
        &self,
        question: &Question,
        draft: &mut ReplyDraft,
        deadline: Instant,
    ) -> Result<&'static str> {
        let mut pieces = self.models.ask(question);
        loop {
            match timeout_at(deadline, pieces.next()).await {
                Ok(Some(piece)) => {
                    if let Step::Ended(end) = draft.take(piece) {
                        return draft.finish_reason(end);
                    }
                }
                Ok(None) => return draft.finish_reason(ModelEnd::Failed(FailureKind::BrokeOff.into())),
                Err(_late) if draft.text.is_empty() => {
                    return Err(ModelFailure::from(FailureKind::TimedOut).into());
                }
                Err(_late) => return Ok("deadline"),
            }
            if draft.is_full() {
                return Ok("length");
            }
        }
    }
}
