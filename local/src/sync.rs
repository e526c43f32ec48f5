//! Locks that are held for a moment and never across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes `mutex`. Nothing here panics with a lock held, so what a poisoned one guards is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
