//! A cache in the memory of one instance, whose entries expire.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use crate::domain::Millis;

/// A full cache is emptied, which costs some reads.
const CAPACITY: usize = 1000;

/// Values by key, each with the time at which it was read.
pub struct TtlCache<K, V>(Mutex<HashMap<K, (Millis, V)>>);

impl<K, V> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> TtlCache<K, V> {
    /// The value of `key`, if it was inserted less than `ttl_millis` before `now`.
    pub fn get(&self, key: &K, now: Millis, ttl_millis: u64) -> Option<V> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (inserted_at, value) = entries.get(key)?;
        // An entry from the future means that the clock was set back; it must not last longer for that.
        let is_fresh = now >= *inserted_at && now.get() - inserted_at.get() < ttl_millis;
        is_fresh.then(|| value.clone())
    }

    /// Stores the value of `key` as read at `now`.
    pub fn insert(&self, key: K, value: V, now: Millis) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CAPACITY {
            entries.clear();
        }
        entries.insert(key, (now, value));
    }
}
