//! How much anybody may ask: requests in a window of time, and guesses at a password.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::{ConnectionId, Email, Millis, UserId};

/// Failures that cost nothing but themselves.
pub const FREE_FAILURES: u32 = 5;
/// The longest wait after a failure: 15 minutes.
const LONGEST_WAIT_SECONDS: u64 = 900;

/// How many requests somebody may make in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    most: u64,
    window_seconds: u64,
}

/// What is left of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many requests the window has.
    pub limit: u64,
    /// How many requests it has left.
    pub remaining: u64,
    /// When the next window begins.
    pub resets_at: Millis,
    /// Whether the request that was just counted is one too many.
    pub exceeded: bool,
}

impl Rate {
    /// How often in a second a frame from one network waits for an `auth` frame that has not been seen.
    pub const WAITS: Self = Self { most: 3, window_seconds: 1 };
    /// As many requests a minute as there are.
    pub const UNLIMITED: Self = Self { most: u64::MAX, window_seconds: 60 };

    /// So many requests in so many seconds; none when there is no limit (0).
    #[must_use]
    pub fn new(most: u64, window_seconds: u64) -> Option<Self> {
        (most > 0 && window_seconds > 0).then_some(Self { most, window_seconds })
    }

    /// So many requests of a connection for each hundred of a user, at least one.
    #[must_use]
    pub fn per_hundred(self, share: u64) -> Self {
        Self { most: self.most.saturating_mul(share).div_ceil(100), ..self }
    }

    /// So many in as long a window; none when there is no limit (0).
    #[must_use]
    pub fn with_most(self, most: u64) -> Option<Self> {
        Self::new(most, self.window_seconds)
    }

    /// How many requests a window has.
    #[must_use]
    pub fn most(self) -> u64 {
        self.most
    }

    /// How long a window is.
    #[must_use]
    pub fn window_millis(self) -> u64 {
        self.window_seconds.saturating_mul(1000)
    }

    /// The number of the window that `now` is in.
    #[must_use]
    pub fn window_at(self, now: Millis) -> u64 {
        now.seconds() / self.window_seconds
    }

    /// The number of the window before, as long as something in it may be less than so many seconds ago at `now`.
    #[must_use]
    pub fn window_before(self, now: Millis, seconds: u64) -> Option<u64> {
        let began = now.seconds() % self.window_seconds < seconds;
        self.window_at(now).checked_sub(1).filter(|_| began)
    }

    /// When the window ends that `now` is in.
    #[must_use]
    pub fn window_ends(self, now: Millis) -> Millis {
        Millis::saturating((self.window_at(now) + 1).saturating_mul(self.window_seconds * 1000))
    }

    /// What is left at `now` when this was the request with this number in its window.
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

/// Where requests come from, as far as one owner has addresses: an IPv4 address, or the 64 bits of an IPv6 address that
/// a single customer usually gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network(String);

impl Network {
    /// The network of an address as the gateway spells it.
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

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requester {
    /// A user's, wherever they come from.
    User(UserId),
    /// Those of nobody that we know.
    Network(Network),
    /// Those that send a mail to this address.
    Mailbox(Email),
    /// The frames of a connection.
    Connection(ConnectionId),
    /// What a user writes.
    Items(UserId),
    /// The frames from a network that an `auth` frame is awaited for, though none has been seen.
    Waits(Network),
}

/// Guesses at a secret that were wrong, or that nobody has judged yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many in a row.
    pub count: u32,
    /// When the last one was.
    pub last_at: Millis,
}

impl Failures {
    /// The same, unless the last one was so many seconds ago at `now`: then it is forgotten.
    #[must_use]
    pub fn remembered_at(self, now: Millis, seconds: u64) -> Self {
        if self.last_at.plus_seconds(seconds) > now { self } else { Self::default() }
    }

    /// When another guess may be made: after five failures a second after the last one, and the wait doubles with each,
    /// up to 15 minutes.
    #[must_use]
    pub fn next_at(self) -> Millis {
        let Some(paid) = self.count.checked_sub(FREE_FAILURES) else { return Millis::default() };
        let wait = 1_u64.checked_shl(paid).unwrap_or(u64::MAX).min(LONGEST_WAIT_SECONDS);
        self.last_at.plus_seconds(wait)
    }

    /// Whether another guess costs nothing.
    #[must_use]
    pub fn is_free(self) -> bool {
        self.count < FREE_FAILURES
    }

    /// How many seconds there are to wait at `now` while so many other guesses wait for their judgement, each of which may
    /// turn out to be one more failure; none when a guess may be made.
    #[must_use]
    pub fn wait_beside(self, others: u64, now: Millis) -> Option<u64> {
        let failures = u64::from(self.count).saturating_add(others);
        let at_most = others > 0 && failures >= u64::from(FREE_FAILURES);
        // They are judged within a moment.
        self.wait_at(now).or(at_most.then_some(1))
    }

    /// The same with another guess at `now`.
    #[must_use]
    pub fn and_another(self, now: Millis) -> Self {
        Self { count: self.count.saturating_add(1), last_at: now }
    }

    /// How many seconds there are to wait at `now`; none when a guess may be made.
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
    fn a_window_counts_up_to_its_limit_and_says_when_the_next_begins() {
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
    fn addresses_that_one_owner_has_are_one_network() {
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
        let beside = |count, others| Failures { count, last_at: Millis::default() }.wait_beside(others, now);
        assert_eq!((beside(0, 4), beside(4, 0), beside(9, 0)), (None, None, None));
        assert_eq!((beside(0, 5), beside(4, 1), beside(9, 1)), (Some(1), Some(1), Some(1)));
        let last = Failures { count: 6, last_at: now };
        assert_eq!(last.wait_at(now.plus_seconds(2)), None);
    }
}
