//! Server-sent events out of bytes that come in pieces, cut anywhere: within a line, within a line end, within a character.

use super::cut_text::marked;

/// No provider's event is nearly as long; what is, is not ours to keep in memory.
const LONGEST_EVENT: usize = 1024 * 1024;

/// What a stream of events may not be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The data of events, as far as it has come. Names of events are left aside: the data say what they are.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// Whether the last byte was a CR, which ends a line with the LF behind it or without one.
    after_return: bool,
    data: Vec<u8>,
}

impl Events {
    /// Takes the next bytes, and gives the data of the events that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, Malformed> {
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
    pub(super) fn end(mut self) -> Result<Option<String>, Malformed> {
        if let Some(event) = self.end_line()? {
            return Ok(Some(event));
        }
        Ok(self.event())
    }

    fn end_line(&mut self) -> Result<Option<String>, Malformed> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(self.event());
        }
        if let Some(data) = data(&line) {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data);
        }
        if self.data.len() > LONGEST_EVENT { Err(Malformed) } else { Ok(None) }
    }

    fn event(&mut self) -> Option<String> {
        let data = std::mem::take(&mut self.data);
        (!data.is_empty()).then(|| marked(&data))
    }
}

/// The data in a line. Some servers put an error into a field of that name, or send it without any.
fn data(line: &[u8]) -> Option<&[u8]> {
    if line.starts_with(b"{") {
        return Some(line);
    }
    let data = line.strip_prefix(b"data:").or_else(|| line.strip_prefix(b"error:"))?;
    Some(data.strip_prefix(b" ").unwrap_or(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hi\r\nevent: x\r\ndata: {\"a\":\r\ndata: \"好\"}\r\n\r\n\n\ndata:b\nid: 7\n\ndata: [DONE]";

    fn read(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<String> {
        let mut events = Events::default();
        let mut seen: Vec<String> = pieces.flat_map(|piece| events.take(&piece).unwrap()).collect();
        seen.extend(events.end().unwrap());
        seen
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
    fn what_never_ends_is_refused() {
        let mut events = Events::default();
        let endless = vec![b'x'; 100_000];
        assert!((0..20).any(|_| events.take(&endless).is_err()));
        let mut events = Events::default();
        let line = [b"data: ".to_vec(), vec![b'x'; 100_000], b"\n".to_vec()].concat();
        assert!((0..20).any(|_| events.take(&line).is_err()));
    }
}
