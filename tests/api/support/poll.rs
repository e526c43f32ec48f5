//! Waiting for something by polling.

use std::time::{Duration, Instant};

/// How long a test waits for anything. It is long because other tests run at the same time.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Polls until `found` returns something.
pub(crate) async fn eventually<T, F>(what: &str, found: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    eventually_each(Duration::from_millis(20), what, found).await
}

/// Polls with this pause, for checks that are expensive.
pub(crate) async fn eventually_each<T, F>(pause: Duration, what: &str, mut found: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + WAIT_TIMEOUT;
    loop {
        if let Some(it) = found().await {
            return it;
        }
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        tokio::time::sleep(pause).await;
    }
}
