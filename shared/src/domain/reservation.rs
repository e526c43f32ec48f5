//! What is reserved of a user's daily budget for one reply, and the names under which the day's usage item lists it.

use serde::{Deserialize, Serialize};

use super::usage::{Budget, Spending};
use super::{Day, ReplyPlace};

/// The amount to reserve for a reply, and the budget that must allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The most that the reply may use.
    pub most: Spending,
    /// What the user may use in a day in total.
    pub budget: Budget,
}

/// A reservation that is held in a day's usage item until the reply is settled.
///
/// The turn writes it to the day's item and to the reply's item in one transaction. The worker, or the request that
/// finds the lease expired, ends the reply and settles the reservation. If the worker dies, its reservation stays in
/// the day's set `running` until a request sees the reply, or until another reservation of the user does not fit into
/// the budget; either ends the reply and settles the reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The day whose budget it is taken from.
    pub day: Day,
    /// What was reserved when the turn began.
    pub spending: Spending,
    /// The name of the reply in the day's set `running`. It contains the reserved amounts, so they can be returned even
    /// when nothing else is left of the reply.
    pub slot: String,
    /// What was reserved in addition, because the prompt turned out to be larger than estimated. The day's set `raised`
    /// names it in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raised: Option<Spending>,
}

impl Held {
    /// A reservation under a name that the caller chooses.
    #[must_use]
    pub fn new(day: Day, spending: Spending, reply: &str) -> Self {
        Self { day, spending, slot: slot_of(spending, reply), raised: None }
    }

    /// A reservation for the reply at `place`.
    #[must_use]
    pub fn at(place: &ReplyPlace, day: Day, spending: Spending) -> Self {
        Self::new(day, spending, &place.name())
    }

    /// The reservation with this name in `running`, and the name without the amounts. `raised` is the day's set of that
    /// name.
    #[must_use]
    pub fn named<'a>(day: Day, slot: &'a str, raised: &[String]) -> Option<(Self, &'a str)> {
        let (spending, reply) = read_slot(slot)?;
        let more = raised.iter().filter_map(|raised| read_slot(raised)).find(|(_, of)| *of == reply);
        let raised = more.map(|(spending, _)| spending);
        Some((Self { day, spending, slot: slot.to_owned(), raised }, reply))
    }

    /// What was reserved after the turn had begun.
    #[must_use]
    pub fn extra(&self) -> Spending {
        self.raised.unwrap_or_default()
    }

    /// The name in the day's set `raised`, when something was reserved in addition.
    #[must_use]
    pub fn raised_slot(&self) -> Option<String> {
        let (_, reply) = read_slot(&self.slot)?;
        self.raised.map(|raised| slot_of(raised, reply))
    }

    /// Everything that is reserved.
    #[must_use]
    pub fn all(&self) -> Spending {
        let (Spending { tokens, micro_dollars }, extra) = (self.spending, self.extra());
        Spending { tokens: tokens + extra.tokens, micro_dollars: micro_dollars + extra.micro_dollars }
    }

    /// Whether at least `wanted` is reserved.
    #[must_use]
    pub fn covers(&self, wanted: Spending) -> bool {
        let held = self.all();
        wanted.tokens <= held.tokens && wanted.micro_dollars <= held.micro_dollars
    }

    /// This reservation, increased to `wanted` where that is more.
    #[must_use]
    pub fn raised_to(&self, wanted: Spending) -> Self {
        let extra = Spending {
            tokens: wanted.tokens.saturating_sub(self.spending.tokens),
            micro_dollars: wanted.micro_dollars.saturating_sub(self.spending.micro_dollars),
        };
        Self { raised: Some(extra), ..self.clone() }
    }
}

/// The name of a reservation: the amounts and the reply.
fn slot_of(spending: Spending, reply: &str) -> String {
    format!("{}.{}#{reply}", spending.tokens, spending.micro_dollars)
}

fn read_slot(slot: &str) -> Option<(Spending, &str)> {
    let (held, reply) = slot.split_once('#')?;
    let (tokens, micro_dollars) = held.split_once('.')?;
    Some((Spending { tokens: tokens.parse().ok()?, micro_dollars: micro_dollars.parse().ok()? }, reply))
}
