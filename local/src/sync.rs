//! Locks that are held briefly and never across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`. No code here panics while it holds a lock, so the data of a poisoned mutex is consistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
