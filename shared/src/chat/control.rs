//! What clients may ask about a reply while it is made: to stop it, and to resume it after a reconnect. Also ends a
//! reply whose worker has died.

use std::time::Duration;

use tokio::time::sleep;

use super::Connections;
use crate::clock;
use crate::domain::{ConnectionId, ConversationId, Message, MessageId, ReplyPlace, ReplyStatus, UserId};
use crate::error::{Code, Error, Result};
use crate::sockets::frame::Reply;
use crate::sockets::split;
use crate::store::{FoundReply, Store};

/// The longest wait for the lease of a worker that may have died.
const MAX_WAIT_SECONDS: u64 = 20;

/// Names a reply as clients do.
#[derive(Clone, Debug)]
pub struct ReplyRef {
    /// The user who asked.
    pub user: UserId,
    /// The conversation. `None` for a reply outside of any conversation.
    pub conversation: Option<ConversationId>,
    /// The id of the assistant's message.
    pub message: MessageId,
}

/// Controls replies that are made by workers elsewhere.
#[derive(Clone)]
pub struct ReplyControl {
    store: Store,
    connections: Connections,
}

impl ReplyControl {
    /// Controls the replies in `store`, and tells `connections` how they end.
    #[must_use]
    pub fn new(store: Store, connections: Connections) -> Self {
        Self { store, connections }
    }

    /// The current state of a reply.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn get(&self, reply: &ReplyRef) -> Result<FoundReply> {
        let ReplyRef { user, conversation, message } = reply;
        let found = self.store.find_reply(*user, conversation.as_ref(), message, clock::now()).await?;
        found.ok_or_else(|| Error::new(Code::NotFound, "Reply not found"))
    }

    /// Stops a reply and keeps the text so far. A running worker notices within about a second, a reply without a
    /// worker ends at once, and a reply that has ended is unchanged. Returns the status: [`ReplyStatus::Running`] when
    /// the worker was asked to stop.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn stop(&self, reply: &ReplyRef) -> Result<ReplyStatus> {
        loop {
            match self.get(reply).await? {
                FoundReply::Pending(place) => {
                    let stopped = ReplyStatus::Stopped;
                    if self.store.end_unstarted_reply(&place, stopped, clock::now()).await? {
                        self.push_ending(&place).await?;
                        return Ok(stopped);
                    }
                }
                FoundReply::Running(place) => {
                    if self.store.request_stop(&place).await? {
                        return Ok(ReplyStatus::Running);
                    }
                }
                FoundReply::Ended(_, message, _) => {
                    return Ok(message.status.unwrap_or(ReplyStatus::Complete));
                }
            }
        }
    }

    /// Sends a reply to a connection that was away. The worker of a running reply sends a snapshot within about a
    /// second, an ended reply is sent from the store, and a pending reply needs no action: its worker lists the
    /// connections when it starts.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn resume(&self, reply: &ReplyRef, connection: &ConnectionId) -> Result<()> {
        loop {
            match self.get(reply).await? {
                FoundReply::Pending(_) => return Ok(()),
                FoundReply::Running(place) => {
                    if self.store.request_resync(&place).await? {
                        return Ok(());
                    }
                }
                FoundReply::Ended(place, message, seq) => {
                    self.push_ended(connection, &place, &message, seq).await;
                    return Ok(());
                }
            }
        }
    }

    /// Sends a reply that has ended to one connection.
    pub async fn push_ended(
        &self,
        connection: &ConnectionId,
        place: &ReplyPlace,
        message: &Message,
        seq: Option<u64>,
    ) {
        for frame in split::stored(&Reply::at(place), message, seq) {
            self.connections.answer(connection, &frame).await;
        }
    }

    /// Ends a stranded reply, whose task Lambda has given up, and tells the user's connections. Does not end a reply
    /// that another delivery of the task is making.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached.
    pub async fn end_stranded(&self, place: &ReplyPlace) -> Result<()> {
        let failed = ReplyStatus::Failed;
        if self.store.end_unstarted_reply(place, failed, clock::now()).await? {
            return self.push_ending(place).await;
        }
        // Another delivery's worker may be alive. If it is, it renews its lease.
        let Some((ReplyStatus::Running, until)) = self.store.find_reply_alive_until(place).await? else {
            return Ok(());
        };
        let wait = until.saturating_sub(clock::now().seconds()).min(MAX_WAIT_SECONDS) + 1;
        sleep(Duration::from_secs(wait)).await;
        self.push_ending(place).await
    }

    /// Sends the reply to all connections of its user, if it has ended.
    async fn push_ending(&self, place: &ReplyPlace) -> Result<()> {
        let ReplyPlace { user, message, .. } = place;
        let found = self.store.find_reply(*user, place.conversation(), message, clock::now()).await?;
        if let Some(FoundReply::Ended(place, message, seq)) = found {
            for frame in split::stored(&Reply::at(&place), &message, seq) {
                self.connections.push_to_all(*user, &frame, clock::now()).await?;
            }
        }
        Ok(())
    }
}
