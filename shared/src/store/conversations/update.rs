//! Changes of a conversation's summary: what it is called, who answers, where the user keeps it.

use aws_sdk_dynamodb::types::ReturnValue;

use super::create::kept_changing;
use super::filing::{set_flag, set_folder, set_tags};
use super::item::ConversationItem;
use crate::domain::statistics::Tally;
use crate::domain::{
    ConversationId, Expected, Folder, Millis, ModelName, Summary, SystemPrompt, Tags, Title, UserId, Version,
};
use crate::error::{Error, Result};
use crate::retry;
use crate::store::conversations::version::check_version;
use crate::store::dynamo::{Expression, Write, from_item, number, text};
use crate::store::{Store, key};

/// What is to change of a conversation; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct ConversationUpdate {
    /// What it is called.
    pub title: Option<Title>,
    /// Instructions before all messages; `Some(None)` takes them away.
    pub system_prompt: Option<Option<SystemPrompt>>,
    /// The AI model that answers in it.
    pub model: Option<ModelName>,
    /// Kept at the top.
    pub pinned: Option<bool>,
    /// Put away.
    pub archived: Option<bool>,
    /// What it is filed under.
    pub tags: Option<Tags>,
    /// What it is kept in; `Some(None)` takes it out.
    pub folder: Option<Option<Folder>>,
}

impl ConversationUpdate {
    /// Whether nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { title, system_prompt, model, pinned, archived, tags, folder } = self;
        title.is_none()
            && system_prompt.is_none()
            && model.is_none()
            && pinned.is_none()
            && archived.is_none()
            && tags.is_none()
            && folder.is_none()
    }

    /// Whether the conversation itself changes, rather than where it is kept. Then it is the last changed one.
    fn is_content(&self) -> bool {
        self.title.is_some() || self.system_prompt.is_some() || self.model.is_some()
    }

    fn expression(&self, id: &ConversationId, now: Millis) -> Expression {
        let mut change = Expression::default().add("version", 1).when_equal("kind", text("conversation"));
        if self.is_content() {
            change =
                change.set("updated_at", number(now.get())).set("updated", text(key::place_in_list(now, id)));
        }
        if let Some(title) = &self.title {
            change = change.set("title", text(title.as_str()));
        }
        if let Some(prompt) = &self.system_prompt {
            change =
                change.set_or_remove("system_prompt", prompt.as_ref().map(|prompt| text(prompt.as_str())));
        }
        if let Some(pinned) = self.pinned {
            change = set_flag(change, "pinned", pinned);
        }
        if let Some(archived) = self.archived {
            change = set_flag(change, "archived", archived);
        }
        if let Some(tags) = &self.tags {
            change = set_tags(change, tags);
        }
        match &self.folder {
            Some(folder) => set_folder(change, folder.as_ref()),
            None => change,
        }
    }
}

impl Store {
    /// Changes the summary of a conversation. Changes of different fields at the same time all stand.
    ///
    /// # Errors
    /// [`crate::error::Code::NotFound`]; [`crate::error::Code::PreconditionFailed`]; [`crate::error::Code::Conflict`] when it kept changing.
    ///
    /// [`crate::error::Code::NotFound`]: crate::error::Code::NotFound
    /// [`crate::error::Code::PreconditionFailed`]: crate::error::Code::PreconditionFailed
    /// [`crate::error::Code::Conflict`]: crate::error::Code::Conflict
    pub async fn update_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        revised: &ConversationUpdate,
        expected: &Expected,
        now: Millis,
    ) -> Result<(Summary, u64, Version)> {
        if revised.is_empty() {
            let seen = self.get_conversation_item(user, id).await?;
            return Ok((seen.summary(), seen.message_count, seen.version()));
        }
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let change = revised.expression(id, now);
            let counts_nothing = revised.model.is_none() && revised.system_prompt.is_none();
            if counts_nothing && *expected == Expected::Anything {
                let updated = self.update(key::conversation(user, id), &change, ReturnValue::AllNew).await?;
                let item: ConversationItem = from_item(updated.ok_or_else(Error::no_conversation)?)?;
                return Ok((item.summary(), item.message_count, item.version()));
            }
            let seen = self.get_conversation_item(user, id).await?;
            check_version(expected, &seen.version())?;
            let mut change = change.when_equal("version", number(seen.version));
            let mut counts = Tally::default();
            if let Some(model) = &revised.model {
                change = change.set("model", text(model.as_str()));
                *counts.models.entry(seen.model.clone()).or_default() -= 1;
                *counts.models.entry(model.clone()).or_default() += 1;
            }
            if let Some(prompt) = &revised.system_prompt {
                let mut summary = seen.summary();
                counts.count_conversation_size(&summary, -1);
                summary.system_prompt = prompt.clone();
                counts.count_conversation_size(&summary, 1);
            }
            let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), change)];
            writes.extend(self.count(user, &counts));
            if self.transact(writes).await?.is_committed() {
                let item = self.get_conversation_item(user, id).await?;
                return Ok((item.summary(), item.message_count, item.version()));
            }
        }
        Err(kept_changing())
    }
}
