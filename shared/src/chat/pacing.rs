//! When the next chunk of a reply goes out: the first at once, then one each 100 ms, each pause 10 ms longer, up to
//! 250 ms; or as soon as 4 KB wait.

use std::time::Duration;

use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGER_EACH: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
const ENOUGH_BYTES: usize = 4096;

/// The text that waits to be pushed, and when it goes.
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

    pub(super) fn push(&mut self, text: &str) {
        self.waiting.push_str(text);
    }

    /// When the next chunk is to go; nothing, while no text waits.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.due)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now) || self.waiting.len() >= ENOUGH_BYTES
    }

    /// All the text that waits.
    pub(super) fn take(&mut self, now: Instant) -> Option<String> {
        if self.waiting.is_empty() {
            return None;
        }
        self.due = now + self.pause;
        self.pause = (self.pause + LONGER_EACH).min(LONGEST_PAUSE);
        Some(std::mem::take(&mut self.waiting))
    }

    /// The number of the next chunk.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_seq;
        self.next_seq += 1;
        number
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The number of the last chunk; none before the first.
    pub(super) fn last_seq(&self) -> Option<u64> {
        self.next_seq.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chunk_goes_at_once_and_the_pauses_grow() {
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
            assert_eq!((pacing.number(), pacing.last_seq()), (seq, Some(seq)));
        }
        assert_eq!(pauses[..4], [0, 100, 110, 120]);
        assert_eq!(pauses[17..], [250, 250, 250]);
    }

    #[test]
    fn much_text_does_not_wait() {
        let now = Instant::now();
        let mut pacing = Pacing::new(now);
        pacing.push("a");
        pacing.take(now);
        pacing.push(&"b".repeat(ENOUGH_BYTES));
        assert!(pacing.is_due(now));
        assert_eq!(pacing.waiting(), ENOUGH_BYTES);
    }
}
