//! Usage by day: budget is reserved before a model is asked, and settled when the reply has ended.
//!
//! The day's item contains the sum of what is reserved and what was used (`held_…`), on which the condition of a new
//! reservation is based, and the set of replies that are being made (`running`). Settling a reservation replaces the
//! reserved amount by the used amount and removes the reply from `running` in one write, so it takes effect only once.
//!
//! [`Store::end_abandoned_replies`] ends abandoned replies, whose worker died, and settles their reservations, which
//! would otherwise stay in the day's item. It is called when a reservation of the user does not fit into the budget.
//! The name of a reservation in `running` contains its amounts, so it can be returned even if the reply's item is gone.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::usage::{Budget, Spending};
use crate::domain::{Charge, Day, Held, Millis, ReplyPlace, Reservation, UserId};
use crate::error::{Code, Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Write, failed, ids, integer, number, sort_key, text};
use crate::store::{Store, key};

/// How long the usage item of a day is kept.
const KEPT_SECONDS: u64 = 92 * 86_400;
/// How long an HTTP request that waits for an unstored reply can take. After that, its reservation is abandoned.
const LONGEST_REQUEST_SECONDS: u64 = 40;

/// The usage of one model on one or more days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelUsage {
    /// Replies.
    pub replies: u64,
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// The price in millionths of a dollar.
    pub micro_dollars: u64,
}

/// The usage of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayUsage {
    /// The sum of what is reserved and what was used.
    pub held: Spending,
    /// How many replies are being made.
    pub running: u64,
    /// The usage by name of the model.
    pub models: BTreeMap<String, ModelUsage>,
}

impl Store {
    /// The write that adds a reservation to the day's item, on condition that the budget allows it.
    pub(in crate::store) fn reservation_write(&self, user: UserId, held: &Held, budget: Budget) -> Write {
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

    /// The write that settles a reservation in the transaction that ends the reply.
    pub(in crate::store) fn settlement_write(
        &self,
        user: UserId,
        held: &Held,
        charge: Option<&Charge>,
    ) -> Write {
        Write::update(&self.studio, key::day_usage(user, held.day), settlement(held, charge))
    }

    /// Reserves budget for a reply that is not stored.
    ///
    /// # Errors
    /// [`Code::LimitReached`], [`Code::TooManyReplies`]; [`Code::Unauthenticated`] when the account is gone.
    pub async fn reserve(&self, user: UserId, reservation: &Reservation, now: Millis) -> Result<Held> {
        let until = now.plus_seconds(LONGEST_REQUEST_SECONDS).seconds();
        let held = Held::new(now.day(), reservation.most, &format!("@{until}#{}", crate::clock::new_ulid()));
        let mut attempts = retry::RESERVATION.attempts();
        while attempts.next().await {
            let account_exists = Expression::default().when_exists("pk");
            let writes = vec![
                self.reservation_write(user, &held, reservation.budget),
                Write::check(&self.studio, key::statistics(user), account_exists),
            ];
            match self.transact(writes).await?.refused() {
                [] => return Ok(held),
                [0, ..] => self.end_abandoned_or_refuse(user, reservation, now).await?,
                _ => return Err(Error::new(Code::Unauthenticated, "Could not validate credentials")),
            }
        }
        Err(too_many_replies())
    }

    /// Settles the reservation of a reply that is not stored, or whose conversation was deleted. Settling again does
    /// nothing.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn settle(&self, user: UserId, held: &Held, charge: Option<&Charge>) -> Result<()> {
        let expression = settlement(held, charge).when_contains("running", text(held.slot.clone()));
        self.transact(vec![Write::update(&self.studio, key::day_usage(user, held.day), expression)]).await?;
        Ok(())
    }

    /// Ends abandoned replies, then checks the budget again for a reservation that was refused. Returns without an
    /// error when the reservation fits now.
    ///
    /// # Errors
    /// [`Code::LimitReached`] or [`Code::TooManyReplies`], whichever limit is still in the way.
    pub(in crate::store) async fn end_abandoned_or_refuse(
        &self,
        user: UserId,
        reservation: &Reservation,
        now: Millis,
    ) -> Result<()> {
        self.end_abandoned_replies(user, now).await?;
        let day = self.usage_of_day(user, now.day()).await?;
        let Budget { tokens, micro_dollars, replies } = reservation.budget;
        let fits = |most: Option<u64>, held: u64, wanted: u64| most.is_none_or(|most| held + wanted <= most);
        let most = reservation.most;
        if !fits(tokens, day.held.tokens, most.tokens)
            || !fits(micro_dollars, day.held.micro_dollars, most.micro_dollars)
        {
            return Err(Error::over_the_day(now.seconds_left_in_day()));
        }
        if day.running >= replies { Err(too_many_replies()) } else { Ok(()) }
    }

    /// Ends the replies of the day whose workers have died, and settles their reservations.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn end_abandoned_replies(&self, user: UserId, now: Millis) -> Result<()> {
        let item = self.day_item(user, now.day()).await?.unwrap_or_default();
        let names = |set: &str| item.get(set).and_then(|set| set.as_ss().ok()).cloned().unwrap_or_default();
        let raised = names("raised");
        for slot in names("running") {
            self.settle_if_abandoned(user, &slot, &raised, now).await?;
        }
        Ok(())
    }

    /// Settles the reservation with this name in `running` if its reply is abandoned.
    async fn settle_if_abandoned(
        &self,
        user: UserId,
        slot: &str,
        raised: &[String],
        now: Millis,
    ) -> Result<()> {
        let Some((held, reply)) = Held::named(now.day(), slot, raised) else { return Ok(()) };
        let until = reply.strip_prefix('@').and_then(|rest| rest.split('#').next()?.parse::<u64>().ok());
        match (until, ReplyPlace::named(user, reply)) {
            (Some(until), _) if until >= now.seconds() => Ok(()),
            (None, Some(place)) => self.end_if_abandoned(&place, &held, now).await,
            _ => self.settle(user, &held, None).await,
        }
    }

    /// The usage of a user by day, from `since` to `until`.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn get_user_usage(
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
        let day_of = |item: &HashMap<String, AttributeValue>| {
            let key = sort_key(item);
            key.rsplit('#').next().unwrap_or_default().to_owned()
        };
        Ok(items.iter().map(|item| (day_of(item), day_usage(item))).collect())
    }

    async fn usage_of_day(&self, user: UserId, day: Day) -> Result<DayUsage> {
        Ok(self.day_item(user, day).await?.as_ref().map(day_usage).unwrap_or_default())
    }

    async fn day_item(&self, user: UserId, day: Day) -> Result<Option<HashMap<String, AttributeValue>>> {
        self.find_raw_item(&self.studio, key::day_usage(user, day)).await
    }
}

/// The update that settles a reservation: it returns the part that was not used and removes the reply from `running`.
fn settlement(held: &Held, charge: Option<&Charge>) -> Expression {
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

fn too_many_replies() -> Error {
    let detail = "You have reached the limit of replies that may be generated at the same time";
    Error::new(Code::TooManyReplies, detail).after(Some(5))
}

pub(in crate::store) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn day_usage(item: &HashMap<String, AttributeValue>) -> DayUsage {
    let count = |name: &str| u64::try_from(integer(item, name)).unwrap_or_default();
    let running = item.get("running").and_then(|set| set.as_ss().ok()).map_or(0, Vec::len);
    let models = item.keys().filter_map(|name| name.strip_prefix("n:"));
    let usage_of = |model: &str| ModelUsage {
        replies: count(&format!("n:{model}")),
        input: count(&format!("i:{model}")),
        output: count(&format!("o:{model}")),
        micro_dollars: count(&format!("c:{model}")),
    };
    DayUsage {
        held: Spending { tokens: count("held_tokens"), micro_dollars: count("held_micro_dollars") },
        running: running as u64,
        models: models.map(|model| (model.to_owned(), usage_of(model))).collect(),
    }
}
