//! `POST /api/chat`: a reply to the messages in the request, which are not stored.

use serde::{Deserialize, Serialize};
use shared::Result;
use shared::domain::{Content, ModelName, Role};
use shared::error::Error;
use shared::http::{Answer, Request};
use shared::models::{Offer, Question, Said};
use shared::replies::{answer, check_max_tokens, check_temperature};

use super::Chat;

#[derive(Deserialize)]
struct ChatBody {
    messages: Vec<MessageBody>,
    model: Option<ModelName>,
    temperature: Option<f64>,
    max_tokens: Option<u32>,
}

/// A message as a client sends it; its id and time mean nothing here.
#[derive(Deserialize)]
struct MessageBody {
    content: Content,
    role: Role,
}

#[derive(Serialize)]
struct ChatAnswer {
    content: String,
    tokens: u64,
    model: ModelName,
    finish_reason: &'static str,
}

impl ChatBody {
    fn question(self, offer: &Offer) -> Result<Question> {
        if !self.messages.iter().any(|message| message.role == Role::User && !message.content.is_blank()) {
            return Err(Error::invalid_field(
                "messages",
                "must hold a message of the user that is not blank",
            ));
        }
        let model = offer.find(self.model.as_ref().unwrap_or_else(|| offer.default_model()))?.id;
        Ok(Question {
            model,
            messages: self.messages.into_iter().map(|m| Said { role: m.role, content: m.content }).collect(),
            temperature: check_temperature(self.temperature)?,
            max_tokens: check_max_tokens(self.max_tokens)?,
        })
    }
}

pub(super) async fn handle(chat: &Chat, request: &Request) -> Result<Answer> {
    chat.base.caller(request).await?;
    let question = request.large_json::<ChatBody>()?.question(chat.models.offer())?;
    let answered = answer(&chat.models, &question).await?;
    Answer::ok(&ChatAnswer {
        content: answered.content,
        tokens: answered.tokens,
        model: answered.model,
        finish_reason: answered.finish_reason,
    })
}
