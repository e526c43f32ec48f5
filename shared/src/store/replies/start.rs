//! The beginning of a turn: one transaction stores what the user said and the place of the reply.

use super::item::ReplyItem;
use crate::domain::conversation::preview;
use crate::domain::statistics::Tally;
use crate::domain::{
    Content, ConversationId, Filing, Follows, GenerationParams, Held, Message, MessageId, Millis, ModelName,
    ReplyPlace, ReplyStatus, Reservation, Role, Summary, Title, UserId,
};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::conversations::create::{conversation_deleted, kept_changing, reply_running};
use crate::store::conversations::item::{ConversationItem, conversation_item};
use crate::store::conversations::message_item::StoredMessage;
use crate::store::conversations::slot::ConversationSlot;
use crate::store::dynamo::{Expression, Write, item_at, number, text};
use crate::store::messages::append::no_parent;
use crate::store::{Store, key};

/// How long a reply that belongs to no conversation is kept.
const LOOSE_KEPT_SECONDS: u64 = 86_400;

/// What a user says in a conversation, and what is wanted in return.
#[derive(Clone, Debug)]
pub struct StoredTurn {
    /// The conversation; it is created when there is none.
    pub conversation: ConversationId,
    /// The id that the client made for the user's message: the same again is the same turn.
    pub client_id: Option<MessageId>,
    /// Where it goes.
    pub follows: Follows,
    /// What the user says.
    pub content: Content,
    /// The model to ask; without one, the conversation's.
    pub model: Option<ModelName>,
    /// The model of the conversation, should it be created without one.
    pub default_model: ModelName,
    /// The title of the conversation, should it be created.
    pub title: Title,
}

/// What a user says outside of any conversation.
#[derive(Clone, Debug)]
pub struct LooseTurn {
    /// What the user says.
    pub content: Content,
    /// The model to ask.
    pub model: ModelName,
}

/// What is granted to a reply.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// What the reply may use, and what the user may use in a day.
    pub reservation: Reservation,
    /// How the reply is generated. How many tokens it may have depends on the model.
    pub params: GenerationParams,
}

/// Says what is granted to a reply: of which model, after a past of how many tokens.
pub type Terms<'a> = dyn Fn(&ModelName, u64) -> Result<Granted> + Send + Sync + 'a;

/// A turn that is stored.
#[derive(Clone, Debug)]
pub enum StartedTurn {
    /// It was stored just now: the reply is to be made.
    New(ReplyPlace),
    /// It was stored before, under the same client's id: this is its reply.
    Known(ReplyPlace, Message),
}

impl Store {
    /// Stores the beginning of a turn: the user's message, the reply's place, and all counters, or nothing.
    ///
    /// # Errors
    /// [`crate::error::Code::ReplyRunning`] while another reply is made in the conversation; [`crate::error::Code::ConversationDeleted`];
    /// [`crate::error::Code::Conflict`] when the conversation kept changing; what `terms` say; [`Code::LimitReached`],
    /// [`Code::TooManyReplies`].
    pub async fn start_turn(
        &self,
        user: UserId,
        turn: &StoredTurn,
        terms: &Terms<'_>,
        ids: [ulid::Ulid; 2],
        now: Millis,
    ) -> Result<StartedTurn> {
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let seen = self.find_for_turn(user, &turn.conversation).await?;
            if let Some(running) = seen.as_ref().and_then(|seen| seen.running) {
                if !self.end_abandoned_reply(user, &turn.conversation, running, now).await? {
                    // Asked for again while it is made, a reply is the one that is made.
                    return self.find_known_turn(user, turn).await?.ok_or_else(reply_running);
                }
                continue;
            }
            let model = turn.model.as_ref().or(seen.as_ref().map(|seen| &seen.model));
            let past = seen.as_ref().map_or(0, ConversationItem::past);
            let granted = match terms(model.unwrap_or(&turn.default_model), past) {
                Ok(granted) => granted,
                // What was begun before is answered, whatever has changed since.
                Err(refused) => return self.find_known_turn(user, turn).await?.ok_or(refused),
            };
            let (seen, behind) = match self.behind(user, turn, seen).await {
                Ok(behind) => behind,
                Err(refused) => return self.find_known_turn(user, turn).await?.ok_or(refused),
            };
            let start = TurnStart::new(user, turn, seen, behind, &granted, ids, now);
            let mut writes = self.turn_writes(user, turn, &start)?;
            writes.push(self.reserving(user, &start.held, granted.reservation.budget));
            let last = writes.len() - 1;
            let outcome = self.transact(writes).await?;
            if outcome.is_committed() {
                return Ok(StartedTurn::New(start.place));
            }
            if let Some(known) = self.find_known_turn(user, turn).await? {
                return Ok(known);
            }
            if outcome.refused() == [last] {
                self.make_room(user, &granted.reservation, now).await?;
            }
        }
        Err(kept_changing())
    }

    /// The conversation as it stands; none when it is to be created.
    async fn find_for_turn(&self, user: UserId, id: &ConversationId) -> Result<Option<ConversationItem>> {
        match self.standing(user, id).await? {
            ConversationSlot::Conversation(item) => Ok(Some(*item)),
            ConversationSlot::Absent => Ok(None),
            ConversationSlot::Tombstone(_) => Err(conversation_deleted()),
            ConversationSlot::Shell(_) => Err(kept_changing()),
        }
    }

    /// Where the turn goes in a conversation, and that as if the branch there were the current one.
    async fn behind(
        &self,
        user: UserId,
        turn: &StoredTurn,
        seen: Option<ConversationItem>,
    ) -> Result<(Option<ConversationItem>, Behind)> {
        let Some(seen) = seen else {
            return match turn.follows {
                Follows::Message(Some(_)) => Err(no_parent()),
                Follows::Leaf | Follows::Message(None) => Ok((None, Behind::default())),
            };
        };
        let parent = self.parent_of_new(user, &seen, &turn.follows).await?;
        let seen = self.on_branch_of(user, &seen, parent).await?;
        let count = self.count_up_to(user, &seen, parent).await?;
        Ok((Some(seen), Behind { parent, count }))
    }

    fn turn_writes(&self, user: UserId, turn: &StoredTurn, start: &TurnStart) -> Result<Vec<Write>> {
        let TurnStart { item, messages, first, .. } = start;
        let id = &turn.conversation;
        let mut change = Tally::default();
        change.count_messages(messages, 1);
        let mut writes = if start.creates {
            change.count_conversation(&item.summary(), 1);
            vec![Write::create(&self.studio, conversation_item(user, item)?), self.count_conversations(1)]
        } else {
            vec![Write::update(&self.studio, key::conversation(user, id), start.appended())]
        };
        let mut parent = start.parent;
        for (message, number) in messages.iter().zip(*first..) {
            let (revision, message) = (item.revision.clone(), message.clone());
            let stored = StoredMessage { number, revision, parent: parent.replace(number), message };
            writes.push(stored.create(&self.studio, user, id)?);
            writes.extend(self.reference(user, id, &item.revision, &stored.message.id, number)?);
        }
        let key = key::reply(user, id, first + 1);
        writes.push(Write::create(&self.studio, item_at(key, "reply", &start.reply)?));
        writes.extend(self.count(user, &change));
        Ok(writes)
    }

    /// Stores the beginning of a turn that belongs to no conversation.
    ///
    /// # Errors
    /// [`Code::LimitReached`], [`Code::TooManyReplies`]; [`Code::Unauthenticated`] when the account is gone.
    pub async fn start_loose_turn(
        &self,
        user: UserId,
        turn: &LooseTurn,
        Granted { reservation, params }: &Granted,
        id: MessageId,
        now: Millis,
    ) -> Result<ReplyPlace> {
        let place = ReplyPlace::loose(user, id.clone());
        let held = Held::at(&place, now.day(), reservation.most);
        let reply = ReplyItem {
            prompt: Some(turn.content.clone()),
            held: Some(held.clone()),
            expires_at: Some(now.plus_seconds(LOOSE_KEPT_SECONDS).seconds()),
            ..ReplyItem::pending(&id, &turn.model, *params, now)
        };
        let item = item_at(key::loose_reply(user, &id), "reply", &reply)?;
        let there = Expression::default().when_exists("pk");
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let writes = vec![
                Write::create(&self.studio, item.clone()),
                Write::check(&self.studio, key::statistics(user), there.clone()),
                self.reserving(user, &held, reservation.budget),
            ];
            match self.transact(writes).await?.refused() {
                [] => return Ok(place),
                [2] => self.make_room(user, reservation, now).await?,
                _ => return Err(Error::new(Code::Unauthenticated, "Could not validate credentials")),
            }
        }
        Err(kept_changing())
    }
}

/// The message that a turn follows, and how many lead to it, itself among them.
#[derive(Clone, Copy, Default)]
struct Behind {
    parent: Option<u64>,
    count: u64,
}

/// Everything a turn is about to store.
struct TurnStart {
    item: ConversationItem,
    creates: bool,
    /// The number of the user's message; the reply's is the next.
    first: u64,
    messages: [Message; 2],
    parent: Option<u64>,
    held: Held,
    reply: ReplyItem,
    place: ReplyPlace,
}

impl TurnStart {
    fn new(
        user: UserId,
        turn: &StoredTurn,
        seen: Option<ConversationItem>,
        Behind { parent, count }: Behind,
        granted: &Granted,
        ids: [ulid::Ulid; 2],
        now: Millis,
    ) -> Self {
        let creates = seen.is_none();
        let mut item = seen.unwrap_or_else(|| ConversationItem::new(user, &new_summary(turn, now)));
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

    /// How the conversation's own item changes.
    fn appended(&self) -> Expression {
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
