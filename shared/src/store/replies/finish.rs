//! The end of a reply: its text, tokens and all counters in one transaction, by its worker or by whoever finds that nobody
//! makes it any more.

use super::item::{Lease, ReplyItem};
use crate::domain::conversation::preview_of;
use crate::domain::statistics::{DayTally, Tally};
use crate::domain::{Content, ConversationId, Ending, Held, Millis, ReplyPlace, ReplyStatus, UserId};
use crate::error::Result;
use crate::store::dynamo::{Expression, Outcome, Write, number, packed, text};
use crate::store::{Store, key};

/// How long the item of an ended reply is kept; the message holds all that lasts.
const KEPT_SECONDS: u64 = 86_400;

/// What became of a worker's wish to end its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishOutcome {
    /// It has ended so.
    Ended,
    /// A window asked for all there is in the last moment, and has to be heard first.
    Asked,
    /// The lease was lost, or the conversation is gone; nothing changed.
    Lost,
}

impl Store {
    /// Ends a reply: its text, its tokens, all counters and the conversation, in one transaction. `resync` is what the
    /// worker knows of the windows' wishes.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn end_reply(
        &self,
        lease: &Lease,
        ending: &Ending,
        resync: u64,
        now: Millis,
    ) -> Result<FinishOutcome> {
        let heard = if resync == 0 {
            lease.held().when_absent("resync")
        } else {
            lease.held().when_equal("resync", number(resync))
        };
        let (place, asked_at, held) = (&lease.place, lease.asked_at, lease.held.as_ref());
        let outcome = self.end(EndedReply { place, asked_at, held, ending }, heard, now).await?;
        if outcome.is_committed() {
            return Ok(FinishOutcome::Ended);
        }
        if outcome.refused() != [0] {
            return Ok(FinishOutcome::Lost);
        }
        let item = self.find_item::<ReplyItem>(key::reply_at(&lease.place)).await?;
        Ok(match item {
            // The answer to our own first try was lost.
            Some(item) if item.worker.as_deref() == Some(&lease.worker) && item.status == ending.status => {
                FinishOutcome::Ended
            }
            Some(item) if item.worker.as_deref() == Some(&lease.worker) && !item.status.is_end() => {
                FinishOutcome::Asked
            }
            _ => FinishOutcome::Lost,
        })
    }

    /// Ends a reply that no worker has begun. False when one has; then nothing changed.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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

    /// Ends the reply that `conversation` says is being made, if nobody is making it any more. False while somebody may
    /// be.
    pub(in crate::store) async fn end_abandoned_reply(
        &self,
        user: UserId,
        conversation: &ConversationId,
        number: u64,
        now: Millis,
    ) -> Result<bool> {
        let item = self.find_item::<ReplyItem>(key::reply(user, conversation, number)).await?;
        // Without the item, the conversation is being deleted: the next look at it will tell.
        let Some(item) = item else { return Ok(true) };
        if item.is_alive(now) {
            return Ok(false);
        }
        let place = ReplyPlace::stored(user, conversation.clone(), item.id.clone(), number);
        self.interrupt(&place, item, now).await?;
        Ok(true)
    }

    /// Ends a reply with what its last checkpoint kept, on condition that nobody has touched it since.
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
        let content = self.kept_text(place, &item).await?;
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

    /// Ends a reply that is named among those being made, if it is not; what is `held` comes back in any case.
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
            // Its conversation was deleted, and its worker did not live to settle.
            _ => self.settle(place.user, held, None).await,
        }
    }

    async fn end(&self, ended: EndedReply<'_>, condition: Expression, now: Millis) -> Result<Outcome> {
        let EndedReply { place, asked_at, held, ending } = ended;
        let reply = ended_item(condition, ending, now);
        let Some((conversation, message_number)) = &place.within else {
            let reply = reply.set("content", text(ending.content.as_str()));
            let mut writes = vec![Write::update(&self.studio, key::reply_at(place), reply)];
            writes.extend(self.settled_if_held(place, held, ending));
            return self.transact(writes).await;
        };
        let message = Expression::default()
            .set("status", text(ending.status.as_str()))
            .set("text", packed(&ending.content))
            .set("tokens", number(ending.tokens().get()))
            .set("model", text(ending.model.as_str()))
            .when_exists("pk");
        // Its place in the list is that of the moment when it was asked for: to move it again would cost as much again.
        let idle = Expression::default()
            .remove("running")
            .add("version", 1)
            .when_equal("running", number(message_number));
        let idle = match ending.past_tokens {
            Some(tokens) => idle.set("past_tokens", number(tokens)),
            None => idle,
        };
        // As a rule the reply is the last message, and the list shows how it begins.
        let shown = idle.clone().set("preview", text(preview_of(&ending.content)));
        let shown = shown.when_equal("leaf", number(message_number));
        // What a model has said is stored, whatever the quota.
        let mut counts = self.clone().with_quota(None).count(place.user, &settled(ending, asked_at));
        counts.extend(self.settled_if_held(place, held, ending));
        let mut outcome = Outcome::Refused(Vec::new());
        for idle in [shown, idle] {
            // The message holds the text from now on; the item that was written every second forgets it.
            let mut writes = vec![
                Write::update(&self.studio, key::reply_at(place), reply.clone().remove("content")),
                Write::update(
                    &self.studio,
                    key::message(place.user, conversation, *message_number),
                    message.clone(),
                ),
                Write::update(&self.studio, key::conversation(place.user, conversation), idle),
            ];
            writes.extend(counts.clone());
            outcome = self.transact(writes).await?;
            if outcome.refused() != [2] {
                break;
            }
        }
        Ok(outcome)
    }

    fn settled_if_held(&self, place: &ReplyPlace, held: Option<&Held>, ending: &Ending) -> Option<Write> {
        Some(self.settled(place.user, held?, ending.charge.as_ref()))
    }
}

/// A reply that ends.
struct EndedReply<'a> {
    place: &'a ReplyPlace,
    asked_at: Millis,
    held: Option<&'a Held>,
    ending: &'a Ending,
}

/// How the reply's own item ends.
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

/// What the end adds to the counters: the message itself was counted when the turn began, empty.
fn settled(ending: &Ending, asked_at: Millis) -> Tally {
    let tokens = i64::try_from(ending.tokens().get()).unwrap_or(i64::MAX);
    let length = ending.content.as_str().chars().count();
    let mut change =
        Tally { tokens, response_length: i64::try_from(length).unwrap_or(i64::MAX), ..Tally::default() };
    change.bytes = i64::try_from(ending.content.as_str().len()).unwrap_or(i64::MAX);
    change.days.insert(asked_at.day(), DayTally { tokens, ..DayTally::default() });
    change
}
