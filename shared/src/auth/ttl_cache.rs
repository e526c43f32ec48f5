//! What an instance saw a moment ago, which spares it another look.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use crate::domain::Millis;

/// More than this at once on one instance only cost it some reads.
const REMEMBERED: usize = 1000;

/// Values as they were seen, each with when that was.
pub struct TtlCache<K, V>(Mutex<HashMap<K, (Millis, V)>>);

impl<K, V> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> TtlCache<K, V> {
    /// What was seen under `key` in the last `trusted_millis` before `now`.
    pub fn recent(&self, key: &K, now: Millis, trusted_millis: u64) -> Option<V> {
        let views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen_at, value) = views.get(key)?;
        // A clock that was set back must not make a view last.
        let fresh = now >= *seen_at && now.get() - seen_at.get() < trusted_millis;
        fresh.then(|| value.clone())
    }

    /// Remembers what was seen at `now`.
    pub fn remember(&self, key: K, value: V, now: Millis) {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= REMEMBERED {
            views.clear();
        }
        views.insert(key, (now, value));
    }
}
