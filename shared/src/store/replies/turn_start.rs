//! What a turn in a conversation stores: the two new messages, the reply's item, and the changes of the conversation.

use super::item::ReplyItem;
use super::start::{Granted, StoredTurn};
use crate::domain::conversations::conversation::preview;
use crate::domain::{
    Content, Filing, Held, Message, MessageId, Millis, ModelName, ReplyPlace, ReplyStatus, Role, Summary,
    UserId,
};
use crate::store::conversations::item::ConversationItem;
use crate::store::dynamo::{Expression, number, text};
use crate::store::key;

/// The message that a turn follows, and how many messages lead to it, including itself.
#[derive(Clone, Copy, Default)]
pub(super) struct TurnPosition {
    pub(super) parent: Option<u64>,
    pub(super) count: u64,
}

/// Everything that a turn stores.
pub(super) struct TurnStart {
    pub(super) item: ConversationItem,
    pub(super) creates: bool,
    /// The number of the user's message. The reply has the next number.
    pub(super) first: u64,
    pub(super) messages: [Message; 2],
    pub(super) parent: Option<u64>,
    pub(super) held: Held,
    pub(super) reply: ReplyItem,
    pub(super) place: ReplyPlace,
}

impl TurnStart {
    pub(super) fn new(
        user: UserId,
        turn: &StoredTurn,
        conversation: Option<ConversationItem>,
        TurnPosition { parent, count }: TurnPosition,
        granted: &Granted,
        ids: [ulid::Ulid; 2],
        now: Millis,
    ) -> Self {
        let creates = conversation.is_none();
        let mut item = conversation.unwrap_or_else(|| ConversationItem::new(user, &new_summary(turn, now)));
        let model = turn.model.clone().unwrap_or_else(|| item.model.clone());
        let first = item.next_number;
        let [asked, answered] = ids;
        let asked = turn.client_id.clone().unwrap_or_else(|| MessageId::new(asked, first));
        let answered = MessageId::new(answered, first + 1);
        let messages = new_messages(asked, answered.clone(), turn, &model, now);
        item.branch = item.branch_with(parent, first, 2);
        item.leaf = Some(first + 1);
        item.preview = messages.first().map(preview);
        item.next_number += 2;
        item.message_count = count + 2;
        item.running = Some(first + 1);
        item.updated_at = now;
        item.updated = key::place_in_list(now, &item.id);
        let place = ReplyPlace::stored(user, turn.conversation.clone(), answered.clone(), first + 1);
        let held = Held::at(&place, now.day(), granted.reservation.most);
        let reply = ReplyItem {
            held: Some(held.clone()),
            is_first: creates,
            ..ReplyItem::pending(&answered, &model, granted.params, now)
        };
        Self { item, creates, first, messages, parent, held, reply, place }
    }

    /// The update of the item of an existing conversation.
    pub(super) fn appended(&self) -> Expression {
        Expression::default()
            .set("next_number", number(self.item.next_number))
            .set("running", number(self.first + 1))
            .set("leaf", number(self.first + 1))
            .set_or_remove("branch", self.item.branch.as_ref().map(|branch| text(branch.to_string())))
            .set_or_remove("preview", self.item.preview.as_ref().map(text))
            .set("updated_at", number(self.item.updated_at.get()))
            .set("updated", text(self.item.updated.clone()))
            .set("message_count", number(self.item.message_count))
            .add("version", 1)
            .when_equal("kind", text("conversation"))
            .when_equal("version", number(self.item.version))
            .when_absent("running")
    }
}

fn new_summary(turn: &StoredTurn, now: Millis) -> Summary {
    Summary {
        id: turn.conversation.clone(),
        title: turn.title.clone(),
        created_at: now,
        updated_at: now,
        model: turn.model.clone().unwrap_or_else(|| turn.default_model.clone()),
        system_prompt: None,
        filing: Filing::default(),
    }
}

fn new_messages(
    asked: MessageId,
    answered: MessageId,
    turn: &StoredTurn,
    model: &ModelName,
    now: Millis,
) -> [Message; 2] {
    let asked = Message {
        id: asked,
        role: Role::User,
        content: turn.content.clone(),
        timestamp: now,
        model: None,
        tokens: None,
        status: None,
    };
    let answered = Message {
        id: answered,
        role: Role::Assistant,
        content: Content::of_reply(""),
        timestamp: now,
        model: Some(model.clone()),
        tokens: None,
        status: Some(ReplyStatus::Pending),
    };
    [asked, answered]
}
