//! Sorting messages so that each comes after the one that it follows.

use std::borrow::Borrow;
use std::collections::HashMap;

use crate::domain::{Message, MessageId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};

/// A message, and the id of the message that it follows.
pub(in crate::store) type ImportedMessage = (Message, Option<MessageId>);

/// An order of messages in which each comes after the one that it follows. One branch comes first.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Order {
    /// The positions of the messages in the unsorted list, in the new order.
    pub(in crate::store) places: Vec<usize>,
    /// How many messages the first branch has.
    pub(in crate::store) line: usize,
}

impl Order {
    /// Sorts `messages`. The branch that ends with `current` comes first, or the branch of the last message if
    /// `current` is not among them. A message may also follow one for which `is_there` is true.
    ///
    /// # Errors
    /// [`Code::Invalid`] when a message follows an unknown one or itself, or when two messages have the same id.
    pub(in crate::store) fn new(
        messages: &[impl Borrow<ImportedMessage>],
        current: Option<&MessageId>,
        is_there: impl Fn(&MessageId) -> bool,
    ) -> Result<Self> {
        let places: HashMap<&MessageId, usize> =
            messages.iter().enumerate().map(|(place, it)| (&it.borrow().0.id, place)).collect();
        if places.len() < messages.len() {
            return Err(Error::invalid_field("messages", "must not contain an id twice"));
        }
        let mut parents = Vec::with_capacity(messages.len());
        for (_, parent) in messages.iter().map(Borrow::borrow) {
            let place = parent.as_ref().and_then(|parent| places.get(parent).copied());
            if place.is_none() && parent.as_ref().is_some_and(|parent| !is_there(parent)) {
                return Err(Error::invalid_field(
                    "messages",
                    "must only follow messages that are imported or stored",
                ));
            }
            parents.push(place);
        }
        let last = current.and_then(|current| places.get(current).copied());
        Self::of(&parents, last.or(messages.len().checked_sub(1)))
    }

    fn of(parents: &[Option<usize>], last: Option<usize>) -> Result<Self> {
        let mut order = Self { places: Vec::with_capacity(parents.len()), line: 0 };
        let mut placed = vec![false; parents.len()];
        if let Some(last) = last {
            order.lead_to(last, parents, &mut placed)?;
        }
        order.line = order.places.len();
        for place in 0..parents.len() {
            order.lead_to(place, parents, &mut placed)?;
        }
        Ok(order)
    }

    /// Appends the messages that lead to `last`, and `last` itself, except those that are placed already.
    fn lead_to(&mut self, last: usize, parents: &[Option<usize>], placed: &mut [bool]) -> Result<()> {
        let (before, mut at) = (self.places.len(), Some(last));
        while let Some(place) = at.filter(|place| placed.get(*place) == Some(&false)) {
            if self.places.len() == parents.len() {
                return Err(Error::invalid_field("messages", "must not follow each other in a circle"));
            }
            self.places.push(place);
            at = parents.get(place).copied().flatten();
        }
        let added = self.places.get_mut(before..).unwrap_or_default();
        added.reverse();
        for place in added {
            if let Some(placed) = placed.get_mut(*place) {
                *placed = true;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_comes_first_and_each_message_after_the_one_it_follows() {
        let order = |parents: &[Option<usize>], last| Order::of(parents, last).ok();
        let ordered = |places: &[usize], line| Some(Order { places: places.to_vec(), line });
        assert_eq!(order(&[], None), ordered(&[], 0));
        assert_eq!(order(&[None, Some(0), Some(1)], Some(2)), ordered(&[0, 1, 2], 3));
        assert_eq!(order(&[Some(2), Some(0), None, Some(2)], Some(3)), ordered(&[2, 3, 0, 1], 2));
        assert_eq!(order(&[Some(1), Some(0)], Some(0)), None);
        assert_eq!(order(&[None, Some(1)], Some(0)), None);
    }

    #[test]
    fn sorting_100_000_messages_in_reverse_order_takes_linear_time() {
        let count = 100_000;
        let parents: Vec<Option<usize>> =
            (0..count).map(|place| Some(place + 1).filter(|it| *it < count)).collect();
        let order = Order::of(&parents, Some(count - 1)).unwrap();
        assert_eq!((order.line, order.places.last()), (1, Some(&0)));
    }
}
