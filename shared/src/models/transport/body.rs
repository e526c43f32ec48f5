//! The body of a provider's answer: events as they come, or one JSON document from a server that does not stream.

use super::cut_text::marked;
use super::loose::Json;
use super::sse::{BYTE_ORDER_MARK, Event, Events, Malformed, without_marks};

/// A whole answer may be longer than an event, and not without end.
const LONGEST_DOCUMENT: usize = 4 * 1024 * 1024;

/// A body, as far as it has come.
#[derive(Debug)]
pub(in crate::models) enum Body {
    /// Not enough has come to tell.
    Unknown(Vec<u8>),
    /// Server-sent events.
    Events(Events),
    /// JSON, or something that is neither.
    Document(Vec<u8>),
}

impl Default for Body {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl Body {
    /// Takes the next bytes, and gives the events that they complete.
    pub(in crate::models) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Malformed> {
        match self {
            Self::Events(events) => events.take(bytes),
            Self::Unknown(before) | Self::Document(before)
                if before.len() + bytes.len() > LONGEST_DOCUMENT =>
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
                self.tell(all)
            }
        }
    }

    fn tell(&mut self, all: Vec<u8>) -> Result<Vec<Event>, Malformed> {
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

    /// Whether it is an answer of which nothing is missing, though the connection may stay open.
    pub(in crate::models) fn is_whole(&self) -> bool {
        let Self::Document(document) = self else { return false };
        matches!(document.trim_ascii_end().last(), Some(b'}' | b']'))
            && Json::several(&marked(document)).is_ok_and(|values| is_answer(&values))
    }

    /// Whether it is a document: to ask for it again would bring the same.
    pub(in crate::models) fn is_document(&self) -> bool {
        matches!(self, Self::Document(_))
    }

    /// The events in what is left, when no more bytes come.
    pub(in crate::models) fn end(self) -> Result<Vec<Event>, Malformed> {
        match self {
            Self::Unknown(_) => Ok(Vec::new()),
            Self::Events(events) => events.end(),
            Self::Document(document) => {
                let text = marked(&document);
                let values = Json::several(&text).map_err(|_not_json| Malformed)?;
                let done = is_answer(&values).then(|| "[DONE]".to_owned());
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

/// Whether JSON is a whole answer, or an error, and not the events of a stream without their names.
fn is_answer(values: &[Json<'_>]) -> bool {
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
        let mut body = Body::default();
        let mut seen = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            seen.extend(body.take(piece)?);
        }
        seen.extend(body.end()?);
        Ok(seen.into_iter().map(|event| event.data).collect())
    }

    #[test]
    fn events_and_documents_are_told_apart_by_how_they_begin() {
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
    fn a_document_is_whole_when_nothing_is_missing() {
        let mut body = Body::default();
        for (piece, is_whole) in [("{\"a\":", false), ("{}", false), ("}", true), ("\n", true)] {
            body.take(piece.as_bytes()).unwrap();
            assert_eq!(body.is_whole(), is_whole, "{piece}");
        }
    }
}
