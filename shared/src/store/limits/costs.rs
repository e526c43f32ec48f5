//! What one request costs DynamoDB beyond what its being counted pays for: what it reads, and what it writes. The task that
//! handles the request carries an account of it, which every operation of the store that can be large adds to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::types::ConsumedCapacity;

use crate::clock;
use crate::domain::{Allowance, Rate, Requester, UserId};
use crate::error::{Code, Error, Result};
use crate::store::dynamo::{failed, integer};
use crate::store::{Store, key};

/// What a conversation counts among the items that are written: it changes all counters with it.
const ITEMS_OF_A_CONVERSATION: u64 = 10;
/// Items that are written before another look at the user's counter.
const STEP: u64 = 100;

/// What requests may cost. Without one of them there is no such limit.
#[derive(Clone, Copy, Debug)]
pub struct CostLimits {
    /// How many requests a user may make in a window.
    pub rate: Rate,
    /// So many read units are free in a request; as many more count as a request each.
    pub read_units: Option<u64>,
    /// Items that one request may write.
    pub items_of_a_request: Option<u64>,
    /// Items that a user may write in a window.
    pub items: Option<u64>,
}

/// The account of one request.
#[derive(Debug)]
pub struct Costs {
    limits: CostLimits,
    user: OnceLock<UserId>,
    /// In tenths.
    read: AtomicU64,
    is_checked: AtomicBool,
    written: AtomicU64,
    uncounted: AtomicU64,
}

tokio::task_local! {
    static COSTS: Arc<Costs>;
}

impl Costs {
    /// Nothing so far.
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

    /// Does some work whose costs are added to this account.
    pub async fn account<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        COSTS.scope(Arc::clone(self), work).await
    }

    /// Says whose request is being handled, if its costs matter.
    pub fn are_of(user: UserId) {
        // A request has one caller; where nobody accounts, there is nothing to say.
        COSTS.try_with(|costs| costs.user.set(user).ok()).ok();
    }

    /// As how many requests what was read counts, and whose; nothing while it is free.
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

    /// Adds to what was read. Says when that stops being free.
    fn reads(&self, units: f64) -> bool {
        // DynamoDB counts in halves.
        let tenths = (units * 10.0).round() as u64;
        let read = self.read.fetch_add(tenths, Ordering::Relaxed).saturating_add(tenths);
        self.limits.read_units.is_some_and(|free| read > free.saturating_mul(10))
            && !self.is_checked.swap(true, Ordering::Relaxed)
    }

    /// Adds to what is written. Says how much of it is to be counted now.
    fn writes(&self, items: u64) -> Result<u64> {
        let written = self.written.fetch_add(items, Ordering::Relaxed).saturating_add(items);
        if let Some(most) = self.limits.items_of_a_request.filter(|most| written > *most) {
            let detail = format!(
                "One request may write {most} messages at most, of which a conversation counts as \
                {ITEMS_OF_A_CONVERSATION}. Please send the rest in another one"
            );
            return Err(Error::new(Code::RateLimited, detail).after(Some(1)));
        }
        let uncounted = self.uncounted.fetch_add(items, Ordering::Relaxed).saturating_add(items);
        let is_due = uncounted > STEP;
        Ok(if is_due { self.uncounted.swap(0, Ordering::Relaxed) } else { 0 })
    }
}

impl Store {
    /// What a user has left of the requests of this window, if one more is made. Nothing is counted.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn allowance_of(&self, user: UserId, rate: Rate) -> Result<Allowance> {
        let now = clock::now();
        let key = key::requests(&Requester::User(user), rate.window_at(now)).attributes();
        let request = self.client.get_item().table_name(&self.studio).set_key(Some(key));
        let item = request.send().await.map_err(failed)?.item.unwrap_or_default();
        let requests = u64::try_from(integer(&item, "requests")).unwrap_or_default();
        Ok(rate.after(requests.saturating_add(1), now))
    }

    /// Counts what a request cost as so many requests of its user. Says what is left, and the number of the window.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_cost(&self, user: UserId, requests: u64, rate: Rate) -> Result<(Allowance, u64)> {
        let now = clock::now();
        let counted = self.count_requests(&Requester::User(user), requests, rate, now).await?;
        Ok((rate.after(counted, now), rate.window_at(now)))
    }

    /// Accounts for what was read. A request that has read more than is free looks whether its user may, once.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    pub(in crate::store) async fn account_read(&self, consumed: Option<&ConsumedCapacity>) -> Result<()> {
        let Some((costs, user)) = Costs::current() else { return Ok(()) };
        let units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default();
        if !costs.reads(units) {
            return Ok(());
        }
        check(&self.allowance_of(user, costs.limits.rate).await?)
    }

    /// Accounts for a conversation with so many messages that is about to be created.
    ///
    /// # Errors
    /// [`Code::RateLimited`].
    pub(in crate::store) async fn account_conversation(&self, messages: usize) -> Result<()> {
        self.account_messages(ITEMS_OF_A_CONVERSATION + messages as u64).await
    }

    /// Accounts for so many messages that are about to be written.
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
