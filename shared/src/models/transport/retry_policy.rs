//! Asking until a model begins: a failure that passes is tried again, and then another model may answer. Once the first
//! word is there, nothing is asked a second time.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::sleep;

use crate::clock;
use crate::models::failure::Failure;
use crate::models::{Piece, Pieces};

/// How often one model is asked.
const MOST_TRIES: u32 = 3;
/// A provider that wants to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The pieces of the first of `models` that begins, each asked by calling it.
pub(in crate::models) fn first_to_begin<A>(models: Vec<A>) -> Pieces
where
    A: Fn() -> Pieces + Send + Sync + 'static,
{
    let attempts =
        Attempts { models: models.into(), tries: 0, wait: Duration::ZERO, asked: None, begun: None };
    Box::pin(stream::unfold(attempts, |mut attempts| async {
        let piece = attempts.next().await?;
        Some((piece, attempts))
    }))
}

struct Attempts<A> {
    /// Those that have not failed yet; the first is the one to ask.
    models: VecDeque<A>,
    /// How often it was asked.
    tries: u32,
    /// How long it is left alone first.
    wait: Duration,
    asked: Option<Pieces>,
    begun: Option<Pieces>,
}

impl<A: Fn() -> Pieces> Attempts<A> {
    async fn next(&mut self) -> Option<Piece> {
        if let Some(pieces) = self.asked.take() {
            match until_first_word(pieces).await {
                Ok(pieces) => self.begun = Some(pieces),
                Err(failure) => return Some(self.failed(failure)),
            }
        }
        if let Some(pieces) = &mut self.begun {
            return pieces.next().await;
        }
        let ask = self.models.front()?;
        sleep(self.wait).await;
        self.asked = Some(ask());
        Some(Piece::Asked)
    }

    /// Decides who is asked next, if anybody is.
    fn failed(&mut self, failure: Failure) -> Piece {
        self.tries += 1;
        let wait = pause(failure, self.tries);
        if let Some(wait) = wait.filter(|_| failure.is_passing() && self.tries < MOST_TRIES) {
            tracing::warn!(kind = ?failure.kind, attempt = self.tries, "a model is asked again");
            self.wait = wait;
            return Piece::Refused;
        }
        self.models.pop_front();
        if self.models.is_empty() || !failure.is_the_providers() {
            self.models.clear();
            return Piece::Failed(failure);
        }
        (self.tries, self.wait) = (0, Duration::ZERO);
        Piece::Refused
    }
}

/// The whole stream, once something has come that cannot be taken back.
async fn until_first_word(mut pieces: Pieces) -> Result<Pieces, Failure> {
    let mut first = Vec::new();
    while let Some(piece) = pieces.next().await {
        if let Piece::Failed(failure) = piece {
            return Err(failure);
        }
        let is_beginning = matches!(piece, Piece::Model { .. } | Piece::Counted(_));
        first.push(piece);
        if !is_beginning {
            break;
        }
    }
    Ok(Box::pin(stream::iter(first).chain(pieces)))
}

/// Full jitter, which spreads those who failed together; none when the provider asks for too much patience.
fn pause(failure: Failure, attempt: u32) -> Option<Duration> {
    let most = FIRST_PAUSE.saturating_mul(1 << attempt.min(8)).min(LONGEST_PAUSE);
    let jitter = clock::jitter(most);
    match failure.retry_after {
        Some(wanted) if wanted > LONGEST_WAIT => None,
        // Asked to wait, all wait; a little jitter keeps them apart after that.
        Some(wanted) => Some(wanted + jitter / 8),
        None => Some(jitter),
    }
}
