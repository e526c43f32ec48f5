//! Counters that limit callers: requests, failed guesses, and the costs of requests.

pub(super) mod costs;
pub(super) mod login_attempts;
pub(super) mod requests;
pub(super) mod unauthenticated;
