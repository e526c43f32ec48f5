//! Changes of a conversation's summary: title, system prompt, model and filing.

use aws_sdk_dynamodb::types::ReturnValue;

use super::create::kept_changing;
use super::filing::{set_flag, set_folder, set_tags};
use super::item::ConversationItem;
use crate::domain::statistics::Tally;
use crate::domain::{
    ConversationId, Expected, Folder, Millis, ModelName, Summary, SystemPrompt, Tags, Title, UserId, Version,
};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::conversations::version::check_version;
use crate::store::dynamo::{Expression, Write, from_item, number, text};
use crate::store::{Store, key};

/// The changes of a conversation's summary. `None` leaves a field unchanged.
#[derive(Clone, Debug, Default)]
pub struct ConversationUpdate {
    /// The title.
    pub title: Option<Title>,
    /// The system prompt; `Some(None)` removes it.
    pub system_prompt: Option<Option<SystemPrompt>>,
    /// The AI model that replies in it.
    pub model: Option<ModelName>,
    /// Whether it is pinned to the top.
    pub pinned: Option<bool>,
    /// Whether it is archived.
    pub archived: Option<bool>,
    /// The tags.
    pub tags: Option<Tags>,
    /// The folder; `Some(None)` takes the conversation out of its folder.
    pub folder: Option<Option<Folder>>,
}

impl ConversationUpdate {
    /// Whether nothing changes.
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

    /// Whether the conversation itself changes, not only its filing. Only then does it move to the top of the list.
    fn is_content(&self) -> bool {
        self.title.is_some() || self.system_prompt.is_some() || self.model.is_some()
    }

    fn changes_counters(&self) -> bool {
        self.model.is_some() || self.system_prompt.is_some()
    }

    /// How the counters change when this update is applied to `conversation`.
    fn counter_changes(&self, conversation: &ConversationItem) -> Tally {
        let mut counts = Tally::default();
        if let Some(model) = &self.model {
            *counts.models.entry(conversation.model.clone()).or_default() -= 1;
            *counts.models.entry(model.clone()).or_default() += 1;
        }
        if let Some(prompt) = &self.system_prompt {
            let mut summary = conversation.summary();
            counts.count_conversation_size(&summary, -1);
            summary.system_prompt = prompt.clone();
            counts.count_conversation_size(&summary, 1);
        }
        counts
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
        if let Some(model) = &self.model {
            change = change.set("model", text(model.as_str()));
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
    /// Changes the summary of a conversation. Returns the new summary, the number of messages and the version.
    /// Concurrent changes of different fields all take effect.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::PreconditionFailed`]; [`Code::Conflict`] when it was changed on all attempts.
    pub async fn update_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        revised: &ConversationUpdate,
        expected: &Expected,
        now: Millis,
    ) -> Result<(Summary, u64, Version)> {
        if revised.is_empty() {
            return Ok(summarized(&self.get_conversation_item(user, id).await?));
        }
        let change = revised.expression(id, now);
        if !revised.changes_counters() && *expected == Expected::Anything {
            let updated = self.update(key::conversation(user, id), &change, ReturnValue::AllNew).await?;
            return Ok(summarized(&from_item(updated.ok_or_else(Error::no_conversation)?)?));
        }
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let conversation = self.get_conversation_item(user, id).await?;
            check_version(expected, &conversation.version())?;
            let change = change.clone().when_equal("version", number(conversation.version));
            let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), change)];
            writes.extend(self.count(user, &revised.counter_changes(&conversation)));
            if self.transact(writes).await?.is_committed() {
                return Ok(summarized(&self.get_conversation_item(user, id).await?));
            }
        }
        Err(kept_changing())
    }
}

/// The summary, the number of messages and the version of a conversation.
fn summarized(item: &ConversationItem) -> (Summary, u64, Version) {
    (item.summary(), item.message_count, item.version())
}
