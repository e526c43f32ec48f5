//! The title of a new conversation, made of its first exchange by the model that answered.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::so_far::{Ended, SoFar, Step};
use super::title_text::{behind_thoughts, has_thoughts, title_in, title_of};
use super::turns::{Turns, charge};
use crate::clock;
use crate::domain::{
    Content, GenerationParams, Message, Prompt, ReplyPlace, ReplyStatus, Role, Summary, Title,
};
use crate::error::Result;
use crate::models::{Capability, Finish, Models, Provider, Question, Said};
use crate::sockets::{Push, ServerFrame};
use crate::store::{FoundReply, Store};

/// How long a title may take, also of a model that thinks first.
const LONGEST: Duration = Duration::from_secs(20);
const LONGEST_WITH_THOUGHTS: Duration = Duration::from_secs(60);
/// So much of each message is shown to the model.
const SHOWN: usize = 1000;
/// The most tokens of an answer, also of a model that thinks first.
const MOST_TOKENS: u32 = 64;
const MOST_TOKENS_WITH_THOUGHTS: u32 = 1024;
/// Low, so that titles are plain.
const TEMPERATURE: f64 = 0.2;
const INSTRUCTIONS: &str = "Give the conversation that follows a title of at most six words, in its own language. \
    Answer with the title alone: no quotation marks, no full stop.";

/// Gives conversations their titles.
#[derive(Clone)]
pub struct Titles {
    store: Store,
    models: Models,
    turns: Turns,
    push: Push,
}

impl Titles {
    /// Over these.
    #[must_use]
    pub fn new(store: Store, models: Models, turns: Turns, push: Push) -> Self {
        Self { store, models, turns, push }
    }

    /// Gives the conversation that began with this reply a title of its first exchange, unless its user has given it one. The offline model gives none:
    /// the first words stay.
    ///
    /// # Errors
    /// When the budget is spent, the model fails, or DynamoDB is out of reach; the first words stay then, too.
    pub async fn give(&self, place: &ReplyPlace) -> Result<()> {
        let Some(id) = place.conversation() else { return Ok(()) };
        let user = place.user;
        let history = self.store.find_history(place).await?;
        let reply = self.store.find_reply(user, Some(id), &place.message, clock::now()).await?;
        let (Some((summary, history)), Some(FoundReply::Ended(_, reply, _))) = (history, reply) else {
            return Ok(());
        };
        let Some((first_words, question)) = self.question(&summary, &history, &reply)? else { return Ok(()) };
        let Some(user) = self.store.find_user(user).await?.map(std::sync::Arc::new) else { return Ok(()) };
        let held = self.turns.reserve(&user, &question).await?;
        let (said, is_whole) = self.ask(&question).await;
        let model = said.model.as_ref().unwrap_or(&question.model);
        let charge = charge(self.models.offer(), model, said.usage());
        self.turns.settle(user.id, &held, Some(&charge)).await?;
        // The beginning of something else, a refusal perhaps, is no title.
        let Some(title) = title_in(&said.text).filter(|_| is_whole) else { return Ok(()) };
        if self.store.rename_conversation(user.id, id, &first_words, &title).await? {
            let frame = ServerFrame::ChatTitle { conversation_id: id.clone(), title };
            self.push.to_all(user.id, &frame, clock::now()).await?;
        }
        Ok(())
    }

    /// What the model is asked, and the title that the conversation has by itself; none when there is nothing to ask.
    fn question(
        &self,
        summary: &Summary,
        history: &[Message],
        answered: &Message,
    ) -> Result<Option<(Title, Question)>> {
        let [asked] = history else { return Ok(None) };
        let is_whole = answered.status == Some(ReplyStatus::Complete);
        let prompt = Prompt::try_from(asked.content.as_str().to_owned());
        let (Ok(prompt), Some(model), true) = (prompt, &answered.model, is_whole) else { return Ok(None) };
        let first_words = title_of(&prompt);
        let entry = self.models.offer().find(model)?;
        if entry.provider == Provider::Offline || summary.title != first_words {
            return Ok(None);
        }
        let shown = |text: &str| text.chars().take(SHOWN).collect::<String>();
        let answer = answered.content.as_str();
        let spoken = behind_thoughts(answer).unwrap_or(answer);
        let text = format!("User: {}\n\nAssistant: {}", shown(asked.content.as_str()), shown(spoken));
        let said = |role, text: &str| Said { role, content: Content::of_reply(text) };
        let messages = vec![said(Role::System, INSTRUCTIONS), said(Role::User, &text)];
        let thinks = entry.can(Capability::Reasoning) || has_thoughts(answer);
        let max_tokens = if thinks { MOST_TOKENS_WITH_THOUGHTS } else { MOST_TOKENS };
        let params = GenerationParams::parse(Some(TEMPERATURE), Some(max_tokens))?;
        Ok(Some((first_words, Question { model: entry.id, messages, params })))
    }

    /// What a model says, and whether it said all it wanted to.
    async fn ask(&self, question: &Question) -> (SoFar, bool) {
        let patience =
            if question.params.max_tokens() > Some(MOST_TOKENS) { LONGEST_WITH_THOUGHTS } else { LONGEST };
        let deadline = Instant::now() + patience;
        let mut said = SoFar::default();
        said.reads(question);
        let mut pieces = self.models.ask(question);
        while let Ok(Some(piece)) = timeout_at(deadline, pieces.next()).await {
            if let Step::Ended(ended) = said.take(piece) {
                return (said, ended == Ended::Finished(Finish::Stop));
            }
        }
        (said, false)
    }
}
