//! A reply while it is made: the text so far, and what the windows are sent of it.

use std::time::Duration;

use tokio::time::Instant;

use super::outlets::Outlets;
use super::pacing::Pacing;
use super::so_far::{Ended, SoFar, Step};
use crate::domain::{Charge, Content, Ending, ModelName, ReplyPlace, ReplyStatus};
use crate::error::{Error, Result};
use crate::models::Piece;
use crate::sockets::frame::{Reply, ServerFrame};
use crate::sockets::parts::{pieces, snapshot, whole};
use crate::store::{Lease, Watcher};

/// A reply while it is made.
pub(super) struct Making {
    pub(super) so_far: SoFar,
    pacing: Pacing,
    thoughts: Pacing,
    outlets: Outlets,
    reply: Reply,
}

impl Making {
    pub(super) fn new(place: &ReplyPlace, outlets: Outlets) -> Self {
        let now = Instant::now();
        let (pacing, thoughts) = (Pacing::new(now), Pacing::new(now));
        Self { so_far: SoFar::default(), pacing, thoughts, outlets, reply: Reply::at(place) }
    }

    /// Takes the next piece; says so when it is the last.
    pub(super) fn take(&mut self, piece: Piece) -> Result<Option<Ended>> {
        match self.so_far.take(piece) {
            Step::Text(text) => self.pacing.push(&text),
            Step::Thought(text) => self.thoughts.push(&text),
            Step::Ended(ended) => return Ok(Some(ended)),
            Step::Nothing => {}
        }
        let now = Instant::now();
        if self.pacing.is_due(now) || self.thoughts.is_due(now) {
            self.push_chunks()?;
        }
        Ok(None)
    }

    /// When the next chunk is to go; nothing, while nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.pacing.due(), self.thoughts.due()].into_iter().flatten().min()
    }

    /// The number of the last chunk.
    pub(super) fn seq(&self) -> Option<u64> {
        self.pacing.last_seq()
    }

    pub(super) fn push_chunks(&mut self) -> Result<()> {
        let now = Instant::now();
        if let Some(thought) = self.thoughts.take(now) {
            for content in pieces(&thought) {
                let (reply, seq) = (self.reply.clone(), self.thoughts.number());
                self.outlets.send(&ServerFrame::ChatReasoning { reply, seq, content: content.to_owned() })?;
            }
        }
        let Some(text) = self.pacing.take(now) else { return Ok(()) };
        let mut some_wait = false;
        for content in pieces(&text) {
            let (reply, seq) = (self.reply.clone(), self.pacing.number());
            some_wait |=
                self.outlets.send(&ServerFrame::ChatChunk { reply, seq, content: content.to_owned() })?;
        }
        if some_wait { self.send_snapshot(false) } else { Ok(()) }
    }

    /// Takes in windows that came meanwhile, and sends everybody all there is.
    pub(super) fn resync(&mut self, watchers: Vec<Watcher>) -> Result<()> {
        self.push_chunks()?;
        self.outlets.watch(watchers);
        self.send_snapshot(true)
    }

    fn send_snapshot(&mut self, everybody: bool) -> Result<()> {
        // What waits is a part of what comes next.
        let pushed = self.so_far.text.len() - self.pacing.waiting();
        let text = self.so_far.text.get(..pushed).unwrap_or_default();
        let frames = snapshot(&self.reply, self.seq(), text);
        self.outlets.send_all(&frames, everybody)
    }

    /// How the reply ends, with this status.
    pub(super) fn ending(&self, lease: &Lease, status: ReplyStatus, charge: Charge) -> Ending {
        Ending {
            status,
            content: Content::of_reply(&self.so_far.text),
            past_tokens: self.so_far.past_after(&charge.usage),
            charge: Some(charge),
            model: self.model(lease).clone(),
            seq: self.seq(),
        }
    }

    pub(super) fn model<'a>(&'a self, lease: &'a Lease) -> &'a ModelName {
        self.so_far.model.as_ref().unwrap_or(&lease.model)
    }

    /// Tells every window how it ended.
    pub(super) fn tell(&mut self, ending: &Ending, failure: Option<&Error>) -> Result<()> {
        self.outlets.send_all(&whole(&self.reply, ending, failure, self.so_far.left_out), true)
    }

    pub(super) fn send_all(&mut self, frames: &[ServerFrame]) -> Result<()> {
        self.outlets.send_all(frames, true)
    }

    /// Waits for the windows for so long at most.
    pub(super) async fn close(self, patience: Duration) {
        self.outlets.close(patience).await;
    }

    pub(super) fn reply(&self) -> &Reply {
        &self.reply
    }
}
