//! Reading whole conversations into memory, for operations that need all messages. A conversation may grow without
//! limit, but the memory of a function is limited, so conversations that are too large are refused. Most operations
//! read only a part, or only the beginnings of the texts.

use super::create::kept_changing;
use super::message_item::{StoredMessage, stored_message};
use super::slot::{ConversationSlot, StoredConversation};
use crate::domain::conversations::conversation::preview;
use crate::domain::{Content, ConversationId, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::dynamo::{Item, KeyRange, sort_key};
use crate::store::{Store, key};

/// The most bytes of all messages together. Some operations make a copy of them.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The bytes of a message in memory besides its text.
const BYTES_OF_A_MESSAGE: usize = 256;

/// How much of the texts to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum TextsRead {
    /// The whole texts.
    Whole,
    /// Only the beginnings of the texts, for operations that only need the tree of messages.
    Beginnings,
}

impl Store {
    /// Finds a conversation with all its messages, including those of other branches, read consistently with one
    /// request a megabyte.
    ///
    /// # Errors
    /// [`Code::Invalid`] when the conversation is too large.
    pub(in crate::store) async fn find_stored_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        texts: TextsRead,
    ) -> Result<Option<StoredConversation>> {
        let partition = key::conversation_partition(user, id);
        let range = KeyRange::new(&self.studio, partition, key::CONVERSATION, key::AFTER_MESSAGES);
        let page = self.query_page(&range, None, None).await?;
        let (mut items, mut next) = (page.items.into_iter(), page.next);
        let Some(item) = items.next().filter(is_own_item) else { return Ok(None) };
        let Some(item) = ConversationSlot::of(Some(item))?.conversation() else { return Ok(None) };
        let (mut messages, mut bytes) = (Vec::new(), 0);
        loop {
            for message in items {
                let stored = stored_message(message)?.filter(|stored| item.owns(stored));
                let Some(stored) = stored.map(|stored| reduce(stored, texts)) else { continue };
                bytes += stored.message.content.as_str().len() + BYTES_OF_A_MESSAGE;
                if bytes > MOST_BYTES {
                    return Err(too_large());
                }
                messages.push(stored);
            }
            let Some(after) = next else { return Ok(Some(StoredConversation { item, messages })) };
            let page = self.query_page(&range, Some(after), None).await?;
            (items, next) = (page.items.into_iter(), page.next);
        }
    }

    /// Gets a whole conversation as it was at one moment. Reading takes several requests, so it is repeated if another
    /// request changed the conversation between them.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] when the conversation was changed on all attempts; [`Code::Invalid`] when
    /// it is too large.
    pub(in crate::store) async fn get_stable_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        texts: TextsRead,
    ) -> Result<StoredConversation> {
        let mut attempts = retry::WHOLE_CONVERSATION.attempts();
        while attempts.next().await {
            let stored = self.find_stored_conversation(user, id, texts).await?;
            let stored = stored.ok_or_else(Error::no_conversation)?;
            if self.get_conversation_item(user, id).await?.version() == stored.item.version() {
                return Ok(stored);
            }
        }
        Err(kept_changing())
    }
}

/// Whether the item has the sort key `CONVERSATION`.
fn is_own_item(item: &Item) -> bool {
    sort_key(item) == key::CONVERSATION
}

/// The message with as much of its text as `texts` says.
pub(in crate::store) fn reduce(mut stored: StoredMessage, texts: TextsRead) -> StoredMessage {
    if texts == TextsRead::Beginnings {
        stored.message.content = Content::of_reply(&preview(&stored.message));
    }
    stored
}

fn too_large() -> Error {
    Error::invalid(
        "This conversation is too large to be replaced, branched or copied as a whole. Append to it, change its \
        messages one by one, or start another conversation",
    )
}
