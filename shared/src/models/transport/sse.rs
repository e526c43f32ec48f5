//! Server-sent events out of bytes that come in pieces, cut anywhere: within a line, within a line end, within a character.

use super::cut_text::marked;

/// No provider's event is nearly as long; what is, is not ours to keep in memory.
const LONGEST_EVENT: usize = 1024 * 1024;

/// What some servers put before the first event, a line, or the data.
pub(in crate::models) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An event of a stream.
#[derive(Debug)]
pub(in crate::models) struct Event {
    pub(in crate::models) data: String,
    /// Whether its name says that it is an error. Other names are left aside: the data say what they are.
    pub(in crate::models) is_error: bool,
}

impl Event {
    /// An event without a name.
    pub(in crate::models) fn of(data: String) -> Self {
        Self { data, is_error: false }
    }
}

/// What a stream of events may not be.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::models) struct Malformed;

/// The next event, as far as it has come.
#[derive(Debug, Default)]
pub(in crate::models) struct Events {
    line: Vec<u8>,
    /// Whether the last byte was a CR, which ends a line with the LF behind it or without one.
    after_return: bool,
    data: Vec<u8>,
    is_error: bool,
}

impl Events {
    /// Takes the next bytes, and gives the events that they complete.
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
        if self.line.len() + self.data.len() > LONGEST_EVENT { Err(Malformed) } else { Ok(complete) }
    }

    /// What stands behind the last line end, when no more bytes come: some servers leave out the last blank line.
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
        if let Some(data) = data(line) {
            if is_complete_before(&self.data, data) {
                complete = self.event();
            }
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data);
        }
        self.is_error |= name(line).is_some_and(|name| name.eq_ignore_ascii_case(b"error"));
        if self.data.len() > LONGEST_EVENT { Err(Malformed) } else { Ok(complete) }
    }

    fn event(&mut self) -> Option<Event> {
        let (data, is_error) = (std::mem::take(&mut self.data), std::mem::take(&mut self.is_error));
        (!data.is_empty()).then(|| Event { data: marked(&data), is_error })
    }
}

/// Whether `next` belongs to another event though no blank line stands between: no JSON goes on with an object behind an object.
fn is_complete_before(data: &[u8], next: &[u8]) -> bool {
    let next = next.trim_ascii_start();
    data.trim_ascii_end().ends_with(b"}") && (next.starts_with(b"{") || next.starts_with(b"[DONE]"))
}

/// The bytes behind all byte order marks that they begin with.
pub(in crate::models) fn without_marks(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(BYTE_ORDER_MARK) {
        bytes = rest;
    }
    bytes
}

/// The name that a line gives to its event.
fn name(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"event:").map(<[u8]>::trim_ascii)
}

/// The data in a line. Some servers put an error into a field of that name, or send it without any.
fn data(line: &[u8]) -> Option<&[u8]> {
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
    fn events_are_the_same_however_the_bytes_are_cut_and_whatever_ends_a_line() {
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
    fn an_error_without_the_name_of_data_is_an_event() {
        let stream = b"error: {\"code\":500}\n\n{\"error\":1}\n\n".to_vec();
        assert_eq!(read(std::iter::once(stream)), ["{\"code\":500}", "{\"error\":1}"]);
    }

    #[test]
    fn events_need_no_blank_line_between_them_and_no_clean_beginning() {
        let stream = "event: a\ndata: {\"a\":\ndata: {}}\n\u{feff}data: {\"b\":1}\r\ndata: \u{feff}\u{feff}{}\ndata: [DONE]\n";
        for size in [1, 2, 5, 1000] {
            let seen = read(stream.as_bytes().chunks(size).map(<[u8]>::to_vec));
            assert_eq!(seen, ["{\"a\":\n{}}", "{\"b\":1}", "{}", "[DONE]"], "{size}");
        }
        // All of the stream may be much longer than an event.
        let mut events = Events::default();
        let line = [b"data: {\"a\":\"".to_vec(), vec![b'x'; 100_000], b"\"}\n".to_vec()].concat();
        assert!((0..20).all(|_| events.take(&line).is_ok()));
    }

    #[test]
    fn an_event_named_error_is_known_as_one() {
        let mut events = Events::default();
        let seen = events.take(b"event: error\ndata: x\n\nevent: ping\ndata: y\n\ndata: z\n\n").unwrap();
        assert_eq!(seen.iter().map(|event| event.is_error).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn what_never_ends_is_refused() {
        let mut events = Events::default();
        let endless = vec![b'x'; 100_000];
        assert!((0..20).any(|_| events.take(&endless).is_err()));
        let mut events = Events::default();
        let line = [b"data: ".to_vec(), vec![b'x'; 100_000], b"\n".to_vec()].concat();
        assert!((0..20).any(|_| events.take(&line).is_err()));
    }
}
