//! Joins characters that a provider splits: bytes of one character in two events, or the two halves of a surrogate
//! pair.

use std::str;

/// In JSON, a byte that is not UTF-8 is represented by one of the last 128 code points, which are private and unused.
const MARKS: u32 = 0x10_ff00;

/// The bytes as text. Bytes that are not UTF-8 become marks, which a [`TextJoiner`] turns back into bytes.
pub(in crate::models) fn marked(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(MARKS + u32::from(*byte))));
    }
    text
}

/// The bytes of a text, with marks turned back into the bytes that they represent.
fn unmarked(mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    loop {
        bytes = match bytes {
            [0xf4, 0x8f, third @ 0xbe..=0xbf, last, rest @ ..] => {
                plain.push(0x80 | (third & 1) << 6 | last & 0x3f);
                rest
            }
            [byte, rest @ ..] => {
                plain.push(*byte);
                rest
            }
            [] => return plain,
        };
    }
}

/// Joins the pieces of a text.
#[derive(Debug, Default)]
pub(in crate::models) struct TextJoiner {
    /// The beginning of an incomplete character, in WTF-8, which can encode surrogates.
    incomplete: Vec<u8>,
}

/// Bytes that are not UTF-8, and how many they are.
enum NotUtf8 {
    /// A surrogate pair, which is a character.
    Character(char, usize),
    Incomplete,
    Invalid(usize),
}

impl TextJoiner {
    /// Adds the next piece, and returns the complete characters so far.
    pub(in crate::models) fn take(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.incomplete);
        bytes.extend(unmarked(piece));
        let mut rest = bytes.as_slice();
        let mut text = String::with_capacity(rest.len());
        loop {
            let error = match str::from_utf8(rest) {
                Ok(all) => {
                    text.push_str(all);
                    return text;
                }
                Err(error) => error,
            };
            let (valid, rest_of_text) = rest.split_at(error.valid_up_to());
            text.push_str(str::from_utf8(valid).unwrap_or_default());
            let (character, length) = match classify(rest_of_text, error.error_len()) {
                NotUtf8::Character(character, length) => (character, length),
                NotUtf8::Invalid(length) => (char::REPLACEMENT_CHARACTER, length),
                NotUtf8::Incomplete => {
                    self.incomplete = rest_of_text.to_vec();
                    return text;
                }
            };
            text.push(character);
            rest = rest_of_text.get(length..).unwrap_or_default();
        }
    }

    /// A replacement character for a character whose rest never arrived, or an empty text.
    pub(in crate::models) fn end(&mut self) -> &'static str {
        if std::mem::take(&mut self.incomplete).is_empty() { "" } else { "\u{fffd}" }
    }
}

fn classify(bytes: &[u8], error_length: Option<usize>) -> NotUtf8 {
    match bytes {
        [0xed, high @ 0xa0..=0xaf, next @ 0x80..=0xbf, 0xed, low @ 0xb0..=0xbf, last @ 0x80..=0xbf, ..] => {
            let high = u32::from(high & 0x0f) << 6 | u32::from(next & 0x3f);
            let low = u32::from(low & 0x0f) << 6 | u32::from(last & 0x3f);
            let pair = 0x1_0000 + (high << 10 | low);
            NotUtf8::Character(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
        }
        [0xed, 0xa0..=0xaf] | [0xed, 0xa0..=0xaf, 0x80..=0xbf] => NotUtf8::Incomplete,
        [0xed, 0xa0..=0xaf, 0x80..=0xbf, 0xed] | [0xed, 0xa0..=0xaf, 0x80..=0xbf, 0xed, 0xb0..=0xbf] => {
            NotUtf8::Incomplete
        }
        [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => NotUtf8::Invalid(3),
        _ => error_length.map_or(NotUtf8::Incomplete, NotUtf8::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::transport::lenient_json::Json;

    /// The text of pieces that are the insides of JSON strings.
    fn joined(pieces: &[&[u8]]) -> String {
        let mut joiner = TextJoiner::default();
        let mut text = String::new();
        for piece in pieces {
            let json = marked(&[b"\"", *piece, b"\""].concat());
            text.push_str(&joiner.take(&Json::parse(&json).unwrap().unwrap().bytes().unwrap()));
        }
        text + joiner.end()
    }

    #[test]
    fn characters_are_joined_wherever_they_are_split() {
        let smile = "a😀é好".as_bytes();
        for at in 0..=smile.len() {
            let (first, second) = smile.split_at(at);
            assert_eq!(joined(&[first, b"", second]), "a😀é好", "{at}");
        }
        let bytes: Vec<&[u8]> = smile.chunks(1).collect();
        assert_eq!(joined(&bytes), "a😀é好");
        assert_eq!(joined(&[br"Nice \ud83d", br"\ude00 day"]), "Nice 😀 day");
        assert_eq!(joined(&[br"\ud83d\ude00\uD83D", br"\uDE00"]), "😀😀");
        // Some servers encode surrogates as bytes, which is not UTF-8 either.
        assert_eq!(joined(&[b"\xed\xa0\xbd\xed", b"\xb8\x80!"]), "😀!");
    }

    #[test]
    fn an_incomplete_character_becomes_a_replacement_character() {
        assert_eq!(joined(&[br"a\ud83d", b"b"]), "a\u{fffd}b");
        assert_eq!(joined(&[br"\ude00b", br"\ud83d\ud83d\ude00"]), "\u{fffd}b\u{fffd}😀");
        assert_eq!(joined(&[br"a\ud83d"]), "a\u{fffd}");
        assert_eq!(joined(&[b"a\xf0\x9f", b"b\xff"]), "a\u{fffd}b\u{fffd}");
    }
}
