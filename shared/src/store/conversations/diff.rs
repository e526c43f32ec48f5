//! What turns the stored messages of a conversation into new ones, when those that stay keep their order and new ones
//! come last.

use std::collections::{HashMap, HashSet};

use super::create::fits_one_transaction;
use super::message_item::StoredMessage;
use super::slot::StoredConversation;
use crate::domain::statistics::Tally;
use crate::domain::{Branch, Conversation, Message, MessageId};
use crate::store::Store;

/// The edits.
pub(in crate::store) struct Edits<'a> {
    /// Messages that stay on the branch, and say something else or follow another one now: as they are to be.
    pub(in crate::store) changed: Vec<StoredMessage>,
    /// Others that follow another message now: their numbers, and the number of that message.
    pub(in crate::store) moved: Vec<(u64, Option<u64>)>,
    pub(in crate::store) removed: Vec<&'a StoredMessage>,
    pub(in crate::store) appended: &'a [Message],
    /// What was there of the changed ones.
    before: Vec<&'a StoredMessage>,
    /// The messages that stay on the branch, with the reply that is being made.
    kept: Vec<&'a StoredMessage>,
    last: Option<&'a Message>,
}

impl<'a> Edits<'a> {
    /// None when an order changes, or a message comes between others or from another branch.
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
            if !old.message.says_the_same_as(message) || old.parent != parent {
                self.changed.push(StoredMessage { message: message.clone(), parent, ..(*old).clone() });
                self.before.push(*old);
            }
            parent = Some(old.number);
        }
        let kept: HashSet<u64> = self.kept.iter().map(|kept| kept.number).collect();
        let is_running = |number: u64| running.is_some_and(|running| running.number == number);
        let goes = |message: &StoredMessage| {
            stored.item.shows(message.number)
                && !kept.contains(&message.number)
                && !is_running(message.number)
        };
        self.removed = stored.messages.iter().filter(|message| goes(message)).collect();
        let gone: HashMap<u64, Option<u64>> = self.removed.iter().map(|it| (it.number, it.parent)).collect();
        let hanging =
            stored.messages.iter().filter(|it| !kept.contains(&it.number) && !gone.contains_key(&it.number));
        for message in hanging {
            let mut parent = message.parent;
            while let Some(next) = parent.and_then(|parent| gone.get(&parent)) {
                parent = *next;
            }
            if parent != message.parent {
                self.moved.push((message.number, parent));
            }
        }
    }

    /// Whether no message changes.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty() && self.appended.is_empty()
    }

    /// The numbers of the current branch afterwards.
    pub(in crate::store) fn line(&self, next_number: u64) -> Vec<u64> {
        let appended = (0..self.appended.len() as u64).map(|place| next_number + place);
        self.kept.iter().map(|kept| kept.number).chain(appended).collect()
    }

    /// The current branch afterwards; none when there is no other.
    pub(in crate::store) fn branch(&self, stored: &StoredConversation, line: &[u64]) -> Option<Branch> {
        let gone: HashSet<u64> = self.removed.iter().map(|removed| removed.number).collect();
        let on_it: HashSet<u64> = line.iter().copied().collect();
        let left =
            stored.messages.iter().map(|message| message.number).filter(|number| !gone.contains(number));
        let mut all: Vec<u64> =
            left.chain(line.iter().copied().filter(|n| *n >= stored.item.next_number)).collect();
        all.sort_unstable();
        let has_others = all.iter().any(|number| !on_it.contains(number));
        has_others.then(|| Branch::of(all.iter().map(|number| (*number, on_it.contains(number)))))
    }

    /// The last message of the current branch afterwards.
    pub(in crate::store) fn last_message(&self) -> Option<&Message> {
        self.last
    }

    /// How the counters change.
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

    /// Whether one transaction takes them.
    pub(in crate::store) fn fit(&self, stored: &StoredConversation, new: &Conversation) -> bool {
        let written: Vec<Message> =
            self.changed.iter().map(|changed| &changed.message).chain(self.appended).cloned().collect();
        let change = self.change(stored, new);
        // Of each message removed, the item and a reference go.
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

    /// Messages in a line; those behind a `|` hang on its second message, on another branch.
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

    /// (changed, moved, removed, appended), or nothing when the conversation must be written anew.
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
    fn another_order_or_one_between_needs_a_new_revision() {
        assert_eq!(edits("abc", "bac"), None);
        assert_eq!(edits("abc", "axbc"), None);
        assert_eq!(edits("abc|x", "abx"), None, "from another branch");
    }

    #[test]
    fn what_hangs_on_a_message_that_goes_hangs_on_the_one_before() {
        let some = |parts: [&str; 4]| Some(parts.map(str::to_owned));
        assert_eq!(edits("abc|xy", "abd"), some(["", "", "c", "d"]));
        assert_eq!(edits("abc|xy", "a"), some(["", "3:Some(0)4:Some(0)", "bc", ""]));
        assert_eq!(edits("abc|x", ""), some(["", "3:None", "abc", ""]));
    }
}
