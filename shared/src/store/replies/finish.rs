//! Ending a reply. One transaction stores the text, the tokens, all counters and the settlement of the reservation. The
//! worker of the reply does so, or, if the worker has died, the next request that sees the reply.

use super::item::{Lease, ReplyItem};
use crate::domain::conversations::conversation::preview_of;
use crate::domain::statistics::{DayTally, Tally};
use crate::domain::{Content, ConversationId, Ending, Held, Millis, ReplyPlace, ReplyStatus, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Expression, Outcome, Write, number, packed, text};
use crate::store::{Store, key};

/// How long the item of an ended reply is kept. Everything lasting is in the message.
const KEPT_SECONDS: u64 = 86_400;

/// The outcome of a worker's attempt to end its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishOutcome {
    /// The reply has ended.
    Ended,
    /// A connection requested the whole text since the last checkpoint. The worker must send it before it ends the
    /// reply.
    ResyncRequested,
    /// The lease was lost, or the conversation was deleted. Nothing was changed.
    Lost,
}

impl Store {
    /// Ends a reply: stores its text, its tokens, all counters and the state of the conversation in one transaction.
    /// `resync` is the number of resync requests that the worker has served.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn end_reply(
        &self,
        lease: &Lease,
        ending: &Ending,
        resync: u64,
        now: Millis,
    ) -> Result<FinishOutcome> {
        let condition = if resync == 0 {
            lease.lease_condition().when_absent("resync")
        } else {
            lease.lease_condition().when_equal("resync", number(resync))
        };
        let (place, asked_at, held) = (&lease.place, lease.asked_at, lease.held.as_ref());
        let outcome = self.end(EndedReply { place, asked_at, held, ending }, condition, now).await?;
        if outcome.is_committed() {
            return Ok(FinishOutcome::Ended);
        }
        if outcome.refused() != [0] {
            return Ok(FinishOutcome::Lost);
        }
        let item = self.find_item::<ReplyItem>(key::reply_at(&lease.place)).await?;
        Ok(match item {
            // An earlier attempt succeeded, but its answer was lost.
            Some(item) if item.worker.as_deref() == Some(&lease.worker) && item.status == ending.status => {
                FinishOutcome::Ended
            }
            Some(item) if item.worker.as_deref() == Some(&lease.worker) && !item.status.is_end() => {
                FinishOutcome::ResyncRequested
            }
            _ => FinishOutcome::Lost,
        })
    }

    /// Ends a reply that no worker has begun. False when a worker has begun it; then nothing is changed.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn end_unstarted_reply(
        &self,
        place: &ReplyPlace,
        status: ReplyStatus,
        now: Millis,
    ) -> Result<bool> {
        let Some(item) = self.find_item::<ReplyItem>(key::reply_at(place)).await? else { return Ok(false) };
        let waits = Expression::default().when_equal("status", text(ReplyStatus::Pending.as_str()));
        let ending = Ending {
            status,
            content: Content::of_reply(""),
            model: item.model,
            charge: None,
            seq: None,
            past_tokens: None,
        };
        let (asked_at, held) = (item.asked_at, item.held.as_ref());
        Ok(self.end(EndedReply { place, asked_at, held, ending: &ending }, waits, now).await?.is_committed())
    }

    /// Ends the running reply of `conversation` if its worker has died. False when the worker may still be alive.
    pub(in crate::store) async fn end_abandoned_reply(
        &self,
        user: UserId,
        conversation: &ConversationId,
        number: u64,
        now: Millis,
    ) -> Result<bool> {
        let item = self.find_item::<ReplyItem>(key::reply(user, conversation, number)).await?;
        // The item is missing only while the conversation is being deleted. The caller reads the conversation again and
        // sees that.
        let Some(item) = item else { return Ok(true) };
        if item.is_alive(now) {
            return Ok(false);
        }
        let place = ReplyPlace::stored(user, conversation.clone(), item.id.clone(), number);
        self.interrupt(&place, item, now).await?;
        Ok(true)
    }

    /// Ends a reply with the text of its last checkpoint, on condition that its item was not changed since it was read.
    pub(in crate::store) async fn interrupt(
        &self,
        place: &ReplyPlace,
        item: ReplyItem,
        now: Millis,
    ) -> Result<bool> {
        let unchanged = Expression::default().when_equal("status", text(item.status.as_str()));
        let unchanged = match item.lease_until {
            Some(until) => unchanged.when_equal("lease_until", number(until)),
            None => unchanged,
        };
        let content = self.checkpointed_text(place, &item).await?;
        let ending = Ending {
            status: ReplyStatus::Interrupted,
            content,
            model: item.model,
            past_tokens: item.charge.as_ref().map(|charge| charge.usage.total()),
            charge: item.charge,
            seq: item.seq,
        };
        let (asked_at, held) = (item.asked_at, item.held.as_ref());
        Ok(self
            .end(EndedReply { place, asked_at, held, ending: &ending }, unchanged, now)
            .await?
            .is_committed())
    }

    /// Does nothing while the worker is alive. Otherwise ends the reply, unless it has ended, and settles its
    /// reservation.
    pub(in crate::store) async fn end_if_abandoned(
        &self,
        place: &ReplyPlace,
        held: &Held,
        now: Millis,
    ) -> Result<()> {
        match self.find_item::<ReplyItem>(key::reply_at(place)).await? {
            Some(item) if item.is_alive(now) => Ok(()),
            Some(item) if item.orphaned => self.settle_orphan(place.user, &item).await,
            Some(item) if !item.status.is_end() => {
                let place = ReplyPlace { message: item.id.clone(), ..place.clone() };
                self.interrupt(&place, item, now).await?;
                Ok(())
            }
            // The conversation was deleted, and the worker died before it settled the reservation.
            _ => self.settle(place.user, held, None).await,
        }
    }

    async fn end(&self, ended: EndedReply<'_>, condition: Expression, now: Millis) -> Result<Outcome> {
        let EndedReply { place, asked_at, held, ending } = ended;
        let reply = ended_item(condition, ending, now);
        let Some((conversation, message_number)) = &place.within else {
            let reply = reply.set("content", text(ending.content.as_str()));
            let mut writes = vec![Write::update(&self.studio, key::reply_at(place), reply)];
            writes.extend(self.settlement_if_held(place, held, ending));
            return self.transact(writes).await;
        };
        // A reply is stored even beyond the quota.
        let mut counts = self.clone().with_quota(None).count(place.user, &counter_changes(ending, asked_at));
        counts.extend(self.settlement_if_held(place, held, ending));
        let message_key = key::message(place.user, conversation, *message_number);
        let mut outcome = Outcome::Refused(Vec::new());
        for change in idle_conversation(ending, *message_number) {
            // The text is stored in the message now, so it is removed from the reply's item.
            let mut writes = vec![
                Write::update(&self.studio, key::reply_at(place), reply.clone().remove("content")),
                Write::update(&self.studio, message_key.clone(), ended_message(ending)),
                Write::update(&self.studio, key::conversation(place.user, conversation), change),
            ];
            writes.extend(counts.clone());
            outcome = self.transact(writes).await?;
            if outcome.refused() != [2] {
                break;
            }
        }
        Ok(outcome)
    }

    fn settlement_if_held(&self, place: &ReplyPlace, held: Option<&Held>, ending: &Ending) -> Option<Write> {
        Some(self.settlement_write(place.user, held?, ending.charge.as_ref()))
    }
}

/// A reply that is being ended.
struct EndedReply<'a> {
    place: &'a ReplyPlace,
    asked_at: Millis,
    held: Option<&'a Held>,
    ending: &'a Ending,
}

/// The update of the reply's own item that ends it.
fn ended_item(condition: Expression, ending: &Ending, now: Millis) -> Expression {
    let kept = now.plus_seconds(KEPT_SECONDS).seconds();
    condition
        .set("status", text(ending.status.as_str()))
        .set("tokens", number(ending.tokens().get()))
        .set("model", text(ending.model.as_str()))
        .set_or_remove("seq", ending.seq.map(number))
        .set("expires_at", number(kept))
        .remove("parts")
}

/// The update of the message of a reply that ends.
fn ended_message(ending: &Ending) -> Expression {
    Expression::default()
        .set("status", text(ending.status.as_str()))
        .set("text", packed(&ending.content))
        .set("tokens", number(ending.tokens().get()))
        .set("model", text(ending.model.as_str()))
        .when_exists("pk")
}

/// The updates of the conversation of a reply that ends, to be tried in this order. As a rule the reply is the last
/// message of the current branch, so the first update also stores its beginning as the preview. The conversation's
/// position in the list was set when the turn began; changing it again would double the cost in the index.
fn idle_conversation(ending: &Ending, message_number: u64) -> [Expression; 2] {
    let idle = Expression::default()
        .remove("running")
        .add("version", 1)
        .when_equal("running", number(message_number))
        .set_or_keep("past_tokens", ending.past_tokens.map(number));
    let shown = idle.clone().set("preview", text(preview_of(&ending.content)));
    [shown.when_equal("leaf", number(message_number)), idle]
}

/// How the end of a reply changes the counters. The message itself was counted, without text, when the turn began.
fn counter_changes(ending: &Ending, asked_at: Millis) -> Tally {
    let tokens = i64::try_from(ending.tokens().get()).unwrap_or(i64::MAX);
    let length = ending.content.as_str().chars().count();
    let mut change =
        Tally { tokens, response_length: i64::try_from(length).unwrap_or(i64::MAX), ..Tally::default() };
    change.bytes = i64::try_from(ending.content.as_str().len()).unwrap_or(i64::MAX);
    change.days.insert(asked_at.day(), DayTally { tokens, ..DayTally::default() });
    change
}
