//! Deletes an account step by step.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::clock;
use crate::domain::UserId;
use crate::error::{Error, Result};
use crate::store::{DeletionState, Store};

/// The task is sent just before the account is marked for deletion, so that the deletion cannot be forgotten. The task
/// waits for the mark this many times [`POLL_INTERVAL`].
const MAX_LOOKS: u32 = 50;
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Revoked credentials are refused everywhere within 5 s, and a request that was admitted before may still be writing.
const LAST_WRITE_WITHIN: Duration = Duration::from_secs(6);

/// Deletes an account that is marked for deletion, with everything it owns. After an interruption, the next call
/// continues.
///
/// # Errors
/// When the account is not marked within 5 s, or DynamoDB cannot be reached. Call it again then.
pub async fn delete_account(store: &Store, user: UserId) -> Result<()> {
    if !is_marked(store, user).await? {
        return Ok(());
    }
    let credentials_revoked = Instant::now();
    // The index lags behind the table, so the second pass deletes what the first pass did not see.
    for _ in 0..2 {
        while store.delete_next_conversation(user).await? {}
        sleep(POLL_INTERVAL * 5).await;
    }
    while let Some(until) = store.delete_cleanup_leftovers(user, clock::now()).await? {
        let left = until.get().saturating_sub(clock::now().get());
        sleep(Duration::from_millis(left) + POLL_INTERVAL).await;
    }
    // A request that was admitted before still counts itself, in one of the user's items.
    sleep_until(credentials_revoked + LAST_WRITE_WITHIN).await;
    store.finish_account_deletion(user).await
}

/// Waits until the account is marked for deletion. Returns false when it is already deleted.
async fn is_marked(store: &Store, user: UserId) -> Result<bool> {
    for _ in 0..MAX_LOOKS {
        match store.get_deletion_state(user).await? {
            DeletionState::InProgress => return Ok(true),
            DeletionState::Done => return Ok(false),
            DeletionState::NotBegun => sleep(POLL_INTERVAL).await,
        }
    }
    Err(Error::unavailable("the account is not marked for deletion"))
}
