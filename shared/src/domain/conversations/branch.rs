//! The current branch of a conversation. Messages form a tree; a branch is the set of message numbers on one path
//! through it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::RuleBroken;

/// The message numbers on a branch, as ascending ranges that neither overlap nor touch. Messages with other numbers are
/// on other branches. A conversation without branches stores no `Branch` at all: each message follows the one before
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(Vec<(u64, u64)>);

impl Branch {
    /// The branch made of the messages that are marked `true`. `messages` yields the numbers of all messages in
    /// ascending order, each with whether it is on the branch. A gap in the numbers does not start a new range.
    #[must_use]
    pub fn of(messages: impl IntoIterator<Item = (u64, bool)>) -> Self {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let mut was_on_it = false;
        for (number, on_it) in messages {
            match ranges.last_mut() {
                Some(range) if on_it && was_on_it => range.1 = number,
                _ if on_it => ranges.push((number, number)),
                _ => {}
            }
            was_on_it = on_it;
        }
        Self(ranges)
    }

    /// The branch with all numbers from 0 to `last`.
    #[must_use]
    pub fn trunk(last: u64) -> Self {
        Self(vec![(0, last)])
    }

    /// Whether the message with this number is on the branch.
    #[must_use]
    pub fn has(&self, number: u64) -> bool {
        let place = self.0.partition_point(|(_, last)| *last < number);
        self.0.get(place).is_some_and(|(first, _)| *first <= number)
    }

    /// This branch without the numbers after `last`.
    #[must_use]
    pub fn up_to(mut self, last: u64) -> Self {
        self.0.retain(|(first, _)| *first <= last);
        if let Some(range) = self.0.last_mut() {
            range.1 = range.1.min(last);
        }
        self
    }

    /// This branch with `count` more messages, numbered from `first`, which must be greater than all numbers on the
    /// branch.
    #[must_use]
    pub fn followed_by(mut self, first: u64, count: u64) -> Self {
        let Some(more) = count.checked_sub(1) else { return self };
        match self.0.last_mut() {
            Some(range) if range.1 + 1 == first => range.1 = first + more,
            _ => self.0.push((first, first + more)),
        }
        self
    }
}

/// Formats the ranges as `0-4,7-9`, which is the stored form.
impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{first}-{last}")?;
        }
        Ok(())
    }
}

impl FromStr for Branch {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        let parse = |range: &str| {
            let (first, last) = range.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        let ranges = text.split(',').filter(|range| !range.is_empty()).map(parse);
        let ranges: Option<Vec<(u64, u64)>> = ranges.collect();
        ranges.map(Self).ok_or_else(|| RuleBroken("must be ranges of numbers".to_owned()))
    }
}

impl TryFrom<String> for Branch {
    type Error = RuleBroken;

    fn try_from(text: String) -> Result<Self, RuleBroken> {
        text.parse()
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> Self {
        branch.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_has_only_the_numbers_of_its_ranges() {
        let branch = Branch::trunk(4).followed_by(7, 2).followed_by(9, 1);
        assert_eq!(branch.to_string(), "0-4,7-9");
        assert_eq!("0-4,7-9".parse::<Branch>().unwrap(), branch);
        let has: Vec<u64> = (0..12).filter(|number| branch.has(*number)).collect();
        assert_eq!(has, [0, 1, 2, 3, 4, 7, 8, 9]);
        assert_eq!(Branch::of((0..10).map(|number| (number, has.contains(&number)))), branch);
        assert_eq!(Branch::of([(0, true), (5, true), (6, false), (9, true)]).to_string(), "0-5,9-9");
        assert_eq!(branch.clone().up_to(7).to_string(), "0-4,7-7");
        assert_eq!(branch.clone().up_to(5).to_string(), "0-4");
        assert_eq!(branch.followed_by(20, 0).to_string(), "0-4,7-9");
        assert!(!Branch::default().has(0));
    }
}
