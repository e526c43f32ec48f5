//! Server-sent events out of bytes that come in pieces, cut anywhere: within a line, within a character.

/// No provider's event is nearly as long; what is, is not ours to keep in memory.
const LONGEST_EVENT: usize = 1024 * 1024;

/// What a stream of events may not be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The data of events, as far as it has come. Names of events are left aside: the data say what they are.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
}

impl Events {
    /// Takes the next bytes, and gives the data of the events that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, Malformed> {
        let mut complete = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end);
            self.line.extend_from_slice(line);
            rest = behind.get(1..).unwrap_or_default();
            complete.extend(self.end_line()?);
        }
        self.line.extend_from_slice(rest);
        if self.line.len() + self.data.len() > LONGEST_EVENT { Err(Malformed) } else { Ok(complete) }
    }

    /// What stands behind the last line end, when no more bytes come: some servers leave out the last blank line.
    pub(super) fn end(mut self) -> Result<Option<String>, Malformed> {
        if let Some(event) = self.end_line()? {
            return Ok(Some(event));
        }
        Ok((!self.data.is_empty()).then_some(self.data))
    }

    fn end_line(&mut self) -> Result<Option<String>, Malformed> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_not_text| Malformed)?.trim_end_matches('\r');
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return Ok((!data.is_empty()).then_some(data));
        }
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        if self.data.len() > LONGEST_EVENT { Err(Malformed) } else { Ok(None) }
    }
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
    fn events_are_the_same_however_the_bytes_are_cut() {
        let expected = ["{\"a\":\n\"好\"}", "b", "[DONE]"];
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(read(STREAM.as_bytes().chunks(size).map(<[u8]>::to_vec)), expected, "{size}");
        }
    }

    #[test]
    fn what_is_no_text_and_what_never_ends_is_refused() {
        assert_eq!(Events::default().take(b"data: \xff\n"), Err(Malformed));
        let mut events = Events::default();
        let endless = vec![b'x'; 100_000];
        assert!((0..20).any(|_| events.take(&endless).is_err()));
        let mut events = Events::default();
        let line = [b"data: ".to_vec(), vec![b'x'; 100_000], b"\n".to_vec()].concat();
        assert!((0..20).any(|_| events.take(&line).is_err()));
    }
}
