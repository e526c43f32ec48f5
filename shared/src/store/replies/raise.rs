//! A reservation is raised when a reply is about to read more than was expected when its turn began.

use super::item::Lease;
use crate::domain::usage::Spending;
use crate::domain::{Held, Millis, Reservation};
use crate::error::{Error, Result};
use crate::retry;
use crate::store::dynamo::{Expression, Write, ids, number, text};
use crate::store::stats::usage::signed;
use crate::store::{Store, key};

/// What became of raising a reservation.
#[derive(Debug)]
pub enum Raised {
    /// As much is held as is wanted.
    Held,
    /// The day's limits do not allow it.
    Refused(Error),
    /// The lease was lost, or the conversation is gone; nothing changed.
    Lost,
}

impl Lease {
    /// Whether as much is held for the reply; a reply for which nothing is held at all is not limited.
    #[must_use]
    pub fn holds(&self, wanted: Spending) -> bool {
        self.held.as_ref().is_none_or(|held| held.covers(wanted))
    }
}

impl Store {
    /// Holds as much for a reply as `wanted` says, before its model is asked.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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
            let reply =
                lease.held().set("held", serde_dynamo::to_attribute_value(&raised).map_err(Error::internal)?);
            let day = Write::update(&self.studio, key::day_usage(user, raised.day), raising(&raised, wanted));
            let reply = Write::update(&self.studio, key::reply_at(&lease.place), reply);
            match self.transact(vec![day, reply]).await?.refused() {
                [] => {
                    lease.held = Some(raised);
                    return Ok(Raised::Held);
                }
                // What died with its worker may be in the way.
                [0] => self.free_abandoned(user, now).await?,
                _ => return Ok(Raised::Lost),
            }
        }
        Ok(Raised::Refused(Error::over_the_day(now.left_of_day())))
    }
}

/// Holds what is held more, on condition that the day's limits allow it, and that the reply is still being made.
fn raising(held: &Held, wanted: &Reservation) -> Expression {
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
