//! The counters of a user. The transaction that writes a conversation or a message also changes the counters, so they
//! are always exact.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::clock;
use crate::domain::statistics::{DayTally, Tally};
use crate::domain::{Day, ModelName, Role, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::store::dynamo::{Expression, KeyRange, MOST_WRITES, Write, integer, number, sort_key, text};
use crate::store::{Store, key};

/// The counters of a user's conversations.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// All counters except those by day.
    pub totals: Tally,
    /// The counters by day in UTC (`YYYY-MM-DD`). A day without an entry has no activity.
    pub days: BTreeMap<String, DayTally>,
}

impl Statistics {
    /// The counters of `day`.
    #[must_use]
    pub fn on(&self, day: Day) -> DayTally {
        self.days.get(&day.to_string()).copied().unwrap_or_default()
    }
}

/// How many days are kept: the 30 that answers show, and two more for clocks that differ.
const SHOWN_DAYS: u32 = 32;
/// The most days whose counters one transaction changes.
const MOST_DAYS: usize = 80;

impl Store {
    /// The writes that change the counters of `user` by `change`. If the totals change, the first write requires that
    /// the user's statistics exist. Deleting an account deletes them first, so a late write cannot bring anything back.
    ///
    /// Days that answers no longer show are not counted. Clients may invent timestamps in the future, so a transaction
    /// counts at most [`MOST_DAYS`] days; [`Self::count_far_days`] counts the others.
    pub(in crate::store) fn count(&self, user: UserId, change: &Tally) -> Vec<Write> {
        let mut writes = Vec::new();
        if change.changes_totals() {
            let totals = within_quota(totals_expression(change), change, self.quota);
            writes.push(Write::update(&self.studio, key::statistics(user), totals).returning_item());
        }
        let models = change.models.iter().filter(|(_, change)| **change != 0);
        writes.extend(models.map(|(model, change)| {
            let expression =
                Expression::default().add("conversations", *change).set("model", text(model.as_str()));
            Write::update(&self.studio, key::model_statistics(user, model), expression)
        }));
        let days = counted_days(change).into_iter().take(MOST_DAYS);
        writes.extend(days.map(|(day, change)| self.count_day(user, day, change)));
        writes
    }

    /// Counts the days that [`Self::count`] left out; called after its transaction. Only a client whose messages have
    /// timestamps on more than [`MOST_DAYS`] future days has such days.
    pub(in crate::store) async fn count_far_days(&self, user: UserId, change: &Tally) -> Result<()> {
        let days = counted_days(change);
        let mut far = days.into_iter().skip(MOST_DAYS).peekable();
        while far.peek().is_some() {
            let writes = far.by_ref().take(MOST_DAYS).map(|(day, change)| self.count_day(user, day, change));
            self.transact(writes.collect()).await?;
        }
        Ok(())
    }

    /// Checks the quota before a change that takes several writes. Changes that fit one transaction are checked by the
    /// condition of [`Self::count`].
    ///
    /// # Errors
    /// [`Code::QuotaExceeded`].
    pub(in crate::store) async fn check_quota(&self, user: UserId, change: &Tally) -> Result<()> {
        let Some(quota) = self.quota.and_then(|quota| i64::try_from(quota).ok()) else { return Ok(()) };
        if change.bytes > 0 && self.get_user_totals(user).await?.bytes + change.bytes > quota {
            return Err(Error::quota_exceeded());
        }
        Ok(())
    }

    fn count_day(&self, user: UserId, day: Day, change: DayTally) -> Write {
        let expression = Expression::default()
            .add("conversations", change.conversations)
            .add("messages", change.messages)
            .add("tokens", change.tokens)
            .set("expires_at", number(day.plus(SHOWN_DAYS + 10).start().seconds()));
        Write::update(&self.studio, key::day_statistics(user, day), expression)
    }

    /// Whether the writes that count `change` fit into one transaction with `others` more writes.
    pub(in crate::store) fn count_fits(change: &Tally, others: usize) -> bool {
        let days = counted_days(change).len().min(MOST_DAYS);
        let models = change.models.values().filter(|change| **change != 0).count();
        1 + models + days + others <= MOST_WRITES
    }

    /// The totals of a user, read with one request.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn get_user_totals(&self, user: UserId) -> Result<Tally> {
        let item = self.find_raw_item(&self.studio, key::statistics(user)).await?;
        Ok(item.as_ref().map(totals).unwrap_or_default())
    }

    /// All counters of a user, with the days from `since` to `until`.
    ///
    /// # Errors
    /// [`crate::error::Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn get_user_statistics(&self, user: UserId, since: Day, until: Day) -> Result<Statistics> {
        let totals = self.get_user_totals(user);
        let range = |from: &str, to: &str| KeyRange::new(&self.studio, key::user_partition(user), from, to);
        let days = range(&key::day_sort_key(since), &key::day_sort_key(until));
        let models = range(key::MODEL_STATISTICS, key::AFTER_MODELS);
        let mut by_model = BTreeMap::new();
        let models = self.query_each(&models, |item| {
            let name =
                sort_key(&item).strip_prefix(key::MODEL_STATISTICS).unwrap_or_default().parse::<ModelName>();
            if let (Ok(model), count @ 1..) = (name, integer(&item, "conversations")) {
                by_model.insert(model, count);
            }
            Ok(())
        });
        let (totals, days, ()) = tokio::try_join!(totals, self.query(&days), models)?;
        let mut statistics = Statistics { totals, days: BTreeMap::new() };
        statistics.totals.models = by_model;
        for item in &days {
            let day = key::day_of(sort_key(item)).to_owned();
            statistics.days.insert(day, day_tally(item));
        }
        Ok(statistics)
    }
}

/// The changes of the days that answers show, earliest first.
fn counted_days(change: &Tally) -> Vec<(Day, DayTally)> {
    let first = clock::now().day().minus(SHOWN_DAYS);
    change.days.range(first..).filter(|(_, change)| !change.is_zero()).map(|(day, it)| (*day, *it)).collect()
}

fn totals_expression(change: &Tally) -> Expression {
    let mut expression = Expression::default()
        .when_exists("pk")
        .add("conversations", change.conversations)
        .add("messages", change.messages)
        .add("tokens", change.tokens)
        .add("response_length", change.response_length)
        .add("bytes", change.bytes);
    for (role, change) in &change.roles {
        expression = expression.add(role.as_str(), *change);
    }
    for (hour, change) in &change.hours {
        expression = expression.add(&hour_name(*hour), *change);
    }
    expression
}

/// `expression`, on condition that the bytes that `change` adds fit into the quota.
fn within_quota(expression: Expression, change: &Tally, quota: Option<u64>) -> Expression {
    match quota.and_then(|quota| i64::try_from(quota).ok()).filter(|_| change.bytes > 0) {
        Some(quota) => expression.when_absent_or_at_most("bytes", number(quota - change.bytes)),
        None => expression,
    }
}

fn hour_name(hour: usize) -> String {
    format!("hour_{hour:02}")
}

fn totals(item: &HashMap<String, AttributeValue>) -> Tally {
    let roles = Role::ALL.map(|role| (role, integer(item, role.as_str())));
    Tally {
        conversations: integer(item, "conversations"),
        messages: integer(item, "messages"),
        tokens: integer(item, "tokens"),
        response_length: integer(item, "response_length"),
        bytes: integer(item, "bytes"),
        roles: BTreeMap::from(roles),
        hours: (0..24).map(|hour| (hour, integer(item, &hour_name(hour)))).collect(),
        ..Tally::default()
    }
}

fn day_tally(item: &HashMap<String, AttributeValue>) -> DayTally {
    DayTally {
        conversations: integer(item, "conversations"),
        messages: integer(item, "messages"),
        tokens: integer(item, "tokens"),
    }
}
