//! Compressed texts. A conversation is mostly text, and DynamoDB bills reads by the size of items, so a text is stored
//! compressed where that makes it smaller.

use std::fmt;
use std::io::{Read as _, Write as _};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::expression::text;
use crate::domain::Content;

/// Shorter texts are not compressed.
const LEAST_BYTES: usize = 100;
/// The most bytes of a decompressed text, which is the most that [`Content`] allows.
const MOST_BYTES: u64 = 256 * 1024;

/// A text that is stored as a string (S), or compressed as bytes (B).
#[derive(Clone, Debug)]
pub(in crate::store) struct Packed(pub(in crate::store) Content);

/// The attribute that stores a text.
pub(in crate::store) fn packed(content: &Content) -> AttributeValue {
    match deflated(content.as_str()) {
        Some(bytes) => AttributeValue::B(Blob::new(bytes)),
        None => text(content.as_str()),
    }
}

/// The compressed text; `None` when compression does not make it smaller.
fn deflated(text: &str) -> Option<Vec<u8>> {
    if text.len() < LEAST_BYTES {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).ok()?;
    encoder.finish().ok().filter(|bytes| bytes.len() < text.len())
}

fn inflated(bytes: &[u8]) -> Option<Content> {
    let mut text = String::new();
    DeflateDecoder::new(bytes).take(MOST_BYTES).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

/// The attribute with a compressed text replaced by the text itself; other attributes are returned unchanged.
pub(in crate::store) fn unpacked(value: AttributeValue) -> AttributeValue {
    match &value {
        AttributeValue::B(bytes) => inflated(bytes.as_ref()).map_or(value, |content| text(content.as_str())),
        _ => value,
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match deflated(self.0.as_str()) {
            Some(bytes) => serializer.serialize_bytes(&bytes),
            None => serializer.serialize_str(self.0.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unpack;

        impl Visitor<'_> for Unpack {
            type Value = Packed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the text of a message")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Packed, E> {
                text.parse().map(Packed).map_err(E::custom)
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Packed, E> {
                inflated(bytes).map(Packed).ok_or_else(|| E::custom("a text that cannot be decompressed"))
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Packed, E> {
                self.visit_bytes(&bytes)
            }
        }

        deserializer.deserialize_any(Unpack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_being_stored_and_read() {
        let noise: String = (0..400_u32).map(|n| char::from(33 + (n * n * 7919 % 89) as u8)).collect();
        for text in ["", "short", &"long ".repeat(100), &"🎉".repeat(65_536), &noise] {
            let packed = Packed(text.parse().unwrap());
            let item: std::collections::HashMap<&str, Packed> = [("text", packed)].into();
            let stored: std::collections::HashMap<String, AttributeValue> =
                serde_dynamo::to_item(&item).unwrap();
            let back: std::collections::HashMap<String, Packed> = serde_dynamo::from_item(stored).unwrap();
            assert!(back["text"].0.as_str() == text);
        }
    }

    #[test]
    fn a_text_is_compressed_only_if_that_makes_it_smaller() {
        assert!(deflated(&"x".repeat(LEAST_BYTES - 1)).is_none());
        assert!(deflated(&"x".repeat(LEAST_BYTES)).is_some_and(|bytes| bytes.len() < 20));
    }
}
