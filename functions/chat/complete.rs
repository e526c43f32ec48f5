//! `POST /api/chat`: asks a model and answers with its reply. Without `conversationId`, nothing is stored; with it, the
//! last message is a turn of that conversation.

use serde::Deserialize;
use shared::Result;
use shared::chat::TurnRequest;
use shared::domain::{
    Content, ConversationId, Follows, GenerationParams, MessageId, ModelName, Prompt, Role,
};
use shared::error::{Code, Error};
use shared::http::{Answer, Request};
use shared::models::{Offer, PromptMessage, Question};
use utoipa::ToSchema;

use super::reply::ReplyAnswer;
use super::stored::AcceptedAnswer;
use super::{Chat, stored};
use crate::openapi::Prefer;

/// A question to a model. Extra fields are ignored, `stream` included.
#[derive(Deserialize, ToSchema)]
#[schema(as = Question, example = json!({"messages": [{"role": "user", "content": "hello"}]}))]
struct ChatRequest {
    #[schema(min_items = 1)]
    messages: Vec<QuestionMessage>,
    #[serde(rename = "conversationId")]
    conversation: Option<ConversationId>,
    model: Option<ModelName>,
    #[schema(minimum = 0, maximum = 2, default = 0.7)]
    temperature: Option<f64>,
    /// For models that reason, the default is 16,384, because they spend most of their tokens on reasoning.
    #[schema(minimum = 1, maximum = 131_072, default = 2048)]
    max_tokens: Option<u32>,
}

/// A message of the question.
#[derive(Deserialize, ToSchema)]
#[schema(as = QuestionMessage)]
struct QuestionMessage {
    /// Identifies the turn in a conversation: sending it again does not ask again. Ignored without `conversationId`.
    id: Option<MessageId>,
    content: Content,
    role: Role,
}

impl QuestionMessage {
    fn checked(self, place: usize) -> Result<Self> {
        let content = self.content.written_by(self.role);
        let content = content
            .map_err(|rule| Error::invalid_field(format!("messages[{place}].content"), rule.to_string()))?;
        Ok(Self { content, ..self })
    }
}

impl ChatRequest {
    fn checked(mut self) -> Result<Self> {
        let messages = self.messages.into_iter().enumerate();
        self.messages = messages.map(|(place, message)| message.checked(place)).collect::<Result<_>>()?;
        if self.messages.iter().any(|message| message.role == Role::User && !message.content.is_blank()) {
            return Ok(self);
        }
        Err(Error::invalid_field("messages", "must have a message of the user that is not blank"))
    }

    fn question(self, offer: &Offer) -> Result<Question> {
        let params = GenerationParams::parse(self.temperature, self.max_tokens)?;
        let model = self.model.unwrap_or_else(|| offer.default_model().clone());
        offer.find(&model)?;
        Ok(Question {
            model,
            messages: self
                .messages
                .into_iter()
                .map(|m| PromptMessage { role: m.role, content: m.content })
                .collect(),
            params,
        })
    }

    /// The last message as a turn. The stored conversation has the earlier messages.
    fn turn_request(mut self) -> Result<TurnRequest> {
        let last = self.messages.pop().filter(|last| last.role == Role::User);
        let last =
            last.ok_or_else(|| Error::invalid_field("messages", "must end with a message of the user"))?;
        let content = Prompt::try_from(last.content.as_str().to_owned());
        let content = content.map_err(|rule| Error::invalid_field("messages", rule.to_string()))?;
        Ok(TurnRequest {
            follows: Follows::Leaf,
            content,
            id: last.id,
            conversation: self.conversation,
            model: self.model,
            params: GenerationParams::parse(self.temperature, self.max_tokens)?,
        })
    }
}

/// Ask a model
///
/// Without `conversationId`, the model replies to the messages in the request, and nothing is stored. With
/// `conversationId`, the last of `messages` becomes a turn of that conversation, which is created if it does not
/// exist. The model then receives the stored history, and the `id` of the message makes the request idempotent. After
/// 25 s, the answer has the text so far, or is a 504 if there is none. With `Prefer: respond-async`, a stored turn is
/// answered at once with 202, and the reply is made afterwards.
#[utoipa::path(
    post,
    path = "/api/chat",
    operation_id = "chat",
    tag = "chat",
    params(Prefer),
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The reply.", body = ReplyAnswer<'_>),
        (
            status = 202,
            description = "The turn is stored. Its reply is made afterwards.",
            body = AcceptedAnswer<'_>,
            headers(("Location"), ("Preference-Applied"))
        )
    ),
    extensions(("x-codes" = json!([Code::NotFound, Code::ConversationDeleted, Code::MessageExists, Code::ReplyRunning, Code::Conflict, Code::LimitReached, Code::QuotaExceeded, Code::TooManyReplies, Code::UnknownModel, Code::ModelRefused, Code::ContentFiltered, Code::ModelsOff, Code::ModelOverloaded, Code::ModelUnavailable, Code::ModelMisconfigured, Code::EmptyReply, Code::MaxTokensReached, Code::Interrupted, Code::ModelTimeout]))),
)]
pub(super) async fn handle(chat: &Chat, request: &Request) -> Result<Answer> {
    let (_, user) = chat.app.admit(request).await?;
    let body = request.large_json::<ChatRequest>()?.checked()?;
    if body.conversation.is_some() {
        return stored::handle(chat, request, &user, body.turn_request()?).await;
    }
    let question = body.question(chat.models.offer())?;
    let answered = chat.inline.reply(&user, question).await?;
    Answer::ok(&ReplyAnswer {
        conversation_id: None,
        message_id: None,
        content: &answered.content,
        tokens: answered.tokens,
        model: &answered.model,
        finish_reason: answered.finish_reason,
        left_out: answered.left_out,
    })
}
