//! The types of query parameters.

use std::str::FromStr;

use shared::Result;
use shared::domain::{Folder, RuleBroken, Tag};
use shared::http::Request;
use shared::store::ListFilter;
use utoipa::ToSchema;

/// A maximum number of entries, from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = u64, minimum = 1, maximum = 100, example = 50)]
pub(super) struct Limit(pub(super) usize);

impl FromStr for Limit {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        let number = text.parse().ok().filter(|number| (1..=100).contains(number));
        number.map(Self).ok_or_else(|| RuleBroken::new("must be a number from 1 to 100"))
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(example = true)]
pub(super) struct Flag(pub(super) bool);

impl FromStr for Flag {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        text.parse().ok().map(Self).ok_or_else(|| RuleBroken::new("must be true or false"))
    }
}

/// Defines a parameter that is one of two words.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident: $first:ident = $one:literal, $second:ident = $other:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
        pub(super) enum $name {
            #[schema(rename = $one)]
            $first,
            #[schema(rename = $other)]
            $second,
        }

        impl FromStr for $name {
            type Err = RuleBroken;

            fn from_str(text: &str) -> Result<Self, RuleBroken> {
                match text {
                    $one => Ok(Self::$first),
                    $other => Ok(Self::$second),
                    _ => Err(RuleBroken::new(concat!("must be ", $one, " or ", $other))),
                }
            }
        }
    };
}

word!(
    /// Conversations with their messages (`full`) or without (`summary`).
    View: Full = "full", Summary = "summary"
);
word!(
    /// Beginning with the oldest message (`asc`) or the newest (`desc`).
    Order: Oldest = "asc", Newest = "desc"
);
word!(
    /// The messages of the current branch (`current`) or of all branches (`all`).
    Branches: Current = "current", All = "all"
);
word!(
    /// For programs (`json`) or for people (`markdown`).
    ExportFormat: Json = "json", Markdown = "markdown"
);

/// The conversations that the query selects.
pub(super) fn parse_filter(request: &Request) -> Result<ListFilter> {
    let flag = |name| -> Result<Option<bool>> { Ok(request.query::<Flag>(name)?.map(|Flag(flag)| flag)) };
    Ok(ListFilter {
        archived: flag("archived")?,
        pinned: flag("pinned")?,
        tag: request.query::<Tag>("tag")?,
        folder: request.query::<Folder>("folder")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_from_1_to_100() {
        assert_eq!("100".parse::<Limit>().unwrap(), Limit(100));
        for bad in ["0", "101", "-1", "x", "", "1.5", "99999999999999999999"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }
}
