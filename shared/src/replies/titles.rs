//! The title of a new conversation, made of its first exchange by the model that answered.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::so_far::{SoFar, Step};
use super::title_of;
use super::turns::{Turns, charge};
use crate::clock;
use crate::domain::{Content, Message, Prompt, ReplyStatus, Role, Summary, Title};
use crate::error::Result;
use crate::models::{Capability, Models, Provider, Question, Said};
use crate::sockets::{Push, ServerFrame};
use crate::store::{Found, ReplyPlace, Store};

/// How long a title may take.
const LONGEST: Duration = Duration::from_secs(20);
/// So much of each message is shown to the model.
const SHOWN: usize = 1000;
/// The most tokens of an answer, also of a model that thinks first.
const MOST_TOKENS: u32 = 32;
const MOST_TOKENS_WITH_THOUGHTS: u32 = 1024;
/// The most characters of a title.
const LONGEST_TITLE: usize = 80;
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
        let (Some((summary, history)), Some(Found::Ended(_, reply, _))) = (history, reply) else {
            return Ok(());
        };
        let Some((first_words, question)) = self.question(&summary, &history, &reply)? else { return Ok(()) };
        let Some(user) = self.store.find_user(user).await?.map(std::sync::Arc::new) else { return Ok(()) };
        let held = self.turns.reserve(&user, &question).await?;
        let said = self.ask(&question).await;
        let charge = charge(self.models.offer(), &question.model, said.usage());
        self.turns.settle(user.id, &held, Some(&charge)).await?;
        let Some(title) = title(&said.text) else { return Ok(()) };
        if self.store.retitle_conversation(user.id, id, &first_words, &title).await? {
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
        let shown = |content: &Content| content.as_str().chars().take(SHOWN).collect::<String>();
        let text = format!("User: {}\n\nAssistant: {}", shown(&asked.content), shown(&answered.content));
        let said = |role, text: &str| Said { role, content: Content::of_reply(text) };
        let messages = vec![said(Role::System, INSTRUCTIONS), said(Role::User, &text)];
        let thinks = entry.can(Capability::Reasoning);
        let max_tokens = if thinks { MOST_TOKENS_WITH_THOUGHTS } else { MOST_TOKENS };
        Ok(Some((first_words, Question { model: entry.id, messages, temperature: 0.2, max_tokens })))
    }

    async fn ask(&self, question: &Question) -> SoFar {
        let deadline = Instant::now() + LONGEST;
        let mut said = SoFar::default();
        said.reads(question);
        let mut pieces = self.models.ask(question);
        while let Ok(Some(piece)) = timeout_at(deadline, pieces.next()).await {
            if matches!(said.take(piece), Step::Ended(_)) {
                break;
            }
        }
        said
    }
}

/// The first line of what a model said, as far as it is fit for a title.
fn title(said: &str) -> Option<Title> {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    let line = line.trim_matches(['"', '\'', '“', '”', '「', '」', '*', '#', ' ', '.']);
    let short: String = line.chars().filter(|c| !c.is_control()).take(LONGEST_TITLE).collect();
    Title::try_from(short.trim().to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_without_ornaments() {
        let text = |said: &str| title(said).map(String::from);
        assert_eq!(text("\n \"A trip to Lisbon.\"\nMore").unwrap(), "A trip to Lisbon");
        assert_eq!(text(&"x".repeat(500)).unwrap().len(), LONGEST_TITLE);
        assert_eq!(text(" \n\"\""), None);
    }
}
