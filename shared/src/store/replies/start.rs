//! Beginning a turn: one transaction stores the user's message, an empty reply, the reservation and all counters.

use super::item::ReplyItem;
use super::turn_start::{TurnPosition, TurnStart};
use crate::domain::statistics::Tally;
use crate::domain::{
    Content, ConversationId, Follows, GenerationParams, Held, Message, MessageId, Millis, ModelName,
    ReplyPlace, Reservation, Title, UserId,
};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::conversations::create::{conversation_deleted, kept_changing, reply_running};
use crate::store::conversations::item::{ConversationItem, conversation_item};
use crate::store::conversations::message_item::StoredMessage;
use crate::store::conversations::slot::ConversationSlot;
use crate::store::dynamo::{Expression, Write, item_at};
use crate::store::messages::append::no_parent;
use crate::store::{Store, key};

/// How long a loose reply is kept.
const LOOSE_KEPT_SECONDS: u64 = 86_400;

/// A turn in a conversation: the message of the user, and how to reply.
#[derive(Clone, Debug)]
pub struct StoredTurn {
    /// The conversation; it is created if it does not exist.
    pub conversation: ConversationId,
    /// The id that the client chose for the user's message. A second turn with this id is the same turn.
    pub client_id: Option<MessageId>,
    /// Which message the user's message follows.
    pub follows: Follows,
    /// The text of the user's message.
    pub content: Content,
    /// The model to ask; without one, the model of the conversation.
    pub model: Option<ModelName>,
    /// The model of a new conversation when the turn names none.
    pub default_model: ModelName,
    /// The title of a new conversation.
    pub title: Title,
}

/// A loose turn, which belongs to no conversation.
#[derive(Clone, Debug)]
pub struct LooseTurn {
    /// The text of the user's message.
    pub content: Content,
    /// The model to ask.
    pub model: ModelName,
}

/// What a reply may use.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// The amount to reserve, and the user's budget.
    pub reservation: Reservation,
    /// How the reply is generated. How many tokens it may have depends on the model.
    pub params: GenerationParams,
}

/// Decides what a reply may use, given its model and an estimate of the tokens of the conversation so far. An error
/// refuses the turn.
pub type Terms<'a> = dyn Fn(&ModelName, u64) -> Result<Granted> + Send + Sync + 'a;

/// The outcome of starting a turn.
#[derive(Clone, Debug)]
pub enum StartedTurn {
    /// The turn was stored. A worker must make the reply.
    New(ReplyPlace),
    /// The turn was stored by an earlier request with the same client id. Contains its reply.
    Known(ReplyPlace, Message),
}

impl Store {
    /// Stores a turn: the user's message, an empty reply, the reservation and all counters, all or nothing. A reply of
    /// the conversation whose worker has died is ended first.
    ///
    /// # Errors
    /// [`Code::ReplyRunning`] while another reply is being made in the conversation; [`Code::ConversationDeleted`];
    /// [`Code::Conflict`] when the conversation was changed on all attempts; the errors of `terms`;
    /// [`Code::LimitReached`], [`Code::TooManyReplies`].
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
            let conversation = self.find_for_turn(user, &turn.conversation).await?;
            if let Some(running) = conversation.as_ref().and_then(|conversation| conversation.running) {
                if !self.end_abandoned_reply(user, &turn.conversation, running, now).await? {
                    // The client may have sent the turn of the running reply again.
                    return self.find_known_turn(user, turn).await?.ok_or_else(reply_running);
                }
                continue;
            }
            let (start, reservation) = match self.plan_turn(user, turn, terms, conversation, ids, now).await {
                Ok(planned) => planned,
                // A turn that was stored before is answered even if it would be refused now.
                Err(refused) => return self.find_known_turn(user, turn).await?.ok_or(refused),
            };
            if let Some(started) = self.try_start(user, turn, start, &reservation, now).await? {
                return Ok(started);
            }
        }
        Err(kept_changing())
    }

    /// Decides what the turn will store and reserve.
    async fn plan_turn(
        &self,
        user: UserId,
        turn: &StoredTurn,
        terms: &Terms<'_>,
        conversation: Option<ConversationItem>,
        ids: [ulid::Ulid; 2],
        now: Millis,
    ) -> Result<(TurnStart, Reservation)> {
        let model = turn.model.as_ref().or(conversation.as_ref().map(|conversation| &conversation.model));
        let past = conversation.as_ref().map_or(0, ConversationItem::estimated_past_tokens);
        let granted = terms(model.unwrap_or(&turn.default_model), past)?;
        let (conversation, position) = self.turn_position(user, turn, conversation).await?;
        let start = TurnStart::new(user, turn, conversation, position, &granted, ids, now);
        Ok((start, granted.reservation))
    }

    /// Tries to store a turn once. `None` when the caller must retry: the version is stale, or abandoned replies were
    /// just ended and the reservation may fit now.
    async fn try_start(
        &self,
        user: UserId,
        turn: &StoredTurn,
        start: TurnStart,
        reservation: &Reservation,
        now: Millis,
    ) -> Result<Option<StartedTurn>> {
        let mut writes = self.turn_writes(user, turn, &start)?;
        writes.push(self.reservation_write(user, &start.held, reservation.budget));
        let last = writes.len() - 1;
        let outcome = self.transact(writes).await?;
        if outcome.is_committed() {
            return Ok(Some(StartedTurn::New(start.place)));
        }
        let known = self.find_known_turn(user, turn).await?;
        if known.is_none() && outcome.refused() == [last] {
            self.end_abandoned_or_refuse(user, reservation, now).await?;
        }
        Ok(known)
    }

    /// Finds the conversation of a turn; `None` when it must be created.
    async fn find_for_turn(&self, user: UserId, id: &ConversationId) -> Result<Option<ConversationItem>> {
        match self.find_slot(user, id).await? {
            ConversationSlot::Conversation(item) => Ok(Some(*item)),
            ConversationSlot::Absent => Ok(None),
            ConversationSlot::Tombstone(_) => Err(conversation_deleted()),
            ConversationSlot::Shell(_) => Err(kept_changing()),
        }
    }

    /// The position of the turn, and the conversation as if the branch of that position were the current one.
    async fn turn_position(
        &self,
        user: UserId,
        turn: &StoredTurn,
        conversation: Option<ConversationItem>,
    ) -> Result<(Option<ConversationItem>, TurnPosition)> {
        let Some(conversation) = conversation else {
            return match turn.follows {
                Follows::Message(Some(_)) => Err(no_parent()),
                Follows::Leaf | Follows::Message(None) => Ok((None, TurnPosition::default())),
            };
        };
        let parent = self.parent_of_new(user, &conversation, &turn.follows).await?;
        let conversation = self.on_branch_of(user, &conversation, parent).await?;
        let count = self.count_up_to(user, &conversation, parent).await?;
        Ok((Some(conversation), TurnPosition { parent, count }))
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

    /// Stores a loose turn: an empty reply with the user's message, and the reservation.
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
        let account_exists = Expression::default().when_exists("pk");
        let mut attempts = retry::CONVERSATION.attempts();
        while attempts.next().await {
            let writes = vec![
                Write::create(&self.studio, item.clone()),
                Write::check(&self.studio, key::statistics(user), account_exists.clone()),
                self.reservation_write(user, &held, reservation.budget),
            ];
            match self.transact(writes).await?.refused() {
                [] => return Ok(place),
                [2] => self.end_abandoned_or_refuse(user, reservation, now).await?,
                _ => return Err(Error::new(Code::Unauthenticated, "Could not validate credentials")),
            }
        }
        Err(kept_changing())
    }
}
