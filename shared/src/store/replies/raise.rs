//! Raising the reservation of a reply whose prompt turned out to be larger than estimated when its turn began.

use super::item::Lease;
use crate::domain::usage::Spending;
use crate::domain::{Held, Millis, Reservation};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Write, ids, number, text};
use crate::store::stats::usage::signed;
use crate::store::{Store, key};

/// The outcome of raising a reservation.
#[derive(Debug)]
pub enum Raised {
    /// The wanted amount is reserved.
    Held,
    /// The user's daily limits do not allow it.
    Refused(Error),
    /// The lease was lost, or the conversation was deleted. Nothing was changed.
    Lost,
}

impl Lease {
    /// Whether at least `wanted` is reserved for the reply. A reply without a reservation is not limited.
    #[must_use]
    pub fn holds(&self, wanted: Spending) -> bool {
        self.held.as_ref().is_none_or(|held| held.covers(wanted))
    }
}

impl Store {
    /// Raises the reservation of a reply to `wanted`, before its model is asked.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn raise_reservation(
        &self,
        lease: &mut Lease,
        wanted: &Reservation,
        now: Millis,
    ) -> Result<Raised> {
        let Some(held) = &lease.held else { return Ok(Raised::Held) };
        let raised = held.raised_to(wanted.most);
        let user = lease.place.user;
        let mut attempts = retry::RESERVATION.attempts();
        while attempts.next().await {
            let reply = lease
                .lease_condition()
                .set("held", serde_dynamo::to_attribute_value(&raised).map_err(Error::internal)?);
            let day =
                Write::update(&self.studio, key::day_usage(user, raised.day), increase(&raised, wanted));
            let reply = Write::update(&self.studio, key::reply_at(&lease.place), reply);
            match self.transact(vec![day, reply]).await?.refused() {
                [] => {
                    lease.held = Some(raised);
                    return Ok(Raised::Held);
                }
                // Abandoned replies may still hold budget.
                [0] => self.end_abandoned_replies(user, now).await?,
                _ => return Ok(Raised::Lost),
            }
        }
        Ok(Raised::Refused(Error::over_the_day(now.seconds_left_in_day())))
    }
}

/// The update of the day's item that adds the additional amount, on condition that the daily limits allow it and the
/// reply is still running.
fn increase(held: &Held, wanted: &Reservation) -> Expression {
    let Spending { tokens, micro_dollars } = held.extra();
    let mut expression = Expression::default()
        .add("held_tokens", signed(tokens))
        .add("held_micro_dollars", signed(micro_dollars))
        .add_to_set("raised", ids(held.raised_slot()))
        .when_contains("running", text(held.slot.clone()));
    let limits = [
        ("held_tokens", wanted.budget.tokens, tokens),
        ("held_micro_dollars", wanted.budget.micro_dollars, micro_dollars),
    ];
    for (name, most, more) in limits {
        if let Some(most) = most.filter(|_| more > 0) {
            expression = expression.when_absent_or_at_most(name, number(signed(most) - signed(more)));
        }
    }
    expression
}
