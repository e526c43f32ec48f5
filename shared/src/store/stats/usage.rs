//! What a user's replies use: reserved before a model is asked, settled when the reply has ended, by day.
//!
//! A day's item holds what is reserved and what was used in one number (`held_…`), which a reservation is conditioned on, and
//! the replies that are being made (`running`). Settling takes a reply out of `running` in the same write, so it happens once.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::usage::{Budget, Spending};
use crate::domain::{Charge, Day, Held, Millis, ReplyPlace, Reservation, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Write, failed, ids, integer, number, sort_key, text};
use crate::store::{Store, key};

/// How long a day's usage is kept.
const KEPT_SECONDS: u64 = 92 * 86_400;
/// A request that waits for its reply waits no longer.
const LONGEST_REQUEST_SECONDS: u64 = 40;

/// What one model has used on a day, or in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// Replies.
    pub replies: u64,
    /// Tokens read.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
    /// Money.
    pub micro_dollars: u64,
}

/// What was used on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayUsage {
    /// What is reserved or used.
    pub held: Spending,
    /// Replies that are being made.
    pub running: u64,
    /// By model.
    pub models: BTreeMap<String, Booked>,
}

impl Store {
    /// The write that reserves, on condition that the budget allows it.
    pub(in crate::store) fn reserving(&self, user: UserId, held: &Held, budget: Budget) -> Write {
        let Spending { tokens, micro_dollars } = held.spending;
        let kept = held.day.start().plus_seconds(KEPT_SECONDS).seconds();
        let mut expression = Expression::default()
            .set("expires_at", number(kept))
            .add("held_tokens", signed(tokens))
            .add("held_micro_dollars", signed(micro_dollars))
            .add_to_set("running", ids([held.slot.clone()]))
            .when_absent_or_fewer("running", number(budget.replies));
        if let Some(most) = budget.tokens {
            expression =
                expression.when_absent_or_at_most("held_tokens", number(signed(most) - signed(tokens)));
        }
        if let Some(most) = budget.micro_dollars {
            let rest = signed(most) - signed(micro_dollars);
            expression = expression.when_absent_or_at_most("held_micro_dollars", number(rest));
        }
        Write::update(&self.studio, key::day_usage(user, held.day), expression)
    }

    /// The write that settles in the transaction that ends a reply.
    pub(in crate::store) fn settled(&self, user: UserId, held: &Held, charge: Option<&Charge>) -> Write {
        Write::update(&self.studio, key::day_usage(user, held.day), settling(held, charge))
    }

    /// Reserves for a reply that is stored nowhere.
    ///
    /// # Errors
    /// [`Code::LimitReached`], [`Code::TooManyReplies`]; [`Code::Unauthenticated`] when the account is gone.
    pub async fn reserve(&self, user: UserId, reservation: &Reservation, now: Millis) -> Result<Held> {
        let until = now.plus_seconds(LONGEST_REQUEST_SECONDS).seconds();
        let held = Held::new(now.day(), reservation.most, &format!("@{until}#{}", crate::clock::new_ulid()));
        let mut attempts = retry::RESERVATION.attempts();
        while attempts.next().await {
            let there = Expression::default().when_exists("pk");
            let writes = vec![
                self.reserving(user, &held, reservation.budget),
                Write::check(&self.studio, key::statistics(user), there),
            ];
            match self.transact(writes).await?.refused() {
                [] => return Ok(held),
                [0, ..] => self.make_room(user, reservation, now).await?,
                _ => return Err(Error::new(Code::Unauthenticated, "Could not validate credentials")),
            }
        }
        Err(too_many())
    }

    /// Settles alone, for a reply that is stored nowhere, or whose conversation is gone. A second time does nothing.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn settle(&self, user: UserId, held: &Held, charge: Option<&Charge>) -> Result<()> {
        let once = settling(held, charge).when_contains("running", text(held.slot.clone()));
        self.transact(vec![Write::update(&self.studio, key::day_usage(user, held.day), once)]).await?;
        Ok(())
    }

    /// Why a reservation was refused. Replies that nobody makes any more are ended first, which may make room.
    ///
    /// # Errors
    /// [`Code::LimitReached`], [`Code::TooManyReplies`]; none when there is room now.
    pub(in crate::store) async fn make_room(
        &self,
        user: UserId,
        reservation: &Reservation,
        now: Millis,
    ) -> Result<()> {
        self.free_abandoned(user, now).await?;
        let day = self.usage_of_day(user, now.day()).await?;
        let Budget { tokens, micro_dollars, replies } = reservation.budget;
        let left = |most: Option<u64>, held: u64, wanted: u64| most.is_none_or(|most| held + wanted <= most);
        let most = reservation.most;
        if !left(tokens, day.held.tokens, most.tokens)
            || !left(micro_dollars, day.held.micro_dollars, most.micro_dollars)
        {
            return Err(Error::over_the_day(now.left_of_day()));
        }
        if day.running >= replies { Err(too_many()) } else { Ok(()) }
    }

    /// Ends replies that nobody makes any more, and gives back what is held for them.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn free_abandoned(&self, user: UserId, now: Millis) -> Result<()> {
        let item = self.day_item(user, now.day()).await?.unwrap_or_default();
        let names = |set: &str| item.get(set).and_then(|set| set.as_ss().ok()).cloned().unwrap_or_default();
        let raised = names("raised");
        for slot in names("running") {
            self.free(user, &slot, &raised, now).await?;
        }
        Ok(())
    }

    /// Takes a reply out of those that are being made when it is not.
    async fn free(&self, user: UserId, slot: &str, raised: &[String], now: Millis) -> Result<()> {
        let Some((held, reply)) = Held::named(now.day(), slot, raised) else { return Ok(()) };
        let until = reply.strip_prefix('@').and_then(|rest| rest.split('#').next()?.parse::<u64>().ok());
        match (until, ReplyPlace::named(user, reply)) {
            (Some(until), _) if until >= now.seconds() => Ok(()),
            (None, Some(place)) => self.end_if_abandoned(&place, &held, now).await,
            _ => self.settle(user, &held, None).await,
        }
    }

    /// What a user has used, from `since` to `until`.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn usage_of_user(
        &self,
        user: UserId,
        since: Day,
        until: Day,
    ) -> Result<BTreeMap<String, DayUsage>> {
        let pages = self
            .client
            .query()
            .table_name(&self.studio)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(key::user_partition(user)))
            .expression_attribute_values(":from", text(key::day_usage(user, since).sk))
            .expression_attribute_values(":to", text(key::day_usage(user, until).sk))
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(failed)?;
        let named = |item: &HashMap<String, AttributeValue>| {
            let key = sort_key(item);
            key.rsplit('#').next().unwrap_or_default().to_owned()
        };
        Ok(items.iter().map(|item| (named(item), day_usage(item))).collect())
    }

    async fn usage_of_day(&self, user: UserId, day: Day) -> Result<DayUsage> {
        Ok(self.day_item(user, day).await?.as_ref().map(day_usage).unwrap_or_default())
    }

    async fn day_item(&self, user: UserId, day: Day) -> Result<Option<HashMap<String, AttributeValue>>> {
        self.get_item(&self.studio, key::day_usage(user, day)).await
    }
}

/// Settles: what was held and not used is free again, and so is the reply's place among those that are
/// being made.
fn settling(held: &Held, charge: Option<&Charge>) -> Expression {
    let (used, all) = (charge.map(Charge::spending).unwrap_or_default(), held.all());
    let mut expression = Expression::default()
        .add("held_tokens", signed(used.tokens) - signed(all.tokens))
        .add("held_micro_dollars", signed(used.micro_dollars) - signed(all.micro_dollars))
        .delete_from_set("running", ids([held.slot.clone()]));
    if let Some(raised) = held.raised_slot() {
        expression = expression.delete_from_set("raised", ids([raised]));
    }
    if let Some(Charge { model, usage, micro_dollars }) = charge {
        for (name, count) in [("n", 1), ("i", usage.input), ("o", usage.output), ("c", *micro_dollars)] {
            expression = expression.add(&format!("{name}:{model}"), signed(count));
        }
    }
    expression
}

impl Charge {
    fn spending(&self) -> Spending {
        Spending { tokens: self.usage.total(), micro_dollars: self.micro_dollars }
    }
}

fn too_many() -> Error {
    let detail = "As many replies as are allowed at a time are being made";
    Error::new(Code::TooManyReplies, detail).after(Some(5))
}

pub(in crate::store) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn day_usage(item: &HashMap<String, AttributeValue>) -> DayUsage {
    let count = |name: &str| u64::try_from(integer(item, name)).unwrap_or_default();
    let running = item.get("running").and_then(|set| set.as_ss().ok()).map_or(0, Vec::len);
    let models = item.keys().filter_map(|name| name.strip_prefix("n:"));
    let booked = |model: &str| Booked {
        replies: count(&format!("n:{model}")),
        input: count(&format!("i:{model}")),
        output: count(&format!("o:{model}")),
        micro_dollars: count(&format!("c:{model}")),
    };
    DayUsage {
        held: Spending { tokens: count("held_tokens"), micro_dollars: count("held_micro_dollars") },
        running: running as u64,
        models: models.map(|model| (model.to_owned(), booked(model))).collect(),
    }
}
