//! Rate limits (requests in a window of time) and the waits after wrong passwords.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::{ConnectionId, Email, Millis, UserId};

/// How many failed guesses in a row are allowed without a wait.
pub const FREE_FAILURES: u32 = 5;
/// The longest wait after a failed guess: 15 minutes.
const LONGEST_WAIT_SECONDS: u64 = 900;

/// A rate limit: how many requests a requester may make in a fixed window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    most: u64,
    window_seconds: u64,
}

/// What is left of a [`Rate`] in the current window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many requests are allowed in the window.
    pub limit: u64,
    /// How many requests are left in the window.
    pub remaining: u64,
    /// When the next window begins.
    pub resets_at: Millis,
    /// Whether the request that was just counted exceeds the limit.
    pub exceeded: bool,
}

impl Rate {
    /// How many frames of one network may, per second, wait for an `auth` frame that has not arrived yet.
    pub const WAITS: Self = Self { most: 3, window_seconds: 1 };
    /// No limit; requests are only counted, per minute.
    pub const UNLIMITED: Self = Self { most: u64::MAX, window_seconds: 60 };

    /// A limit of `most` requests in `window_seconds`. `None` when either is 0, which means that there is no limit.
    #[must_use]
    pub fn new(most: u64, window_seconds: u64) -> Option<Self> {
        (most > 0 && window_seconds > 0).then_some(Self { most, window_seconds })
    }

    /// This rate scaled to `share` percent, at least one request. A connection gets a share of its user's rate.
    #[must_use]
    pub fn per_hundred(self, share: u64) -> Self {
        Self { most: self.most.saturating_mul(share).div_ceil(100), ..self }
    }

    /// A limit of `most` requests in a window of the same length; `None` when `most` is 0, which means that there is no
    /// limit.
    #[must_use]
    pub fn with_most(self, most: u64) -> Option<Self> {
        Self::new(most, self.window_seconds)
    }

    /// How many requests are allowed in a window.
    #[must_use]
    pub fn most(self) -> u64 {
        self.most
    }

    /// The length of a window.
    #[must_use]
    pub fn window_millis(self) -> u64 {
        self.window_seconds.saturating_mul(1000)
    }

    /// The number of the window that contains `now`.
    #[must_use]
    pub fn window_at(self, now: Millis) -> u64 {
        now.seconds() / self.window_seconds
    }

    /// The number of the previous window if it ended less than `seconds` before `now`, else `None`.
    #[must_use]
    pub fn window_before(self, now: Millis, seconds: u64) -> Option<u64> {
        let is_recent = now.seconds() % self.window_seconds < seconds;
        self.window_at(now).checked_sub(1).filter(|_| is_recent)
    }

    /// When the window that contains `now` ends.
    #[must_use]
    pub fn window_ends(self, now: Millis) -> Millis {
        Millis::saturating((self.window_at(now) + 1).saturating_mul(self.window_seconds * 1000))
    }

    /// What is left at `now` after `requests` requests were counted in the window.
    #[must_use]
    pub fn after(self, requests: u64, now: Millis) -> Allowance {
        Allowance {
            limit: self.most,
            remaining: self.most.saturating_sub(requests),
            resets_at: self.window_ends(now),
            exceeded: requests > self.most,
        }
    }
}

/// The network that a request comes from: an IPv4 address, or the first 64 bits of an IPv6 address, because a provider
/// usually gives each customer a whole /64.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network(String);

impl Network {
    /// The network of an address as the gateway reports it. A text that is not an address is used as it is, up to 64
    /// characters.
    #[must_use]
    pub fn of(address: &str) -> Self {
        Self(match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => address.to_string(),
            Ok(IpAddr::V6(address)) => format!("{}/64", first_half(address)),
            Err(_) => address.chars().take(64).collect(),
        })
    }
}

fn first_half(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The requester whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requester {
    /// All requests of a user, from any network.
    User(UserId),
    /// Requests of unauthenticated callers from one network.
    Network(Network),
    /// Requests that send a mail to this address.
    Mailbox(Email),
    /// The frames of a connection.
    Connection(ConnectionId),
    /// Items that a user writes.
    Items(UserId),
    /// Frames from one network that wait for an `auth` frame that has not arrived yet.
    Waits(Network),
}

/// Guesses at a secret that were wrong or have not been verified yet. A guess is counted as a failure before it is
/// verified, so that concurrent guesses are all counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many guesses failed in a row.
    pub count: u32,
    /// When the last guess was made.
    pub last_at: Millis,
}

impl Failures {
    /// The failures that still count at `now`: none if the last one was `seconds` or more before.
    #[must_use]
    pub fn remembered_at(self, now: Millis, seconds: u64) -> Self {
        if self.last_at.plus_seconds(seconds) > now { self } else { Self::default() }
    }

    /// When the next guess may be made: at once for the first five failures, then one second after the last failure;
    /// the wait doubles with each further failure, up to 15 minutes.
    #[must_use]
    pub fn next_at(self) -> Millis {
        let Some(doublings) = self.count.checked_sub(FREE_FAILURES) else { return Millis::default() };
        let wait = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX).min(LONGEST_WAIT_SECONDS);
        self.last_at.plus_seconds(wait)
    }

    /// Whether the next guess may be made without a wait.
    #[must_use]
    pub fn is_free(self) -> bool {
        self.count < FREE_FAILURES
    }

    /// The seconds to wait at `now` while `others` guesses are being verified, each of which may turn out to be another
    /// failure; `None` when a guess may be made now.
    #[must_use]
    pub fn wait_with_pending(self, others: u64, now: Millis) -> Option<u64> {
        let failures = u64::from(self.count).saturating_add(others);
        let may_exceed = others > 0 && failures >= u64::from(FREE_FAILURES);
        // The other guesses are verified within a second.
        self.wait_at(now).or(may_exceed.then_some(1))
    }

    /// The failures after one more at `now`.
    #[must_use]
    pub fn plus_one(self, now: Millis) -> Self {
        Self { count: self.count.saturating_add(1), last_at: now }
    }

    /// The seconds to wait at `now`; `None` when a guess may be made now.
    #[must_use]
    pub fn wait_at(self, now: Millis) -> Option<u64> {
        let left = self.next_at().get().saturating_sub(now.get());
        (left > 0).then(|| left.div_ceil(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_has_what_is_left_and_when_the_next_window_begins() {
        let rate = Rate::new(3, 60).unwrap();
        let now = Millis::saturating(61_000);
        assert_eq!(rate.window_at(now), 1);
        assert_eq!(rate.window_before(now, 30), Some(0));
        assert_eq!(rate.window_before(now.plus_seconds(29), 30), None);
        let third = rate.after(3, now);
        assert_eq!((third.remaining, third.exceeded), (0, false));
        assert_eq!(third.resets_at, Millis::saturating(120_000));
        assert!(rate.after(4, now).exceeded);
        assert_eq!((Rate::new(0, 60), Rate::new(1, 0)), (None, None));
    }

    #[test]
    fn addresses_of_one_customer_are_one_network() {
        let network = |address| Network::of(address).to_string();
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::9"), network("2001:db8:1:2:ffff::1"));
        assert_eq!(network(&"x".repeat(100)).len(), 64);
    }

    #[test]
    fn five_failures_are_free_and_then_the_wait_doubles_up_to_a_quarter_of_an_hour() {
        let now = Millis::saturating(1_000_000);
        let wait = |count| Failures { count, last_at: now }.wait_at(now);
        assert_eq!((wait(0), wait(4)), (None, None));
        assert_eq!((wait(5), wait(6), wait(7), wait(14)), (Some(1), Some(2), Some(4), Some(512)));
        assert_eq!((wait(15), wait(200)), (Some(900), Some(900)));
        let beside =
            |count, others| Failures { count, last_at: Millis::default() }.wait_with_pending(others, now);
        assert_eq!((beside(0, 4), beside(4, 0), beside(9, 0)), (None, None, None));
        assert_eq!((beside(0, 5), beside(4, 1), beside(9, 1)), (Some(1), Some(1), Some(1)));
        let last = Failures { count: 6, last_at: now };
        assert_eq!(last.wait_at(now.plus_seconds(2)), None);
    }
}
