//! Replacing a whole conversation, writing only what differs.

use std::collections::{HashMap, HashSet};

use super::bulk::kept_changing;
use super::conversations::{fits_one_transaction, reply_running, summary_expression};
use super::expression::{Expression, Write, number, text};
use super::items::{MessageItem, StoredConversation, StoredMessage, item_at};
use super::{Store, key};
use crate::domain::statistics::Tally;
use crate::domain::{Conversation, Message, MessageId, Millis, UserId};
use crate::error::{Error, Result};

/// How often a replacement starts anew when the conversation changes under it.
const MOST_TRIES: usize = 5;

impl Store {
    /// Replaces a conversation by `new`, all or nothing to readers. A message keeps its place when its id does; a reply
    /// that is being made is not touched, and stands before what is new. Gives back what is stored.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::ReplyRunning`] when the messages are in another order while a reply is made;
    /// [`Code::Conflict`] when the conversation kept changing.
    ///
    /// [`Code::NotFound`]: crate::error::Code::NotFound
    /// [`Code::ReplyRunning`]: crate::error::Code::ReplyRunning
    /// [`Code::Conflict`]: crate::error::Code::Conflict
    pub async fn replace_conversation(
        &self,
        user: UserId,
        new: &Conversation,
        now: Millis,
    ) -> Result<Conversation> {
        for _ in 0..MOST_TRIES {
            let stored = self.find_stored_conversation(user, &new.summary.id).await?;
            let mut stored = stored.ok_or_else(Error::no_conversation)?;
            if let Some(number) = stored.item.running
                && self.end_abandoned_reply(user, &stored.item.id, number, now).await?
            {
                continue;
            }
            let running = take_running(&mut stored);
            let mut new = new.clone();
            new.messages.retain(|message| running.iter().all(|running| running.message.id != message.id));
            keep_statuses(&stored, &mut new);
            if let Some(appended) = self.try_replace(user, &stored, &new, &running).await? {
                let place = new.messages.len() - appended;
                new.messages.splice(place..place, running.into_iter().map(|running| running.message));
                return Ok(new);
            }
        }
        Err(kept_changing())
    }

    /// How many messages were appended; none when the conversation changed meanwhile.
    async fn try_replace(
        &self,
        user: UserId,
        stored: &StoredConversation,
        new: &Conversation,
        running: &[StoredMessage],
    ) -> Result<Option<usize>> {
        let (replaced, appended) = match Edits::new(&stored.messages, &new.messages) {
            Some(edits) if edits.fit(stored, new) => {
                (self.write_edits(user, stored, new, &edits, running).await?, edits.appended.len())
            }
            _ if running.is_empty() => (self.replace_large_conversation(user, stored, new).await?, 0),
            _ => return Err(reply_running()),
        };
        Ok(replaced.then_some(appended))
    }

    async fn write_edits(
        &self,
        user: UserId,
        stored: &StoredConversation,
        new: &Conversation,
        edits: &Edits<'_>,
        running: &[StoredMessage],
    ) -> Result<bool> {
        let (id, seen) = (&stored.item.id, &stored.item);
        let appended = edits.appended.len() as u64;
        // What is new follows the reply that is being made, and that follows what stays.
        let parent = running.last().map(|reply| &reply.message.id).or(edits.parent);
        let last = edits.appended.last().map(|message| &message.id).or(parent);
        let conversation = summary_expression(user, &new.summary)
            .set("message_count", number(new.messages.len() + running.len()))
            .set("next_number", number(seen.next_number + appended))
            .set_or_remove("leaf", last.map(|id| text(id.as_str())))
            .add("version", 1)
            .when_equal("version", number(seen.version))
            .when_equal("next_number", number(seen.next_number));
        let mut writes = vec![Write::update(&self.studio, key::conversation(user, id), conversation)];
        for Changed { old, message, parent } in &edits.changed {
            let item = MessageItem::new(message, seen.revision, parent.cloned());
            let key = key::message(user, id, old.number);
            writes.push(Write::put(&self.studio, item_at(key, "message", &item)?));
        }
        for removed in &edits.removed {
            let there = Expression::default();
            writes.push(Write::delete(&self.studio, key::message(user, id, removed.number), there.clone()));
            writes.push(Write::delete(&self.studio, key::reference(user, id, &removed.message.id), there));
        }
        writes.extend(self.new_messages(user, seen, edits.appended, seen.next_number, parent.cloned())?);
        writes.extend(self.count(user, &edits.change(stored, new)));
        Ok(self.transact(writes).await?.is_committed())
    }
}

/// What turns the stored messages into the new ones when those that stay keep their order, and new ones come last.
struct Edits<'a> {
    changed: Vec<Changed<'a>>,
    removed: Vec<&'a StoredMessage>,
    /// The last message that stays, which the first appended one follows.
    parent: Option<&'a MessageId>,
    appended: &'a [Message],
}

/// A message that stays, but says something else or follows another one.
struct Changed<'a> {
    old: &'a StoredMessage,
    message: &'a Message,
    parent: Option<&'a MessageId>,
}

impl Changed<'_> {
    fn is_one(&self) -> bool {
        !self.old.message.says_the_same_as(self.message) || self.old.parent_id.as_ref() != self.parent
    }
}

impl<'a> Edits<'a> {
    fn new(stored: &'a [StoredMessage], new: &'a [Message]) -> Option<Self> {
        let places: HashMap<&MessageId, usize> =
            stored.iter().enumerate().map(|(place, stored)| (&stored.message.id, place)).collect();
        let staying = new.iter().take_while(|message| places.contains_key(&message.id)).count();
        let (staying, appended) = new.split_at(staying);
        let kept: Vec<usize> =
            staying.iter().filter_map(|message| places.get(&message.id).copied()).collect();
        let in_order = kept.is_sorted_by(|one, next| one < next);
        if !in_order || appended.iter().any(|message| places.contains_key(&message.id)) {
            return None;
        }
        let parents = std::iter::once(None).chain(staying.iter().map(|message| Some(&message.id)));
        let pairs = kept.iter().filter_map(|place| stored.get(*place)).zip(staying).zip(parents);
        let changed = pairs.map(|((old, message), parent)| Changed { old, message, parent });
        let changed = changed.filter(Changed::is_one).collect();
        let kept: HashSet<usize> = kept.into_iter().collect();
        let removed = stored.iter().enumerate().filter(|(place, _)| !kept.contains(place));
        let removed = removed.map(|(_, stored)| stored).collect();
        Some(Self { changed, removed, parent: staying.last().map(|message| &message.id), appended })
    }

    fn change(&self, stored: &StoredConversation, new: &Conversation) -> Tally {
        let mut change = Tally::default();
        change.count_conversation(&stored.item.summary(), -1);
        change.count_conversation(&new.summary, 1);
        change.count_messages(self.changed.iter().map(|changed| &changed.old.message), -1);
        change.count_messages(self.changed.iter().map(|changed| changed.message), 1);
        change.count_messages(self.removed.iter().map(|removed| &removed.message), -1);
        change.count_messages(self.appended, 1);
        change
    }

    fn fit(&self, stored: &StoredConversation, new: &Conversation) -> bool {
        let written: Vec<Message> = self
            .changed
            .iter()
            .map(|changed| changed.message.clone())
            .chain(self.appended.iter().cloned())
            .collect();
        let change = self.change(stored, new);
        // Of each message removed, the item and a reference go.
        Store::count_fits(&change, (written.len() + self.removed.len()) * 2 + 2)
            && fits_one_transaction(&written, &Tally::default())
    }
}

/// Takes out the replies that are being made, which a replacement does not touch.
fn take_running(stored: &mut StoredConversation) -> Vec<StoredMessage> {
    let running = stored.item.running;
    let (taken, left) =
        std::mem::take(&mut stored.messages).into_iter().partition(|message| Some(message.number) == running);
    stored.messages = left;
    taken
}

/// How a reply ended is ours to say: messages that stay keep it, whatever the client sends.
fn keep_statuses(stored: &StoredConversation, new: &mut Conversation) {
    let statuses: HashMap<&MessageId, _> =
        stored.messages.iter().map(|stored| (&stored.message.id, stored.message.status)).collect();
    for message in &mut new.messages {
        message.status = statuses.get(&message.id).copied().flatten();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Millis, Role};

    fn message(id: &str, content: &str) -> Message {
        Message {
            id: id.parse().unwrap(),
            role: Role::User,
            content: content.parse().unwrap(),
            timestamp: Millis::saturating(1),
            model: None,
            tokens: None,
            status: None,
        }
    }

    fn stored(ids: &str) -> Vec<StoredMessage> {
        let stored = |(number, id): (usize, char)| StoredMessage {
            number: number as u64,
            revision: 0,
            parent_id: number
                .checked_sub(1)
                .and_then(|before| ids.chars().nth(before))
                .map(|id| id.to_string().parse().unwrap()),
            message: message(&id.to_string(), "old"),
        };
        ids.chars().enumerate().map(stored).collect()
    }

    fn new(ids: &str) -> Vec<Message> {
        ids.chars()
            .map(|id| message(&id.to_lowercase().to_string(), if id.is_uppercase() { "new" } else { "old" }))
            .collect()
    }

    /// (changed, removed, appended) as the ids of the messages, or nothing when a new revision is needed.
    fn edits(old: &str, fresh: &str) -> Option<(String, String, String)> {
        let (old, fresh) = (stored(old), new(fresh));
        let edits = Edits::new(&old, &fresh)?;
        Some((
            edits.changed.iter().map(|changed| changed.message.id.as_str()).collect(),
            edits.removed.iter().map(|stored| stored.message.id.as_str()).collect(),
            edits.appended.iter().map(|message| message.id.as_str()).collect(),
        ))
    }

    #[test]
    fn only_what_differs_is_written() {
        let some = |changed: &str, removed: &str, appended: &str| {
            Some((changed.to_owned(), removed.to_owned(), appended.to_owned()))
        };
        assert_eq!(edits("abc", "abc"), some("", "", ""));
        assert_eq!(edits("abc", "aBcd"), some("b", "", "d"));
        assert_eq!(edits("abc", "ac"), some("c", "b", ""), "c follows another message now");
        assert_eq!(edits("abc", ""), some("", "abc", ""));
        assert_eq!(edits("", "xy"), some("", "", "xy"));
    }

    #[test]
    fn another_order_or_one_between_needs_a_new_revision() {
        assert_eq!(edits("abc", "bac"), None);
        assert_eq!(edits("abc", "axbc"), None);
    }
}
