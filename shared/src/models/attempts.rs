//! Asking until a model begins: a failure that passes is tried again, and then another model may answer. Once the first
//! word is there, nothing is asked a second time.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::sleep;

use super::failure::Failure;
use super::{Piece, Pieces};
use crate::clock;

/// How often one model is asked.
const MOST_TRIES: u32 = 3;
/// A provider that wants to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The pieces of the first of `models` that begins, each asked by calling it.
pub(super) fn first_to_begin<A>(models: Vec<A>) -> Pieces
where
    A: Fn() -> Pieces + Send + Sync + 'static,
{
    let begun = async move {
        let mut failure = None;
        for ask in models {
            match begin(&ask).await {
                Ok(pieces) => return pieces,
                Err(failed) if failed.is_the_providers() => failure = Some(failed),
                Err(failed) => return Box::pin(stream::iter([Piece::Failed(failed)])) as Pieces,
            }
        }
        Box::pin(stream::iter(failure.map(Piece::Failed))) as Pieces
    };
    Box::pin(stream::once(begun).flatten())
}

/// Asks until the first word is there.
async fn begin<A: Fn() -> Pieces>(ask: &A) -> Result<Pieces, Failure> {
    let mut attempt = 0;
    loop {
        let failure = match until_first_word(ask()).await {
            Ok(pieces) => return Ok(pieces),
            Err(failure) => failure,
        };
        attempt += 1;
        let wait = pause(failure, attempt);
        let Some(wait) = wait.filter(|_| failure.is_passing() && attempt < MOST_TRIES) else {
            return Err(failure);
        };
        tracing::warn!(kind = ?failure.kind, attempt, "a model is asked again");
        sleep(wait).await;
    }
}

/// The whole stream, once something has come that cannot be taken back.
async fn until_first_word(mut pieces: Pieces) -> Result<Pieces, Failure> {
    let mut first = Vec::new();
    while let Some(piece) = pieces.next().await {
        if let Piece::Failed(failure) = piece {
            return Err(failure);
        }
        let is_beginning = matches!(piece, Piece::Model(_) | Piece::Counted(_));
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
