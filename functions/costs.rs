//! What requests may cost: large reads count as several requests, and what is written is limited.

use std::sync::Arc;

use shared::Result;
use shared::auth::{TtlCache, check_allowance};
use shared::clock;
use shared::config::Variables;
use shared::domain::{Rate, UserId};
use shared::http::{Answer, Request};
use shared::store::{CostLimits, Costs, Store};

/// Accounts for what requests cost.
pub(crate) struct Accounting {
    /// None where requests have no limit either.
    limits: Option<CostLimits>,
    /// Users whose reads counted, each in the window with this number.
    readers: TtlCache<UserId, u64>,
}

impl Accounting {
    /// Accounts for reads and writes, by the limits in the variables.
    pub(crate) fn of_all(variables: &mut Variables) -> Self {
        let items_of_a_request = some(variables.parsed_or("ITEMS_PER_REQUEST", 25_000));
        let items = some(variables.parsed_or("ITEMS_PER_WINDOW", 50_000));
        let mut accounting = Self::of_reads(variables);
        accounting.limits =
            accounting.limits.map(|limits| CostLimits { items_of_a_request, items, ..limits });
        accounting
    }

    /// Accounts for reads alone, for a group that stores nothing.
    pub(crate) fn of_reads(variables: &mut Variables) -> Self {
        let read_units = some(variables.parsed_or("READ_UNITS_PER_REQUEST", 64));
        let rate =
            Rate::new(variables.parsed_or("RATE_LIMIT", 100), variables.parsed_or("RATE_LIMIT_WINDOW", 60));
        let limits = rate.map(|rate| CostLimits { rate, read_units, items_of_a_request: None, items: None });
        Self { limits, readers: TtlCache::default() }
    }

    /// Handles a request, and counts what it read beyond what is free.
    pub(crate) async fn account(
        &self,
        store: &Store,
        request: &Request,
        work: impl Future<Output = Result<Answer>>,
    ) -> Result<Answer> {
        let Some(limits) = self.limits else { return work.await };
        let costs: Arc<Costs> = Costs::new(limits);
        let answer = costs.account(work).await;
        if let Some((user, requests)) = costs.requests_read() {
            let (allowance, window) = store.count_cost(user, requests, limits.rate).await?;
            self.readers.remember(user, window, clock::now());
            request.note_allowance(allowance);
        }
        answer
    }

    /// Refuses a read that is large as a rule, before it begins, when its user has no requests left. It costs a look only where
    /// this user has read much before, as far as this instance knows.
    ///
    /// # Errors
    /// [`shared::error::Code::RateLimited`].
    pub(crate) async fn check_reader(&self, store: &Store, request: &Request, user: UserId) -> Result<()> {
        let (Some(limits), now) = (self.limits, clock::now()) else { return Ok(()) };
        let window = limits.rate.window_at(now);
        let has_read_much = self.readers.recent(&user, now, limits.rate.window_millis()) == Some(window);
        if limits.read_units.is_none() || !has_read_much {
            return Ok(());
        }
        let allowance = store.allowance_of(user, limits.rate).await?;
        if allowance.exceeded {
            request.note_allowance(allowance);
        }
        check_allowance(&allowance)
    }
}

/// A limit of 0 is none.
fn some(number: u64) -> Option<u64> {
    (number > 0).then_some(number)
}
