//! The edits that turn the stored messages of a conversation into new ones. There are such edits if the messages that
//! stay keep their order and all new messages come last; otherwise the whole conversation is written anew.

use std::collections::{HashMap, HashSet};

use super::create::fits_one_transaction;
use super::message_item::StoredMessage;
use super::slot::StoredConversation;
use crate::domain::statistics::Tally;
use crate::domain::{Branch, Conversation, Message, MessageId};
use crate::store::Store;

/// The edits that make the stored messages equal to the new ones without a new revision.
pub(in crate::store) struct Edits<'a> {
    /// Messages that stay on the branch and have another content or another parent now, in their new form.
    pub(in crate::store) changed: Vec<StoredMessage>,
    /// Messages on other branches whose parent is deleted: (number, number of the new parent).
    pub(in crate::store) moved: Vec<(u64, Option<u64>)>,
    pub(in crate::store) removed: Vec<&'a StoredMessage>,
    pub(in crate::store) appended: &'a [Message],
    /// The changed messages in their old form.
    before: Vec<&'a StoredMessage>,
    /// The messages that stay on the branch, and the running reply.
    kept: Vec<&'a StoredMessage>,
    last: Option<&'a Message>,
}

impl<'a> Edits<'a> {
    /// Computes the edits. `None` when the order changes, or when a message is inserted between others or comes from
    /// another branch.
    pub(in crate::store) fn new(
        stored: &'a StoredConversation,
        new: &'a [Message],
        running: Option<&'a StoredMessage>,
    ) -> Option<Self> {
        let is_running = |message: &StoredMessage| running.is_some_and(|it| it.number == message.number);
        let line: Vec<&StoredMessage> = stored.on_branch().filter(|message| !is_running(message)).collect();
        let places: HashMap<&MessageId, usize> =
            line.iter().enumerate().map(|(place, stored)| (&stored.message.id, place)).collect();
        let staying = new.iter().take_while(|message| places.contains_key(&message.id)).count();
        let (staying, appended) = new.split_at(staying);
        let kept: Vec<usize> =
            staying.iter().filter_map(|message| places.get(&message.id).copied()).collect();
        let known: HashSet<&MessageId> = stored.messages.iter().map(|stored| &stored.message.id).collect();
        if !kept.is_sorted_by(|one, next| one < next) || appended.iter().any(|it| known.contains(&it.id)) {
            return None;
        }
        let kept: Vec<&StoredMessage> =
            kept.into_iter().filter_map(|place| line.get(place).copied()).collect();
        let mut edits = Self {
            changed: Vec::new(),
            moved: Vec::new(),
            removed: Vec::new(),
            appended,
            before: Vec::new(),
            last: appended.last().or(staying.last()),
            kept,
        };
        edits.compare(stored, staying, running);
        if let Some(running) = running.filter(|running| stored.item.shows(running.number)) {
            edits.kept.push(running);
            edits.last = appended.last().or(Some(&running.message));
        }
        Some(edits)
    }

    fn compare(
        &mut self,
        stored: &'a StoredConversation,
        staying: &[Message],
        running: Option<&StoredMessage>,
    ) {
        let mut parent = None;
        for (old, message) in self.kept.iter().zip(staying) {
            if !old.message.has_same_content(message) || old.parent != parent {
                self.changed.push(StoredMessage { message: message.clone(), parent, ..(*old).clone() });
                self.before.push(*old);
            }
            parent = Some(old.number);
        }
        let kept: HashSet<u64> = self.kept.iter().map(|kept| kept.number).collect();
        let is_running = |number: u64| running.is_some_and(|running| running.number == number);
        let is_removed = |message: &StoredMessage| {
            stored.item.shows(message.number)
                && !kept.contains(&message.number)
                && !is_running(message.number)
        };
        self.removed = stored.messages.iter().filter(|message| is_removed(message)).collect();
        let removed: HashMap<u64, Option<u64>> =
            self.removed.iter().map(|it| (it.number, it.parent)).collect();
        let other_branches = stored
            .messages
            .iter()
            .filter(|it| !kept.contains(&it.number) && !removed.contains_key(&it.number));
        for message in other_branches {
            let mut parent = message.parent;
            while let Some(next) = parent.and_then(|parent| removed.get(&parent)) {
                parent = *next;
            }
            if parent != message.parent {
                self.moved.push((message.number, parent));
            }
        }
    }

    /// Whether no message is changed, removed or appended.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty() && self.appended.is_empty()
    }

    /// The numbers of the messages on the current branch after the edits.
    pub(in crate::store) fn line(&self, next_number: u64) -> Vec<u64> {
        let appended = (0..self.appended.len() as u64).map(|place| next_number + place);
        self.kept.iter().map(|kept| kept.number).chain(appended).collect()
    }

    /// The current branch after the edits; `None` when there is no other branch.
    pub(in crate::store) fn branch(&self, stored: &StoredConversation, line: &[u64]) -> Option<Branch> {
        let removed: HashSet<u64> = self.removed.iter().map(|removed| removed.number).collect();
        let on_it: HashSet<u64> = line.iter().copied().collect();
        let left =
            stored.messages.iter().map(|message| message.number).filter(|number| !removed.contains(number));
        let mut all: Vec<u64> =
            left.chain(line.iter().copied().filter(|n| *n >= stored.item.next_number)).collect();
        all.sort_unstable();
        let has_others = all.iter().any(|number| !on_it.contains(number));
        has_others.then(|| Branch::of(all.iter().map(|number| (*number, on_it.contains(number)))))
    }

    /// The last message of the current branch after the edits.
    pub(in crate::store) fn last_message(&self) -> Option<&Message> {
        self.last
    }

    /// How the edits change the counters.
    pub(in crate::store) fn change(&self, stored: &StoredConversation, new: &Conversation) -> Tally {
        let mut change = Tally::default();
        change.count_conversation(&stored.item.summary(), -1);
        change.count_conversation(&new.summary, 1);
        change.count_messages(self.before.iter().map(|before| &before.message), -1);
        change.count_messages(self.changed.iter().map(|changed| &changed.message), 1);
        change.count_messages(self.removed.iter().map(|removed| &removed.message), -1);
        change.count_messages(self.appended, 1);
        change
    }

    /// Whether one transaction can make the edits.
    pub(in crate::store) fn fits_one_transaction(
        &self,
        stored: &StoredConversation,
        new: &Conversation,
    ) -> bool {
        let written: Vec<Message> =
            self.changed.iter().map(|changed| &changed.message).chain(self.appended).cloned().collect();
        let change = self.change(stored, new);
        // A removed message takes two writes: its item and its reference.
        let writes = (written.len() + self.removed.len()) * 2 + self.moved.len() + 2;
        Store::count_fits(&change, writes) && fits_one_transaction(&written, &Tally::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Content, Filing, Millis, Role, Summary, UserId};
    use crate::store::conversations::item::ConversationItem;

    fn message(id: char, content: &str) -> Message {
        Message {
            id: id.to_string().parse().unwrap(),
            role: Role::User,
            content: content.parse::<Content>().unwrap(),
            timestamp: Millis::saturating(1),
            model: None,
            tokens: None,
            status: None,
        }
    }

    /// A conversation whose messages follow each other. Messages after a `|` follow the second message, on another
    /// branch.
    fn stored(ids: &str) -> StoredConversation {
        let (line, others) = ids.split_once('|').unwrap_or((ids, ""));
        let summary = Summary {
            id: "c".parse().unwrap(),
            title: "T".parse().unwrap(),
            created_at: Millis::default(),
            updated_at: Millis::default(),
            model: "m".parse().unwrap(),
            system_prompt: None,
            filing: Filing::default(),
        };
        let messages: Vec<Message> =
            line.chars().chain(others.chars()).map(|id| message(id, "old")).collect();
        let mut item =
            ConversationItem::new(UserId::new(ulid::Ulid::nil()), &summary).with_messages(&messages);
        let shown = line.len() as u64;
        if !others.is_empty() {
            item.branch = shown.checked_sub(1).map(Branch::trunk);
        }
        let messages = messages.into_iter().zip(0..).map(|(message, number)| StoredMessage {
            number,
            revision: item.revision.clone(),
            parent: if number < shown { number.checked_sub(1) } else { Some(1) },
            message,
        });
        StoredConversation { messages: messages.collect(), item }
    }

    /// The ids of the messages that are changed, moved, removed and appended. `None` when the conversation must be
    /// written anew.
    fn edits(old: &str, fresh: &str) -> Option<[String; 4]> {
        let old = stored(old);
        let content = |id: char| if id.is_uppercase() { "new" } else { "old" };
        let fresh: Vec<Message> =
            fresh.chars().map(|id| message(id.to_ascii_lowercase(), content(id))).collect();
        let edits = Edits::new(&old, &fresh, None)?;
        Some([
            edits.changed.iter().map(|changed| changed.message.id.as_str()).collect(),
            edits.moved.iter().map(|(number, parent)| format!("{number}:{parent:?}")).collect(),
            edits.removed.iter().map(|stored| stored.message.id.as_str()).collect(),
            edits.appended.iter().map(|message| message.id.as_str()).collect(),
        ])
    }

    #[test]
    fn only_what_differs_is_written() {
        let some = |parts: [&str; 4]| Some(parts.map(str::to_owned));
        assert_eq!(edits("abc", "abc"), some(["", "", "", ""]));
        assert_eq!(edits("abc", "aBcd"), some(["b", "", "", "d"]));
        assert_eq!(edits("abc", "ac"), some(["c", "", "b", ""]), "c follows another message now");
        assert_eq!(edits("abc", ""), some(["", "", "abc", ""]));
        assert_eq!(edits("", "xy"), some(["", "", "", "xy"]));
    }

    #[test]
    fn a_new_order_or_an_inserted_message_needs_a_new_revision() {
        assert_eq!(edits("abc", "bac"), None);
        assert_eq!(edits("abc", "axbc"), None);
        assert_eq!(edits("abc|x", "abx"), None, "from another branch");
    }

    #[test]
    fn replies_to_a_removed_message_move_to_its_parent() {
        let some = |parts: [&str; 4]| Some(parts.map(str::to_owned));
        assert_eq!(edits("abc|xy", "abd"), some(["", "", "c", "d"]));
        assert_eq!(edits("abc|xy", "a"), some(["", "3:Some(0)4:Some(0)", "bc", ""]));
        assert_eq!(edits("abc|x", ""), some(["", "3:None", "abc", ""]));
    }
}
