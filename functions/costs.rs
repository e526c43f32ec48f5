//! Limits on what requests cost: a large read counts as several requests, and the number of written items is limited.

use std::sync::Arc;

use shared::Result;
use shared::auth::{TtlCache, check_allowance};
use shared::clock;
use shared::config::Variables;
use shared::domain::UserId;
use shared::http::{Answer, Request};
use shared::store::{CostLimits, Costs, Store};

use crate::start;

/// Counts what requests cost, and refuses those that cost too much.
pub(crate) struct Accounting {
    /// `None`: `RATE_LIMIT` is 0, so costs are not limited.
    limits: Option<CostLimits>,
    /// Users charged for large reads; the value is the number of the window.
    readers: TtlCache<UserId, u64>,
}

impl Accounting {
    /// Creates the accounting for a function that reads and writes.
    pub(crate) fn of_all(variables: &mut Variables) -> Self {
        let items_of_a_request = start::unless_zero(variables.parsed_or("ITEMS_PER_REQUEST", 25_000));
        let items = start::unless_zero(variables.parsed_or("ITEMS_PER_WINDOW", 50_000));
        let mut accounting = Self::of_reads(variables);
        accounting.limits =
            accounting.limits.map(|limits| CostLimits { items_of_a_request, items, ..limits });
        accounting
    }

    /// Creates the accounting for a function that only reads.
    pub(crate) fn of_reads(variables: &mut Variables) -> Self {
        let read_units = start::unless_zero(variables.parsed_or("READ_UNITS_PER_REQUEST", 64));
        let limits = start::rate(variables).map(|rate| CostLimits {
            rate,
            read_units,
            items_of_a_request: None,
            items: None,
        });
        Self { limits, readers: TtlCache::default() }
    }

    /// Awaits the handling of a request, and counts what it read beyond the free amount as further requests.
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
            self.readers.insert(user, window, clock::now());
            request.note_allowance(allowance);
        }
        answer
    }

    /// Refuses a read that is usually large if its user has no requests left. The store is asked only if this
    /// instance has counted large reads of the user in this window.
    ///
    /// # Errors
    /// [`shared::error::Code::RateLimited`].
    pub(crate) async fn check_reader(&self, store: &Store, request: &Request, user: UserId) -> Result<()> {
        let (Some(limits), now) = (self.limits, clock::now()) else { return Ok(()) };
        let window = limits.rate.window_at(now);
        let has_read_much = self.readers.get(&user, now, limits.rate.window_millis()) == Some(window);
        if limits.read_units.is_none() || !has_read_much {
            return Ok(());
        }
        let allowance = store.get_allowance(user, limits.rate).await?;
        if allowance.exceeded {
            request.note_allowance(allowance);
        }
        check_allowance(&allowance)
    }
}
