//! When the next chunk of a reply is sent: the first at once, the second 100 ms later. Each further pause is 10 ms
//! longer, up to 250 ms. A chunk is also sent as soon as 4 KB wait.

use std::time::Duration;

use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_INCREMENT: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(250);
const MAX_WAITING_BYTES: usize = 4096;

/// The text that waits to be sent as a chunk, and when it is due.
#[derive(Debug)]
pub(super) struct Pacing {
    waiting: String,
    due: Instant,
    pause: Duration,
    next_seq: u64,
}

impl Pacing {
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: String::new(), due: now, pause: FIRST_PAUSE, next_seq: 0 }
    }

    /// Adds text to the next chunk.
    pub(super) fn push(&mut self, text: &str) {
        self.waiting.push_str(text);
    }

    /// When the next chunk is due. `None` while no text waits.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.due)
    }

    /// Whether the next chunk is due, or large enough to be sent early.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now) || self.waiting.len() >= MAX_WAITING_BYTES
    }

    /// Takes all text that waits. `None` when there is no text.
    pub(super) fn take(&mut self, now: Instant) -> Option<String> {
        if self.waiting.is_empty() {
            return None;
        }
        self.due = now + self.pause;
        self.pause = (self.pause + PAUSE_INCREMENT).min(MAX_PAUSE);
        Some(std::mem::take(&mut self.waiting))
    }

    /// Counts a chunk, and returns its number.
    pub(super) fn next_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// The number of bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The number of the last chunk. `None` before the first.
    pub(super) fn last_seq(&self) -> Option<u64> {
        self.next_seq.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chunk_is_sent_at_once_and_the_pauses_grow() {
        let start = Instant::now();
        let mut pacing = Pacing::new(start);
        assert_eq!(pacing.due(), None);
        let mut now = start;
        let mut pauses = Vec::new();
        for seq in 0..20 {
            pacing.push("x");
            let due = pacing.due().unwrap();
            assert!(pacing.is_due(due) && (due == now || !pacing.is_due(now)));
            pauses.push((due - now).as_millis());
            now = due;
            assert_eq!(pacing.take(now), Some("x".to_owned()));
            assert_eq!((pacing.next_seq(), pacing.last_seq()), (seq, Some(seq)));
        }
        assert_eq!(pauses[..4], [0, 100, 110, 120]);
        assert_eq!(pauses[17..], [250, 250, 250]);
    }

    #[test]
    fn four_kilobytes_are_sent_without_a_pause() {
        let now = Instant::now();
        let mut pacing = Pacing::new(now);
        pacing.push("a");
        pacing.take(now);
        pacing.push(&"b".repeat(MAX_WAITING_BYTES));
        assert!(pacing.is_due(now));
        assert_eq!(pacing.waiting(), MAX_WAITING_BYTES);
    }
}
