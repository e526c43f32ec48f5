//! A reply while it is generated: the draft, and the frames about it that subscribers receive.

use std::time::Duration;

use tokio::time::Instant;

use super::draft::{ModelEnd, ReplyDraft, Step};
use super::pacing::Pacing;
use super::subscribers::{Audience, Subscribers};
use crate::domain::{Charge, Content, Ending, ModelName, ReplyPlace, ReplyStatus};
use crate::error::{Error, Result};
use crate::models::Piece;
use crate::sockets::frame::{Reply, ServerFrame};
use crate::sockets::split;
use crate::store::{Lease, Watcher};

/// A reply while it is generated.
pub(super) struct LiveReply {
    pub(super) draft: ReplyDraft,
    text: Pacing,
    reasoning: Pacing,
    subscribers: Subscribers,
    reply: Reply,
}

impl LiveReply {
    pub(super) fn new(place: &ReplyPlace, subscribers: Subscribers) -> Self {
        let now = Instant::now();
        let (text, reasoning) = (Pacing::new(now), Pacing::new(now));
        Self { draft: ReplyDraft::default(), text, reasoning, subscribers, reply: Reply::at(place) }
    }

    /// Adds the next piece of the model's stream. Returns how the stream ended when the piece is the last one.
    pub(super) fn take(&mut self, piece: Piece) -> Result<Option<ModelEnd>> {
        match self.draft.take(piece) {
            Step::Text(text) => self.text.push(&text),
            Step::Reasoning(text) => self.reasoning.push(&text),
            Step::Ended(end) => return Ok(Some(end)),
            Step::Nothing => {}
        }
        let now = Instant::now();
        if self.text.is_due(now) || self.reasoning.is_due(now) {
            self.push_chunks()?;
        }
        Ok(None)
    }

    /// When the next chunk is due. `None` while nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.text.due(), self.reasoning.due()].into_iter().flatten().min()
    }

    /// The number of the last chunk.
    pub(super) fn seq(&self) -> Option<u64> {
        self.text.last_seq()
    }

    /// Sends the text and the reasoning that wait. Subscribers that have missed a chunk get a snapshot instead.
    pub(super) fn push_chunks(&mut self) -> Result<()> {
        let now = Instant::now();
        if let Some(reasoning) = self.reasoning.take(now) {
            for content in split::pieces(&reasoning) {
                let (reply, seq) = (self.reply.clone(), self.reasoning.next_seq());
                let content = content.to_owned();
                self.subscribers.send(&ServerFrame::ChatReasoning { reply, seq, content })?;
            }
        }
        let Some(text) = self.text.take(now) else { return Ok(()) };
        let mut needs_snapshot = false;
        for content in split::pieces(&text) {
            let (reply, seq) = (self.reply.clone(), self.text.next_seq());
            let content = content.to_owned();
            needs_snapshot |= self.subscribers.send(&ServerFrame::ChatChunk { reply, seq, content })?;
        }
        if needs_snapshot { self.send_snapshot(Audience::Behind) } else { Ok(()) }
    }

    /// Adds connections that opened meanwhile, and sends a snapshot to all.
    pub(super) fn resync(&mut self, watchers: Vec<Watcher>) -> Result<()> {
        self.push_chunks()?;
        self.subscribers.add(watchers);
        self.send_snapshot(Audience::All)
    }

    fn send_snapshot(&mut self, audience: Audience) -> Result<()> {
        // Text that still waits will be part of the next chunk.
        let pushed = self.draft.text.len() - self.text.waiting();
        let text = self.draft.text.get(..pushed).unwrap_or_default();
        let frames = split::snapshot(&self.reply, self.seq(), text);
        self.subscribers.send_whole(&frames, audience)
    }

    /// The end of the reply with `status`, to be stored.
    pub(super) fn ending(&self, lease: &Lease, status: ReplyStatus, charge: Charge) -> Ending {
        Ending {
            status,
            content: Content::of_reply(&self.draft.text),
            past_tokens: self.draft.history_tokens(&charge.usage),
            charge: Some(charge),
            model: self.model(lease).clone(),
            seq: self.seq(),
        }
    }

    /// The model that makes the reply.
    pub(super) fn model<'a>(&'a self, lease: &'a Lease) -> &'a ModelName {
        self.draft.model.as_ref().unwrap_or(&lease.model)
    }

    /// Sends the end of the reply to all subscribers.
    pub(super) fn send_ending(&mut self, ending: &Ending, failure: Option<&Error>) -> Result<()> {
        self.send_to_all(&split::whole(&self.reply, ending, failure, self.draft.left_out))
    }

    /// Sends frames that carry the whole reply to all subscribers.
    pub(super) fn send_to_all(&mut self, frames: &[ServerFrame]) -> Result<()> {
        self.subscribers.send_whole(frames, Audience::All)
    }

    /// Waits up to `time_limit` until the subscribers have received everything.
    pub(super) async fn close(self, time_limit: Duration) {
        self.subscribers.close(time_limit).await;
    }

    pub(super) fn reply(&self) -> &Reply {
        &self.reply
    }
}
