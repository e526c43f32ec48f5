//! The end of an account, step by step.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::clock;
use crate::domain::UserId;
use crate::error::{Error, Result};
use crate::store::{DeletionState, Store};

/// The task is handed over just before the account is made nobody's, so that it cannot be forgotten.
const BEGINS_WITHIN: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);
/// An ended credential is refused everywhere within 5 s, and a request that was let in before that has its time to be answered.
const LAST_WRITE_WITHIN: Duration = Duration::from_secs(6);

/// Deletes an account that is leaving, with all it owns. Interrupted anywhere, it goes on from there the next time.
///
/// # Errors
/// When the account is not leaving, after 5 s, or DynamoDB is out of reach: then this is to be tried again.
pub async fn delete_account(store: &Store, user: UserId) -> Result<()> {
    if !is_leaving(store, user).await? {
        return Ok(());
    }
    let credentials_ended = Instant::now();
    // The index is a moment behind its table, so that nothing is found counts the second time.
    for _ in 0..2 {
        while store.delete_some_conversation(user).await? {}
        sleep(PAUSE * 5).await;
    }
    while let Some(until) = store.delete_unfinished(user, clock::now()).await? {
        let left = until.get().saturating_sub(clock::now().get());
        sleep(Duration::from_millis(left) + PAUSE).await;
    }
    // A request let in a moment before still counts itself, among the user's other items.
    sleep_until(credentials_ended + LAST_WRITE_WITHIN).await;
    store.finish_account_deletion(user).await
}

/// Whether there is anything to delete, as soon as that may be deleted.
async fn is_leaving(store: &Store, user: UserId) -> Result<bool> {
    for _ in 0..BEGINS_WITHIN {
        match store.departure(user).await? {
            DeletionState::SessionOutcome => return Ok(true),
            DeletionState::Done => return Ok(false),
            DeletionState::NotBegun => sleep(PAUSE).await,
        }
    }
    Err(Error::unavailable("an account that is to be deleted is still somebody's"))
}
