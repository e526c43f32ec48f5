//! Limits on what one request may cost: the read units it consumes and the items it writes. The task that handles a
//! request carries a [`Costs`] account (a task local), and every operation of the store that can be large adds to it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::types::ConsumedCapacity;

use crate::clock;
use crate::domain::{Allowance, Rate, Requester, UserId};
use crate::error::{Code, Error, Result};
use crate::store::dynamo::{failed, integer};
use crate::store::{Store, key};

/// A new conversation counts as this many written items, because it also changes all counters.
const ITEMS_OF_A_CONVERSATION: u64 = 10;
/// How many items a request may write before the user's counter is updated and checked again.
const STEP: u64 = 100;

/// The limits on the costs of requests. `None` means that there is no such limit.
#[derive(Clone, Copy, Debug)]
pub struct CostLimits {
    /// The rate limit of a user.
    pub rate: Rate,
    /// How many read units of a request are free. Each further block of this size counts as one more request.
    pub read_units: Option<u64>,
    /// How many items one request may write.
    pub items_of_a_request: Option<u64>,
    /// How many items a user may write in a window.
    pub items: Option<u64>,
}

/// The costs of one request so far.
#[derive(Debug)]
pub struct Costs {
    limits: CostLimits,
    user: OnceLock<UserId>,
    /// Read units consumed, in tenths.
    read: AtomicU64,
    is_checked: AtomicBool,
    written: AtomicU64,
    uncounted: AtomicU64,
}

tokio::task_local! {
    static COSTS: Arc<Costs>;
}

impl Costs {
    /// Creates an account without costs.
    #[must_use]
    pub fn new(limits: CostLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            user: OnceLock::new(),
            read: AtomicU64::new(0),
            is_checked: AtomicBool::new(false),
            written: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
        })
    }

    /// Runs `work` and adds its costs to this account.
    pub async fn account<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        COSTS.scope(Arc::clone(self), work).await
    }

    /// Sets the user to whom the costs of the current request are charged.
    pub fn set_user(user: UserId) {
        // Both failures are harmless: a request has only one caller, and tasks without an account have no limits.
        COSTS.try_with(|costs| costs.user.set(user).ok()).ok();
    }

    /// The user, and the number of requests to charge for the consumed read units. `None` while they are free.
    #[must_use]
    pub fn requests_read(&self) -> Option<(UserId, u64)> {
        let (free, read) = (self.limits.read_units?, self.read.load(Ordering::Relaxed).div_ceil(10));
        (read > free).then(|| Some((*self.user.get()?, read.div_ceil(free))))?
    }

    fn current() -> Option<(Arc<Self>, UserId)> {
        let costs = COSTS.try_with(Arc::clone).ok()?;
        let user = *costs.user.get()?;
        Some((costs, user))
    }

    /// Adds read units. True once, when the units exceed what is free.
    fn reads(&self, units: f64) -> bool {
        // DynamoDB reports multiples of one half.
        let tenths = (units * 10.0).round() as u64;
        let read = self.read.fetch_add(tenths, Ordering::Relaxed).saturating_add(tenths);
        self.limits.read_units.is_some_and(|free| read > free.saturating_mul(10))
            && !self.is_checked.swap(true, Ordering::Relaxed)
    }

    /// Adds written items. Returns how many of them must be added to the user's counter now.
    fn writes(&self, items: u64) -> Result<u64> {
        let written = self.written.fetch_add(items, Ordering::Relaxed).saturating_add(items);
        if let Some(most) = self.limits.items_of_a_request.filter(|most| written > *most) {
            let detail = format!(
                "One request may write at most {most} messages; a new conversation counts as \
                {ITEMS_OF_A_CONVERSATION} messages. Send the rest in another request"
            );
            return Err(Error::new(Code::RateLimited, detail).after(Some(1)));
        }
        let uncounted = self.uncounted.fetch_add(items, Ordering::Relaxed).saturating_add(items);
        let is_due = uncounted > STEP;
        Ok(if is_due { self.uncounted.swap(0, Ordering::Relaxed) } else { 0 })
    }
}

impl Store {
    /// What a user would have left in this window after one more request. Nothing is counted.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn get_allowance(&self, user: UserId, rate: Rate) -> Result<Allowance> {
        let now = clock::now();
        let key = key::requests(&Requester::User(user), rate.window_at(now)).attributes();
        let request = self.client.get_item().table_name(&self.studio).set_key(Some(key));
        let item = request.send().await.map_err(failed)?.item.unwrap_or_default();
        let requests = u64::try_from(integer(&item, "requests")).unwrap_or_default();
        Ok(rate.after(requests.saturating_add(1), now))
    }

    /// Counts `requests` requests of a user for the costs of one. Returns what is left, and the number of the window.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn count_cost(&self, user: UserId, requests: u64, rate: Rate) -> Result<(Allowance, u64)> {
        let now = clock::now();
        let counted = self.count_requests(&Requester::User(user), requests, rate, now).await?;
        Ok((rate.after(counted, now), rate.window_at(now)))
    }

    /// Adds the consumed read units to the account of the request. When they exceed what is free, the user's rate limit
    /// is checked once.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    pub(in crate::store) async fn account_read(&self, consumed: Option<&ConsumedCapacity>) -> Result<()> {
        let Some((costs, user)) = Costs::current() else { return Ok(()) };
        let units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default();
        if !costs.reads(units) {
            return Ok(());
        }
        check(&self.get_allowance(user, costs.limits.rate).await?)
    }

    /// Adds a conversation with `messages` messages, which is about to be created, to the account of the request.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    pub(in crate::store) async fn account_conversation(&self, messages: usize) -> Result<()> {
        self.account_messages(ITEMS_OF_A_CONVERSATION + messages as u64).await
    }

    /// Adds `messages` messages, which are about to be written, to the account of the request.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    pub(in crate::store) async fn account_messages(&self, messages: u64) -> Result<()> {
        let Some((costs, user)) = Costs::current() else { return Ok(()) };
        let (count, now) = (costs.writes(messages)?, clock::now());
        let Some(rate) = costs.limits.items.and_then(|most| costs.limits.rate.with_most(most)) else {
            return Ok(());
        };
        if count == 0 {
            return Ok(());
        }
        let items = self.count_requests(&Requester::Items(user), count, rate, now).await?;
        check(&rate.after(items, now))
    }
}

fn check(allowance: &Allowance) -> Result<()> {
    if !allowance.exceeded {
        return Ok(());
    }
    let milliseconds = allowance.resets_at.get().saturating_sub(clock::now().get());
    Err(Error::retry_after(Code::RateLimited, milliseconds.div_ceil(1000).max(1)))
}
