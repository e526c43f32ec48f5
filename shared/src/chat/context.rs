//! The context of a reply: what a model is asked, made of the conversation's history and cut to the model's context
//! window.

use super::turns::Turns;
use crate::domain::{Content, Role};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::models::{Fitted, Offer, PromptMessage, Question, fit};
use crate::store::{Lease, Raised, Store};

/// A question to a model, and what did not fit into it.
pub(super) struct Context {
    pub(super) question: Question,
    /// How many of the oldest messages did not fit into the model's context window.
    pub(super) left_out: usize,
}

/// Builds the question that a reply answers, and raises the reservation to what it costs: when the turn began, the cost
/// was only estimated.
///
/// # Errors
/// [`Code::NotFound`] when the conversation was deleted or the lease was lost, [`Code::LimitReached`] when the cost
/// exceeds the user's limit, or when DynamoDB cannot be reached.
pub(super) async fn build(store: &Store, offer: &Offer, turns: &Turns, lease: &mut Lease) -> Result<Context> {
    let messages = history(store, lease).await?;
    let entry = offer.find(&lease.model)?;
    let Fitted { messages, left_out, params } = fit(messages, &entry, lease.params);
    let question = Question { model: lease.model.clone(), messages, params };
    match Box::pin(turns.raise(lease, &question)).await? {
        Raised::Held => Ok(Context { question, left_out }),
        Raised::Refused(error) => Err(error),
        Raised::Lost => Err(Error::no_conversation()),
    }
}

/// The system prompt, the messages before the reply, and the user's message of a turn outside of any conversation.
async fn history(store: &Store, lease: &Lease) -> Result<Vec<PromptMessage>> {
    let mut messages = Vec::new();
    if lease.place.within.is_some() {
        let history = store.find_history(&lease.place).await?;
        let (summary, before) = history.ok_or_else(Error::no_conversation)?;
        let system = summary.system_prompt.map(|prompt| Content::of_reply(prompt.as_str()));
        messages.extend(system.map(|content| PromptMessage { role: Role::System, content }));
        let earlier = before.into_iter();
        messages
            .extend(earlier.map(|message| PromptMessage { role: message.role, content: message.content }));
    }
    messages.extend(lease.prompt.clone().map(|content| PromptMessage { role: Role::User, content }));
    Ok(messages)
}
