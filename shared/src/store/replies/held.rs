//! What is held of a day for a reply, and the names by which the day knows it.

use serde::{Deserialize, Serialize};

use super::item::ReplyPlace;
use crate::domain::Day;
use crate::domain::usage::Spending;

/// What was reserved, to be settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// On which day.
    pub(in crate::store) day: Day,
    pub(in crate::store) spending: Spending,
    /// The reply's name among those that are being made. It tells what is held, so that this comes back even when nothing else
    /// is left of the reply.
    pub(in crate::store) slot: String,
    /// What is held besides, since the question turned out to be larger than expected. The day names it too, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raised: Option<Spending>,
}

impl Held {
    pub(in crate::store) fn new(day: Day, spending: Spending, reply: &str) -> Self {
        Self { day, spending, slot: slot_of(spending, reply), raised: None }
    }

    /// For a reply that stands here.
    pub(in crate::store) fn at(place: &ReplyPlace, day: Day, spending: Spending) -> Self {
        let reply = match &place.within {
            Some((conversation, number)) => format!("{number}#{conversation}"),
            None => format!("#{}", place.message),
        };
        Self::new(day, spending, &reply)
    }

    /// What is held for a reply of this name, and the rest of the name. `raised` are the names of what is held besides.
    pub(in crate::store) fn named<'a>(day: Day, slot: &'a str, raised: &[String]) -> Option<(Self, &'a str)> {
        let (spending, reply) = read_slot(slot)?;
        let more = raised.iter().filter_map(|raised| read_slot(raised)).find(|(_, of)| *of == reply);
        let raised = more.map(|(spending, _)| spending);
        Some((Self { day, spending, slot: slot.to_owned(), raised }, reply))
    }

    pub(in crate::store) fn day(&self) -> Day {
        self.day
    }

    pub(in crate::store) fn slot(&self) -> &str {
        &self.slot
    }

    /// What is held besides what was held at first.
    pub(in crate::store) fn extra(&self) -> Spending {
        self.raised.unwrap_or_default()
    }

    /// The name under which the day holds it.
    pub(in crate::store) fn raised_slot(&self) -> Option<String> {
        let (_, reply) = read_slot(&self.slot)?;
        self.raised.map(|raised| slot_of(raised, reply))
    }

    /// All that is held.
    pub(in crate::store) fn all(&self) -> Spending {
        let (Spending { tokens, micro_dollars }, extra) = (self.spending, self.extra());
        Spending { tokens: tokens + extra.tokens, micro_dollars: micro_dollars + extra.micro_dollars }
    }

    /// Whether so much is held.
    pub(in crate::store) fn covers(&self, wanted: Spending) -> bool {
        let held = self.all();
        wanted.tokens <= held.tokens && wanted.micro_dollars <= held.micro_dollars
    }

    /// This reservation, raised to `wanted` where that is more.
    pub(in crate::store) fn raised_to(&self, wanted: Spending) -> Self {
        let extra = Spending {
            tokens: wanted.tokens.saturating_sub(self.spending.tokens),
            micro_dollars: wanted.micro_dollars.saturating_sub(self.spending.micro_dollars),
        };
        Self { raised: Some(extra), ..self.clone() }
    }
}

/// The name of a reply among those for which something is held: it tells how much.
fn slot_of(spending: Spending, reply: &str) -> String {
    format!("{}.{}#{reply}", spending.tokens, spending.micro_dollars)
}

fn read_slot(slot: &str) -> Option<(Spending, &str)> {
    let (held, reply) = slot.split_once('#')?;
    let (tokens, micro_dollars) = held.split_once('.')?;
    Some((Spending { tokens: tokens.parse().ok()?, micro_dollars: micro_dollars.parse().ok()? }, reply))
}
