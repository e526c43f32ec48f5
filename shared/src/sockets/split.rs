//! Splits long texts into several frames. Each frame is small enough for API Gateway to carry, and to bill, as one
//! message.

use super::frame::{FramePart, Reply, ServerFrame};
use crate::domain::{Ending, Message, ModelName, ReplyStatus, TokenCount};
use crate::error::{Code, Error};

/// The most bytes of a frame's text in JSON. The rest of a frame takes at most a kilobyte.
const MAX_TEXT_BYTES: usize = 23 * 1024;

/// Splits `text` into pieces that each fit one frame. Returns at least one piece.
#[must_use]
pub fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (index, c) in text.char_indices() {
        let bytes = json_bytes(c);
        if size + bytes > MAX_TEXT_BYTES {
            pieces.push(text.get(start..index).unwrap_or_default());
            (start, size) = (index, 0);
        }
        size += bytes;
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

/// The number of bytes of a character in a JSON string.
fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// The frames of a snapshot: the whole text so far.
#[must_use]
pub fn snapshot(reply: &Reply, seq: Option<u64>, text: &str) -> Vec<ServerFrame> {
    in_parts(reply, seq, text, |content, part| ServerFrame::ChatSnapshot {
        reply: reply.clone(),
        seq,
        content,
        part,
    })
}

/// What the last frames of a reply tell.
struct Finished<'a> {
    status: ReplyStatus,
    content: &'a str,
    tokens: TokenCount,
    model: &'a ModelName,
    seq: Option<u64>,
    left_out: usize,
}

/// The last frames of a reply that has just ended: its whole text, the failure if there was one, and how many of the
/// oldest messages did not fit into the model's context window.
#[must_use]
pub fn whole(reply: &Reply, ending: &Ending, failure: Option<&Error>, left_out: usize) -> Vec<ServerFrame> {
    let Ending { status, content, model, seq, .. } = ending;
    let (content, tokens) = (content.as_str(), ending.tokens());
    frames(reply, &Finished { status: *status, content, tokens, model, seq: *seq, left_out }, failure)
}

/// The last frames of a stored reply. Empty while the reply has not ended.
#[must_use]
pub fn stored(reply: &Reply, message: &Message, seq: Option<u64>) -> Vec<ServerFrame> {
    let Some(status) = message.status.filter(|status| status.is_end()) else { return Vec::new() };
    let (content, tokens) = (message.content.as_str(), message.tokens.unwrap_or_default());
    let model = message.model.clone().unwrap_or_else(ModelName::default_for_old_clients);
    frames(reply, &Finished { status, content, tokens, model: &model, seq, left_out: 0 }, None)
}

fn frames(reply: &Reply, finished: &Finished<'_>, failure: Option<&Error>) -> Vec<ServerFrame> {
    let Finished { status, content, tokens, model, seq, left_out } = *finished;
    in_parts(reply, seq, content, |content, part| {
        let reply = reply.clone();
        if matches!(status, ReplyStatus::Complete | ReplyStatus::Stopped) {
            let (tokens, model, left_out) = (tokens.get(), model.clone(), (left_out > 0).then_some(left_out));
            return ServerFrame::ChatComplete { reply, seq, content, part, tokens, model, left_out, status };
        }
        let stored = stored_failure(status);
        ServerFrame::broke_off(reply, seq, content, part, status, failure.unwrap_or(&stored))
    })
}

/// The error of a stored reply that ended early. The original error was sent when the reply ended, and is not stored.
fn stored_failure(status: ReplyStatus) -> Error {
    if status == ReplyStatus::Failed {
        return Error::new(Code::Unavailable, "The reply failed.");
    }
    Error::new(Code::Interrupted, "The reply was interrupted. The text so far is kept.")
}

/// Frames for all pieces of a text: snapshots, and the frame of `last` for the last piece. A client that ignores the
/// numbers of parts still sees exactly one end.
fn in_parts(
    reply: &Reply,
    seq: Option<u64>,
    text: &str,
    last: impl Fn(String, FramePart) -> ServerFrame,
) -> Vec<ServerFrame> {
    let texts = pieces(text);
    let count = texts.len();
    let frame = |(index, piece): (usize, &str)| {
        let content = piece.to_owned();
        let part = if count == 1 { FramePart::default() } else { FramePart::of(index, count) };
        if index + 1 == count {
            return last(content, part);
        }
        ServerFrame::ChatSnapshot { reply: reply.clone(), seq, content, part }
    };
    texts.into_iter().enumerate().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_together_are_the_text_and_each_fits_a_frame() {
        for text in [String::new(), "x".repeat(100_000), "\u{1}好\"🎉\n".repeat(20_000)] {
            let split = pieces(&text);
            assert_eq!(split.concat(), text);
            assert!(split.iter().all(|piece| serde_json::to_string(piece).unwrap().len() <= 24 * 1024));
        }
        assert_eq!(pieces(""), [""]);
    }
}
