//! The body of a provider's response: server-sent events, or one JSON document from a server that does not stream.

use super::lenient_json::Json;
use super::sse::{BYTE_ORDER_MARK, Event, Events, Malformed, without_marks};
use super::text_joiner::marked;

/// The longest document. A whole answer may be longer than one event.
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// A response body while it is received.
#[derive(Debug)]
pub(in crate::models) enum ResponseBody {
    /// Too few bytes to know the format.
    Unknown(Vec<u8>),
    /// Server-sent events.
    Events(Events),
    /// JSON, or an unknown format.
    Document(Vec<u8>),
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl ResponseBody {
    /// Adds the next bytes, and returns the events that they complete.
    pub(in crate::models) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Malformed> {
        match self {
            Self::Events(events) => events.take(bytes),
            Self::Unknown(before) | Self::Document(before)
                if before.len() + bytes.len() > MAX_DOCUMENT_BYTES =>
            {
                Err(Malformed)
            }
            Self::Document(before) => {
                before.extend_from_slice(bytes);
                Ok(Vec::new())
            }
            Self::Unknown(before) => {
                before.extend_from_slice(bytes);
                let all = std::mem::take(before);
                self.detect(all)
            }
        }
    }

    /// Detects the format by the first byte.
    fn detect(&mut self, all: Vec<u8>) -> Result<Vec<Event>, Malformed> {
        let text = without_marks(&all);
        let is_mark_cut = BYTE_ORDER_MARK.starts_with(text);
        match text.trim_ascii_start().first() {
            Some(b'{' | b'[' | b'<') => {
                *self = Self::Document(text.to_vec());
                Ok(Vec::new())
            }
            Some(_) if !is_mark_cut => {
                let mut events = Events::default();
                let complete = events.take(text);
                *self = Self::Events(events);
                complete
            }
            _ => {
                *self = Self::Unknown(all);
                Ok(Vec::new())
            }
        }
    }

    /// Whether the body is a complete document, although the connection may still be open.
    pub(in crate::models) fn is_whole(&self) -> bool {
        let Self::Document(document) = self else { return false };
        matches!(document.trim_ascii_end().last(), Some(b'}' | b']'))
            && Json::parse_all(&marked(document)).is_ok_and(|values| is_whole_answer(&values))
    }

    /// Whether the body is a document. A second request would get the same document.
    pub(in crate::models) fn is_document(&self) -> bool {
        matches!(self, Self::Document(_))
    }

    /// The events in the remaining bytes, after the last byte was received.
    pub(in crate::models) fn end(self) -> Result<Vec<Event>, Malformed> {
        match self {
            Self::Unknown(_) => Ok(Vec::new()),
            Self::Events(events) => events.end(),
            Self::Document(document) => {
                let text = marked(&document);
                let values = Json::parse_all(&text).map_err(|_not_json| Malformed)?;
                let done = is_whole_answer(&values).then(|| "[DONE]".to_owned());
                Ok(values
                    .into_iter()
                    .map(|value| value.as_str().to_owned())
                    .chain(done)
                    .map(Event::of)
                    .collect())
            }
        }
    }
}

/// Whether JSON values are one whole answer or error, rather than the data of several events.
fn is_whole_answer(values: &[Json<'_>]) -> bool {
    let [value] = values else { return false };
    let choices = value.get("choices").map(Json::items).unwrap_or_default();
    match value.get("type").and_then(Json::text).as_deref() {
        None => choices.iter().all(|choice| !choice.has("delta")),
        Some(kind) => matches!(kind, "message" | "error") || !choices.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, size: usize) -> Result<Vec<String>, Malformed> {
        let mut body = ResponseBody::default();
        let mut seen = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            seen.extend(body.take(piece)?);
        }
        seen.extend(body.end()?);
        Ok(seen.into_iter().map(|event| event.data).collect())
    }

    #[test]
    fn events_and_documents_are_distinguished_by_their_first_byte() {
        for size in [1, 2, 3, 5, 100] {
            assert_eq!(read("\u{feff}data: 1\n\ndata: 2\n\n", size).unwrap(), ["1", "2"]);
            assert_eq!(read("\u{feff}\u{feff}data: 1\n\n", size).unwrap(), ["1"]);
            assert_eq!(read("\r\n\ndata: 1\n\n", size).unwrap(), ["1"]);
            assert_eq!(read("\u{feff} {\"a\": 1}\n", size).unwrap(), ["{\"a\": 1}", "[DONE]"]);
            assert_eq!(read("{\"a\": 1}\n{\"b\": 2}\n", size).unwrap(), ["{\"a\": 1}", "{\"b\": 2}"]);
            assert!(read("<html></html>", size).is_err() && read("{\"a\":", size).is_err());
            assert!(read("", size).unwrap().is_empty() && read("\n", size).unwrap().is_empty());
        }
    }

    #[test]
    fn a_document_is_whole_once_its_json_is_complete() {
        let mut body = ResponseBody::default();
        for (piece, is_whole) in [("{\"a\":", false), ("{}", false), ("}", true), ("\n", true)] {
            body.take(piece.as_bytes()).unwrap();
            assert_eq!(body.is_whole(), is_whole, "{piece}");
        }
    }
}
