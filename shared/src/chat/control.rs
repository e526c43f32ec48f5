//! What users do about a reply that is being made: stop it, and see it again after they were away. And what is done about
//! one whose worker died.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::domain::{ConnectionId, ConversationId, Message, MessageId, ReplyPlace, ReplyStatus, UserId};
use crate::error::{Code, Error, Result};
use crate::sockets::frame::Reply;
use crate::sockets::{Push, parts};
use crate::store::{FoundReply, Store};

/// Wait for a worker that may be alive only when it is by a lease.
const LONGEST_WAIT_SECONDS: u64 = 20;

/// Which reply is meant.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose it is.
    pub user: UserId,
    /// The conversation; none for a reply that belongs to none.
    pub conversation: Option<ConversationId>,
    /// The id of the assistant's message.
    pub message: MessageId,
}

/// Looks after replies from outside.
#[derive(Clone)]
pub struct Replies {
    store: Store,
    push: Push,
}

impl Replies {
    /// Over these.
    #[must_use]
    pub fn new(store: Store, push: Push) -> Self {
        Self { store, push }
    }

    /// The reply as it stands.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn find(&self, wanted: &Wanted) -> Result<FoundReply> {
        let Wanted { user, conversation, message } = wanted;
        let found = self.store.find_reply(*user, conversation.as_ref(), message, clock::now()).await?;
        found.ok_or_else(|| Error::new(Code::NotFound, "Reply not found"))
    }

    /// Stops a reply; what had come of it is kept. Its worker notices within a second or so; one that nobody has begun ends
    /// here and now; one that has ended stays as it is. Gives its status: [`ReplyStatus::Running`] when it is about to stop.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn stop(&self, wanted: &Wanted) -> Result<ReplyStatus> {
        loop {
            match self.find(wanted).await? {
                FoundReply::Waiting(place) => {
                    let stopped = ReplyStatus::Stopped;
                    if self.store.end_unstarted_reply(&place, stopped, clock::now()).await? {
                        self.tell(&place).await?;
                        return Ok(stopped);
                    }
                }
                FoundReply::BeingMade(place) => {
                    if self.store.ask_to_stop(&place).await? {
                        return Ok(ReplyStatus::Running);
                    }
                }
                FoundReply::Ended(_, message, _) => {
                    return Ok(message.status.unwrap_or(ReplyStatus::Complete));
                }
            }
        }
    }

    /// Shows a reply to a window that was away. Who makes it sends it all there is within a second or so; what has ended is
    /// sent from the store; and one that nobody has begun will come by itself.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn resume(&self, wanted: &Wanted, connection: &ConnectionId) -> Result<()> {
        loop {
            match self.find(wanted).await? {
                // Its worker looks for windows when it begins.
                FoundReply::Waiting(_) => return Ok(()),
                FoundReply::BeingMade(place) => {
                    if self.store.ask_to_resync(&place).await? {
                        return Ok(());
                    }
                }
                FoundReply::Ended(place, message, seq) => {
                    self.answer(connection, &place, &message, seq).await;
                    return Ok(());
                }
            }
        }
    }

    /// Sends a reply that has ended to one window.
    pub async fn answer(
        &self,
        connection: &ConnectionId,
        place: &ReplyPlace,
        message: &Message,
        seq: Option<u64>,
    ) {
        for frame in parts::stored(&Reply::at(place), message, seq) {
            self.push.answer(connection, &frame).await;
        }
    }

    /// Ends a reply whose worker Lambda gave up, and tells the windows. One that another delivery makes is left alone.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn end_stranded(&self, place: &ReplyPlace) -> Result<()> {
        let failed = ReplyStatus::Failed;
        if self.store.end_unstarted_reply(place, failed, clock::now()).await? {
            return self.tell(place).await;
        }
        // The worker may be another delivery's, and alive; then it renews the lease.
        let Some((ReplyStatus::Running, until)) = self.store.reply_alive_until(place).await? else {
            return Ok(());
        };
        let wait = until.saturating_sub(clock::now().seconds()).min(LONGEST_WAIT_SECONDS) + 1;
        sleep(Duration::from_secs(wait)).await;
        self.tell(place).await
    }

    /// Tells every window how a reply ended, should it have.
    async fn tell(&self, place: &ReplyPlace) -> Result<()> {
        let ReplyPlace { user, message, .. } = place;
        let found = self.store.find_reply(*user, place.conversation(), message, clock::now()).await?;
        if let Some(FoundReply::Ended(place, message, seq)) = found {
            for frame in parts::stored(&Reply::at(&place), &message, seq) {
                self.push.to_all(*user, &frame, clock::now()).await?;
            }
        }
        Ok(())
    }
}
