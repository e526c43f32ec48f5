//! The entries of a file that is imported, each as the text it is: one that is bad spoils no other, and no values are built of
//! what is not needed.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

const MOST_ENTRIES: usize = 10_000;

/// The conversations of a list, or of an export of ours, in their order.
pub(in crate::conversations) struct Entries<'a>(Vec<&'a RawValue>);

impl<'a> Entries<'a> {
    pub(in crate::conversations) fn as_slice(&self) -> &[&'a RawValue] {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(File)
    }
}

struct File;

impl<'de> Visitor<'de> for File {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of conversations, or an export")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() == MOST_ENTRIES {
                let rule = format!("must have at most {MOST_ENTRIES} conversations");
                return Err(A::Error::custom(rule));
            }
            entries.push(entry);
        }
        Ok(Entries(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = None;
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::Conversations if entries.is_some() => {
                    return Err(A::Error::duplicate_field("conversations"));
                }
                Field::Conversations => entries = Some(map.next_value::<List<'de>>()?.0),
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        entries.ok_or_else(|| A::Error::missing_field("conversations"))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Conversations,
    #[serde(other)]
    Other,
}

/// A list of entries and nothing else.
struct List<'a>(Entries<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seq;

        impl<'de> Visitor<'de> for Seq {
            type Value = List<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                File.visit_seq(list).map(List)
            }
        }

        deserializer.deserialize_seq(Seq)
    }
}
