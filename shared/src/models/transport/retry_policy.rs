//! Retries: a transient failure is retried, and then the fallback model is asked. After the first word of a reply,
//! nothing is retried.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::sleep;

use crate::clock;
use crate::models::failure::ModelFailure;
use crate::models::{Piece, Pieces};

/// How many requests one model gets.
const MAX_TRIES: u32 = 3;
/// The longest wait that a provider may ask for. If it asks for more, the model is not asked again.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// The stream of the first of `models` that sends text. Each call of a model is one request to it.
pub(in crate::models) fn first_to_answer<A>(models: Vec<A>) -> Pieces
where
    A: Fn() -> Pieces + Send + Sync + 'static,
{
    let attempts =
        ModelAttempts { models: models.into(), tries: 0, wait: Duration::ZERO, asked: None, begun: None };
    Box::pin(stream::unfold(attempts, |mut attempts| async {
        let piece = attempts.next().await?;
        Some((piece, attempts))
    }))
}

struct ModelAttempts<A> {
    /// The models that have not failed yet. The first is asked next.
    models: VecDeque<A>,
    /// How many requests the first model has got.
    tries: u32,
    /// How long to wait before the next request.
    wait: Duration,
    /// The stream of the last request, which has sent no text yet.
    asked: Option<Pieces>,
    /// The stream that has sent text.
    begun: Option<Pieces>,
}

impl<A: Fn() -> Pieces> ModelAttempts<A> {
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

    /// Decides which model is asked next, if any.
    fn failed(&mut self, failure: ModelFailure) -> Piece {
        self.tries += 1;
        let wait = pause(failure, self.tries);
        if let Some(wait) = wait.filter(|_| failure.is_transient() && self.tries < MAX_TRIES) {
            tracing::warn!(kind = ?failure.kind, attempt = self.tries, "retrying a request to a model");
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

/// The whole stream, as soon as it has sent text or ended.
///
/// # Errors
/// The failure of a stream that has sent no text.
async fn until_first_word(mut pieces: Pieces) -> Result<Pieces, ModelFailure> {
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

/// How long to wait before the next request, with full jitter. `None` when the provider asks for a wait that is too
/// long.
fn pause(failure: ModelFailure, attempt: u32) -> Option<Duration> {
    let most = FIRST_PAUSE.saturating_mul(1 << attempt.min(8)).min(MAX_PAUSE);
    let jitter = clock::jitter(most);
    match failure.retry_after {
        Some(wanted) if wanted > MAX_RETRY_AFTER => None,
        // All clients wait as asked. A little jitter spreads them after that.
        Some(wanted) => Some(wanted + jitter / 8),
        None => Some(jitter),
    }
}
