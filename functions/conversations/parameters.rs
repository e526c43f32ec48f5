//! What a query asks for, and links that ask for the rest.

use std::str::FromStr;

use shared::Result;
use shared::domain::{Folder, RuleBroken, Tag};
use shared::http::{Request, percent_encoded};
use shared::store::Filter;
use utoipa::ToSchema;

/// How many at most: 1 to 100.
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

/// One of two words.
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
    /// Conversations with their messages, or without.
    View: Full = "full", Summary = "summary"
);
word!(
    /// From the oldest message, or from the newest.
    Order: Oldest = "asc", Newest = "desc"
);
word!(
    /// The current branch, or all of them.
    Branches: Current = "current", All = "all"
);
word!(
    /// For programs, or for people.
    ExportFormat: Json = "json", Markdown = "markdown"
);

/// Which conversations the query asks for.
pub(super) fn filter(request: &Request) -> Result<Filter> {
    let flag = |name| -> Result<Option<bool>> { Ok(request.query::<Flag>(name)?.map(|Flag(flag)| flag)) };
    Ok(Filter {
        archived: flag("archived")?,
        pinned: flag("pinned")?,
        tag: request.query::<Tag>("tag")?,
        folder: request.query::<Folder>("folder")?,
    })
}

/// The parameters of the query that a link to the next page repeats, in this order.
pub(super) fn repeated(request: &Request, names: &[&str]) -> Result<String> {
    let mut query = String::new();
    for name in names {
        if let Some(value) = request.parameter(name)? {
            push(&mut query, name, value);
        }
    }
    Ok(query)
}

/// The query with one parameter more.
pub(super) fn with(mut query: String, name: &str, value: &str) -> String {
    push(&mut query, name, value);
    query
}

fn push(query: &mut String, name: &str, value: &str) {
    let sign = if query.is_empty() { '?' } else { '&' };
    query.push(sign);
    query.push_str(name);
    query.push('=');
    query.push_str(&percent_encoded(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_percent_encoded() {
        assert_eq!(with(String::new(), "tag", "a&b 好"), "?tag=a%26b%20%E5%A5%BD");
        assert_eq!(with("?x=1".to_owned(), "cursor", "a-_.~"), "?x=1&cursor=a-_.~");
    }

    #[test]
    fn a_limit_is_from_1_to_100() {
        assert_eq!("100".parse::<Limit>().unwrap(), Limit(100));
        for bad in ["0", "101", "-1", "x", "", "1.5", "99999999999999999999"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }
}
