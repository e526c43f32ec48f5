//! The title of a new conversation, generated from its first exchange by the model that answered.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::Connections;
use super::draft::{ModelEnd, ReplyDraft, Step};
use super::title_text::{after_reasoning, begins_with_reasoning, title_in, title_of};
use super::turns::{Turns, charge_of};
use crate::clock;
use crate::domain::{
    Content, GenerationParams, Message, Prompt, ReplyPlace, ReplyStatus, Role, Summary, Title,
};
use crate::error::Result;
use crate::models::{Capability, Finish, Models, PromptMessage, Provider, Question};
use crate::sockets::ServerFrame;
use crate::store::{FoundReply, Store};

/// How long a model may take.
const TIMEOUT: Duration = Duration::from_secs(20);
const TIMEOUT_WITH_REASONING: Duration = Duration::from_secs(60);
/// How many characters of each message the model is shown.
const EXCERPT_CHARS: usize = 1000;
const MAX_TOKENS: u32 = 64;
const MAX_TOKENS_WITH_REASONING: u32 = 1024;
/// Low, so that titles are plain.
const TEMPERATURE: f64 = 0.2;
/// Must contain the word "title": fake providers in tests recognise title requests by it.
const INSTRUCTIONS: &str = "Give the conversation that follows a title of at most six words, in its own language. \
    Answer with the title alone: no quotation marks, no full stop.";

/// Generates titles. Cloning it is cheap.
#[derive(Clone)]
pub struct Titles {
    store: Store,
    models: Models,
    turns: Turns,
    connections: Connections,
}

/// A question for a title.
struct TitleQuestion {
    /// The title that the conversation has until then, made of its first words.
    first_words: Title,
    question: Question,
}

impl Titles {
    /// Generates titles with `models`, stores them in `store`, accounts for them through `turns`, and pushes them to
    /// `connections`.
    #[must_use]
    pub fn new(store: Store, models: Models, turns: Turns, connections: Connections) -> Self {
        Self { store, models, turns, connections }
    }

    /// Generates the title of the conversation that began with the reply at `place`. Keeps a title that the user has
    /// given. With the offline model, the title made of the first words stays.
    ///
    /// # Errors
    /// When the user's limit is reached, or DynamoDB cannot be reached. The title made of the first words then stays,
    /// too.
    pub async fn generate(&self, place: &ReplyPlace) -> Result<()> {
        let Some(id) = place.conversation() else { return Ok(()) };
        let Some(TitleQuestion { first_words, question }) = self.find_question(place).await? else {
            return Ok(());
        };
        let Some(user) = self.store.find_user(place.user).await?.map(Arc::new) else { return Ok(()) };
        let held = self.turns.reserve(&user, &question).await?;
        let (draft, is_whole) = self.ask(&question).await;
        let model = draft.model.as_ref().unwrap_or(&question.model);
        let charge = charge_of(self.models.offer(), model, draft.usage());
        self.turns.settle(user.id, &held, Some(&charge)).await?;
        // An answer that was cut off or filtered is no title.
        let Some(title) = title_in(&draft.text).filter(|_| is_whole) else { return Ok(()) };
        if self.store.rename_conversation(user.id, id, &first_words, &title).await? {
            let frame = ServerFrame::ChatTitle { conversation_id: id.clone(), title };
            self.connections.push_to_all(user.id, &frame, clock::now()).await?;
        }
        Ok(())
    }

    /// What to ask a model. `None` when the conversation needs no other title.
    async fn find_question(&self, place: &ReplyPlace) -> Result<Option<TitleQuestion>> {
        let history = self.store.find_history(place).await?;
        let reply =
            self.store.find_reply(place.user, place.conversation(), &place.message, clock::now()).await?;
        let (Some((summary, history)), Some(FoundReply::Ended(_, reply, _))) = (history, reply) else {
            return Ok(None);
        };
        self.question(&summary, &history, &reply)
    }

    fn question(
        &self,
        summary: &Summary,
        history: &[Message],
        reply: &Message,
    ) -> Result<Option<TitleQuestion>> {
        let [asked] = history else { return Ok(None) };
        let is_complete = reply.status == Some(ReplyStatus::Complete);
        let prompt = Prompt::try_from(asked.content.as_str().to_owned());
        let (Ok(prompt), Some(model), true) = (prompt, &reply.model, is_complete) else { return Ok(None) };
        let first_words = title_of(&prompt);
        let entry = self.models.offer().find(model)?;
        if entry.provider == Provider::Offline || summary.title != first_words {
            return Ok(None);
        }
        let answer = reply.content.as_str();
        let reasons = entry.can(Capability::Reasoning) || begins_with_reasoning(answer);
        let max_tokens = if reasons { MAX_TOKENS_WITH_REASONING } else { MAX_TOKENS };
        let params = GenerationParams::parse(Some(TEMPERATURE), Some(max_tokens))?;
        let messages = title_request(asked.content.as_str(), answer);
        Ok(Some(TitleQuestion { first_words, question: Question { model: entry.id, messages, params } }))
    }

    /// The model's answer, and whether the model finished it.
    async fn ask(&self, question: &Question) -> (ReplyDraft, bool) {
        let reasons = question.params.max_tokens() > Some(MAX_TOKENS);
        let deadline = Instant::now() + if reasons { TIMEOUT_WITH_REASONING } else { TIMEOUT };
        let mut draft = ReplyDraft::default();
        draft.estimate_input(question);
        let mut pieces = self.models.ask(question);
        while let Ok(Some(piece)) = timeout_at(deadline, pieces.next()).await {
            if let Step::Ended(end) = draft.take(piece) {
                return (draft, end == ModelEnd::Finished(Finish::Stop));
            }
        }
        (draft, false)
    }
}

/// The instructions, and an excerpt of the first exchange.
fn title_request(prompt: &str, answer: &str) -> Vec<PromptMessage> {
    let excerpt = |text: &str| text.chars().take(EXCERPT_CHARS).collect::<String>();
    let answer = after_reasoning(answer).unwrap_or(answer);
    let exchange = format!("User: {}\n\nAssistant: {}", excerpt(prompt), excerpt(answer));
    let message = |role, text: &str| PromptMessage { role, content: Content::of_reply(text) };
    vec![message(Role::System, INSTRUCTIONS), message(Role::User, &exchange)]
}
