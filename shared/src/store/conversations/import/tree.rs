//! Messages that follow each other, in an order in which each stands behind the one it follows.

use std::borrow::Borrow;
use std::collections::HashMap;

use crate::domain::{Message, MessageId};
use crate::error::{Error, Result};

/// A message, and the one it follows.
pub(in crate::store) type Following = (Message, Option<MessageId>);

/// Messages in order: first those that lead to one of them, then the others.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Order {
    /// Where they stand in what was ordered.
    pub(in crate::store) places: Vec<usize>,
    /// How many of the first ones lead to the one that was named, itself among them.
    pub(in crate::store) line: usize,
}

impl Order {
    /// The order of `messages`, those first that lead to `current`; where it is not among them, those that lead to the
    /// last. They follow each other, or what `is_there` already.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when one follows a message that is nowhere, or itself, or two have the same id.
    pub(in crate::store) fn new(
        messages: &[impl Borrow<Following>],
        current: Option<&MessageId>,
        is_there: impl Fn(&MessageId) -> bool,
    ) -> Result<Self> {
        let places: HashMap<&MessageId, usize> =
            messages.iter().enumerate().map(|(place, it)| (&it.borrow().0.id, place)).collect();
        if places.len() < messages.len() {
            return Err(Error::invalid_field("messages", "must not have an id twice"));
        }
        let mut parents = Vec::with_capacity(messages.len());
        for (_, parent) in messages.iter().map(Borrow::borrow) {
            let place = parent.as_ref().and_then(|parent| places.get(parent).copied());
            if place.is_none() && parent.as_ref().is_some_and(|parent| !is_there(parent)) {
                return Err(Error::invalid_field("messages", "must follow messages that are there"));
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

    /// Adds what leads to this one and is not there yet, and itself.
    fn lead_to(&mut self, last: usize, parents: &[Option<usize>], placed: &mut [bool]) -> Result<()> {
        let (before, mut at) = (self.places.len(), Some(last));
        while let Some(place) = at.filter(|place| placed.get(*place) == Some(&false)) {
            if self.places.len() == parents.len() {
                return Err(Error::invalid_field("messages", "must not follow themselves"));
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
    fn the_line_comes_first_and_each_behind_the_one_it_follows() {
        let order = |parents: &[Option<usize>], last| Order::of(parents, last).ok();
        let ordered = |places: &[usize], line| Some(Order { places: places.to_vec(), line });
        assert_eq!(order(&[], None), ordered(&[], 0));
        assert_eq!(order(&[None, Some(0), Some(1)], Some(2)), ordered(&[0, 1, 2], 3));
        assert_eq!(order(&[Some(2), Some(0), None, Some(2)], Some(3)), ordered(&[2, 3, 0, 1], 2));
        assert_eq!(order(&[Some(1), Some(0)], Some(0)), None);
        assert_eq!(order(&[None, Some(1)], Some(0)), None);
    }

    #[test]
    fn a_hundred_thousand_in_the_wrong_order_take_no_time() {
        let count = 100_000;
        let parents: Vec<Option<usize>> =
            (0..count).map(|place| Some(place + 1).filter(|it| *it < count)).collect();
        let order = Order::of(&parents, Some(count - 1)).unwrap();
        assert_eq!((order.line, order.places.last()), (1, Some(&0)));
    }
}
