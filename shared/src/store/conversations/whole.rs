//! Whole conversations in memory, for those changes that look at all of one. There is no end to what a conversation may grow to,
//! but to the memory of a function, so what is larger is refused; most changes look at a part alone, or at an outline.

use super::create::kept_changing;
use super::message_item::{StoredMessage, stored_message};
use super::slot::{ConversationSlot, StoredConversation};
use crate::domain::conversation::preview;
use crate::domain::{Content, ConversationId, UserId};
use crate::error::{Error, Result};
use crate::retry;
use crate::store::dynamo::{Item, KeyRange, sort_key};
use crate::store::{Store, key};

/// What all messages together may take in memory, once: some changes make a copy.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What a message takes beside its text.
const BYTES_OF_A_MESSAGE: usize = 256;

/// What is read of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum TextsRead {
    /// All of them.
    Whole,
    /// Their beginnings: who asks how messages follow each other needs no more.
    Beginnings,
}

impl Store {
    /// The conversation with all its messages, those of other branches too, read consistently: one request a megabyte.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when it is too large.
    pub(in crate::store) async fn find_stored_conversation(
        &self,
        user: UserId,
        id: &ConversationId,
        texts: TextsRead,
    ) -> Result<Option<StoredConversation>> {
        let partition = key::conversation_partition(user, id);
        let stretch = KeyRange::new(&self.studio, partition, key::CONVERSATION, key::AFTER_MESSAGES);
        let page = self.query_page(&stretch, None, None).await?;
        let (mut items, mut next) = (page.items.into_iter(), page.next);
        let Some(item) = items.next().filter(is_its_place) else { return Ok(None) };
        let Some(item) = ConversationSlot::of(Some(item))?.conversation() else { return Ok(None) };
        let (mut messages, mut bytes) = (Vec::new(), 0);
        loop {
            for message in items {
                let stored = stored_message(message)?.filter(|stored| item.owns(stored));
                let Some(stored) = stored.map(|stored| read(stored, texts)) else { continue };
                bytes += stored.message.content.as_str().len() + BYTES_OF_A_MESSAGE;
                if bytes > MOST_BYTES {
                    return Err(too_large());
                }
                messages.push(stored);
            }
            let Some(after) = next else { return Ok(Some(StoredConversation { item, messages })) };
            let page = self.query_page(&stretch, Some(after), None).await?;
            (items, next) = (page.items.into_iter(), page.next);
        }
    }

    /// A whole conversation as it was at one moment: reading takes several requests, and others may write between them.
    ///
    /// # Errors
    /// [`crate::error::Code::NotFound`]; [`crate::error::Code::Conflict`] when it kept changing; [`crate::error::Code::Invalid`]
    /// when it is too large.
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

/// Whether an item stands in the place of a conversation, rather than being the first of what was left of one.
fn is_its_place(item: &Item) -> bool {
    sort_key(item) == key::CONVERSATION
}

/// As much of a message as is wanted.
pub(in crate::store) fn read(mut stored: StoredMessage, texts: TextsRead) -> StoredMessage {
    if texts == TextsRead::Beginnings {
        stored.message.content = Content::of_reply(&preview(&stored.message));
    }
    stored
}

fn too_large() -> Error {
    Error::invalid(
        "This conversation is too large to be replaced, branched or copied as a whole. Please append to it, change its \
        messages one by one, or begin another one",
    )
}
