//! Text whose characters a provider cuts in two: bytes of one character in two events, or the halves of a surrogate pair.

use std::str;

/// Bytes that are not UTF-8 stand in JSON as characters of their own, the last 128 there are, which nobody uses.
const MARKS: u32 = 0x10_ff00;

/// The bytes as text, in which those that are not UTF-8 are marked, for a [`Mender`] to find.
pub(in crate::models) fn marked(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(MARKS + u32::from(*byte))));
    }
    text
}

/// The bytes that were marked.
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

/// Puts together what was cut between two pieces of a text.
#[derive(Debug, Default)]
pub(in crate::models) struct Mender {
    /// The beginning of a character, in the encoding that surrogates have too (WTF-8).
    cut: Vec<u8>,
}

/// What a text goes on with that is not UTF-8.
enum Odd {
    Character(char, usize),
    CleanupIntent,
    Broken(usize),
}

impl Mender {
    /// Takes the next piece, and gives the text as far as it is whole.
    pub(in crate::models) fn take(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.cut);
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
            let (valid, behind) = rest.split_at(error.valid_up_to());
            text.push_str(str::from_utf8(valid).unwrap_or_default());
            let (character, length) = match odd(behind, error.error_len()) {
                Odd::Character(character, length) => (character, length),
                Odd::Broken(length) => (char::REPLACEMENT_CHARACTER, length),
                Odd::CleanupIntent => {
                    self.cut = behind.to_vec();
                    return text;
                }
            };
            text.push(character);
            rest = behind.get(length..).unwrap_or_default();
        }
    }

    /// What a character becomes whose rest never came.
    pub(in crate::models) fn end(&mut self) -> &'static str {
        if std::mem::take(&mut self.cut).is_empty() { "" } else { "\u{fffd}" }
    }
}

fn odd(bytes: &[u8], error_length: Option<usize>) -> Odd {
    match bytes {
        [0xed, high @ 0xa0..=0xaf, next @ 0x80..=0xbf, 0xed, low @ 0xb0..=0xbf, last @ 0x80..=0xbf, ..] => {
            let high = u32::from(high & 0x0f) << 6 | u32::from(next & 0x3f);
            let low = u32::from(low & 0x0f) << 6 | u32::from(last & 0x3f);
            let pair = 0x1_0000 + (high << 10 | low);
            Odd::Character(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
        }
        [0xed, 0xa0..=0xaf] | [0xed, 0xa0..=0xaf, 0x80..=0xbf] => Odd::CleanupIntent,
        [0xed, 0xa0..=0xaf, 0x80..=0xbf, 0xed] | [0xed, 0xa0..=0xaf, 0x80..=0xbf, 0xed, 0xb0..=0xbf] => {
            Odd::CleanupIntent
        }
        [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => Odd::Broken(3),
        _ => error_length.map_or(Odd::CleanupIntent, Odd::Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::transport::loose::Json;

    /// The text of pieces that are the insides of JSON strings.
    fn mended(pieces: &[&[u8]]) -> String {
        let mut mender = Mender::default();
        let mut text = String::new();
        for piece in pieces {
            let json = marked(&[b"\"", *piece, b"\""].concat());
            text.push_str(&mender.take(&Json::parse(&json).unwrap().unwrap().bytes().unwrap()));
        }
        text + mender.end()
    }

    #[test]
    fn halves_of_characters_come_together_wherever_they_are_cut() {
        let smile = "a😀é好".as_bytes();
        for at in 0..=smile.len() {
            let (first, second) = smile.split_at(at);
            assert_eq!(mended(&[first, b"", second]), "a😀é好", "{at}");
        }
        let bytes: Vec<&[u8]> = smile.chunks(1).collect();
        assert_eq!(mended(&bytes), "a😀é好");
        assert_eq!(mended(&[br"Nice \ud83d", br"\ude00 day"]), "Nice 😀 day");
        assert_eq!(mended(&[br"\ud83d\ude00\uD83D", br"\uDE00"]), "😀😀");
        // As some write surrogates, which is no UTF-8 either.
        assert_eq!(mended(&[b"\xed\xa0\xbd\xed", b"\xb8\x80!"]), "😀!");
    }

    #[test]
    fn a_half_without_its_other_is_a_replacement_character() {
        assert_eq!(mended(&[br"a\ud83d", b"b"]), "a\u{fffd}b");
        assert_eq!(mended(&[br"\ude00b", br"\ud83d\ud83d\ude00"]), "\u{fffd}b\u{fffd}😀");
        assert_eq!(mended(&[br"a\ud83d"]), "a\u{fffd}");
        assert_eq!(mended(&[b"a\xf0\x9f", b"b\xff"]), "a\u{fffd}b\u{fffd}");
    }
}
