//! Parses server-sent events from bytes that may be split anywhere: within a line, a line end, or a character.

use super::text_joiner::marked;

/// The longest event. It limits the memory that a stream takes; no provider sends events of this length.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Some servers put byte order marks before the first event, a line, or the data.
pub(in crate::models) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An event of a stream.
#[derive(Debug)]
pub(in crate::models) struct Event {
    pub(in crate::models) data: String,
    /// Whether the event is named `error`. Other names are ignored, since the data tell the type.
    pub(in crate::models) is_error: bool,
}

impl Event {
    /// An event without a name.
    pub(in crate::models) fn of(data: String) -> Self {
        Self { data, is_error: false }
    }
}

/// The stream contains an event that is too long, or is not a stream of events.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::models) struct Malformed;

/// A parser that holds the incomplete last event.
#[derive(Debug, Default)]
pub(in crate::models) struct Events {
    line: Vec<u8>,
    /// Whether the last byte was a CR, which ends a line with or without an LF after it.
    after_return: bool,
    data: Vec<u8>,
    is_error: bool,
}

impl Events {
    /// Adds the next bytes, and returns the events that they complete.
    pub(in crate::models) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Malformed> {
        let mut complete = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, behind) = rest.split_at(end);
            self.after_return &= line.is_empty();
            self.line.extend_from_slice(line);
            let (is_return, is_second) = (behind.starts_with(b"\r"), self.after_return);
            rest = behind.get(1..).unwrap_or_default();
            self.after_return = is_return;
            if is_return || !is_second {
                complete.extend(self.end_line()?);
            }
        }
        self.after_return &= rest.is_empty();
        self.line.extend_from_slice(rest);
        if self.line.len() + self.data.len() > MAX_EVENT_BYTES { Err(Malformed) } else { Ok(complete) }
    }

    /// The event after the last line end, when the stream has ended: some servers omit the last blank line.
    pub(in crate::models) fn end(mut self) -> Result<Vec<Event>, Malformed> {
        let last = self.end_line()?;
        Ok(last.into_iter().chain(self.event()).collect())
    }

    fn end_line(&mut self) -> Result<Option<Event>, Malformed> {
        let line = std::mem::take(&mut self.line);
        let line = without_marks(&line);
        if line.is_empty() {
            return Ok(self.event());
        }
        let mut complete = None;
        if let Some(data) = data_of(line) {
            if is_complete_before(&self.data, data) {
                complete = self.event();
            }
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data);
        }
        self.is_error |= name_of(line).is_some_and(|name| name.eq_ignore_ascii_case(b"error"));
        if self.data.len() > MAX_EVENT_BYTES { Err(Malformed) } else { Ok(complete) }
    }

    fn event(&mut self) -> Option<Event> {
        let (data, is_error) = (std::mem::take(&mut self.data), std::mem::take(&mut self.is_error));
        (!data.is_empty()).then(|| Event { data: marked(&data), is_error })
    }
}

/// Whether `next` starts another event although no blank line precedes it: an object never directly follows an object
/// in JSON.
fn is_complete_before(data: &[u8], next: &[u8]) -> bool {
    let next = next.trim_ascii_start();
    data.trim_ascii_end().ends_with(b"}") && (next.starts_with(b"{") || next.starts_with(b"[DONE]"))
}

/// The bytes without leading byte order marks.
pub(in crate::models) fn without_marks(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(BYTE_ORDER_MARK) {
        bytes = rest;
    }
    bytes
}

/// The event name in a line.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"event:").map(<[u8]>::trim_ascii)
}

/// The data in a line. Some servers send an error in a field named `error`, or without a field name.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    if line.starts_with(b"{") {
        return Some(line);
    }
    let data = line.strip_prefix(b"data:").or_else(|| line.strip_prefix(b"error:"))?;
    Some(without_marks(data.strip_prefix(b" ").unwrap_or(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hi\r\nevent: x\r\ndata: {\"a\":\r\ndata: \"好\"}\r\n\r\n\n\ndata:b\nid: 7\n\ndata: [DONE]";

    fn read(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<String> {
        let mut events = Events::default();
        let mut seen: Vec<Event> = pieces.flat_map(|piece| events.take(&piece).unwrap()).collect();
        seen.extend(events.end().unwrap());
        seen.into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn events_are_the_same_however_bytes_are_split_and_lines_end() {
        let expected = ["{\"a\":\n\"好\"}", "b", "[DONE]"];
        let plain = STREAM.replace("\r\n", "\n");
        for stream in [STREAM.to_owned(), plain.replace('\n', "\r"), plain.replace('\n', "\r\n"), plain] {
            for size in [1, 2, 3, 7, 1000] {
                let seen = read(stream.as_bytes().chunks(size).map(<[u8]>::to_vec));
                assert_eq!(seen, expected, "{size}: {stream:?}");
            }
        }
    }

    #[test]
    fn an_error_outside_of_a_data_field_is_an_event() {
        let stream = b"error: {\"code\":500}\n\n{\"error\":1}\n\n".to_vec();
        assert_eq!(read(std::iter::once(stream)), ["{\"code\":500}", "{\"error\":1}"]);
    }

    #[test]
    fn blank_lines_are_optional_and_byte_order_marks_are_skipped() {
        let stream = "event: a\ndata: {\"a\":\ndata: {}}\n\u{feff}data: {\"b\":1}\r\ndata: \u{feff}\u{feff}{}\ndata: [DONE]\n";
        for size in [1, 2, 5, 1000] {
            let seen = read(stream.as_bytes().chunks(size).map(<[u8]>::to_vec));
            assert_eq!(seen, ["{\"a\":\n{}}", "{\"b\":1}", "{}", "[DONE]"], "{size}");
        }
        // A stream may be much longer than the longest event.
        let mut events = Events::default();
        let line = [b"data: {\"a\":\"".to_vec(), vec![b'x'; 100_000], b"\"}\n".to_vec()].concat();
        assert!((0..20).all(|_| events.take(&line).is_ok()));
    }

    #[test]
    fn an_event_named_error_is_recognised() {
        let mut events = Events::default();
        let seen = events.take(b"event: error\ndata: x\n\nevent: ping\ndata: y\n\ndata: z\n\n").unwrap();
        assert_eq!(seen.iter().map(|event| event.is_error).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn an_endless_line_or_event_is_malformed() {
        let mut events = Events::default();
        let endless = vec![b'x'; 100_000];
        assert!((0..20).any(|_| events.take(&endless).is_err()));
        let mut events = Events::default();
        let line = [b"data: ".to_vec(), vec![b'x'; 100_000], b"\n".to_vec()].concat();
        assert!((0..20).any(|_| events.take(&line).is_err()));
    }
}
