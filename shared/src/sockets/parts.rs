//! Frames that carry a whole reply: one as long as it is short, else several, each small enough for API Gateway to carry,
//! and to cost, as one message.

use super::frame::{Part, Reply, ServerFrame};
use crate::domain::{Ending, Message, ModelName, ReplyStatus, TokenCount};
use crate::error::{Code, Error};

/// How long the content of a frame may be, in bytes of JSON; the rest of a frame is a kilobyte at most.
const MOST_BYTES: usize = 23 * 1024;

/// `text` cut into pieces that each fit a frame; at least one.
#[must_use]
pub fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (place, c) in text.char_indices() {
        let bytes = in_json(c);
        if size + bytes > MOST_BYTES {
            pieces.push(text.get(start..place).unwrap_or_default());
            (start, size) = (place, 0);
        }
        size += bytes;
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

/// How many bytes a character takes in a JSON string.
fn in_json(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// All the text so far.
#[must_use]
pub fn snapshot(reply: &Reply, seq: Option<u64>, text: &str) -> Vec<ServerFrame> {
    in_parts(reply, seq, text, |content, part| ServerFrame::ChatSnapshot {
        reply: reply.clone(),
        seq,
        content,
        part,
    })
}

/// The end of a reply.
struct Finished<'a> {
    status: ReplyStatus,
    content: &'a str,
    tokens: TokenCount,
    model: &'a ModelName,
    seq: Option<u64>,
    left_out: usize,
}

/// The end of a reply, with all of its text, what went wrong if something did, and how many of the oldest messages the model
/// was not sent.
#[must_use]
pub fn whole(reply: &Reply, ending: &Ending, failure: Option<&Error>, left_out: usize) -> Vec<ServerFrame> {
    let Ending { status, content, model, seq, .. } = ending;
    let (content, tokens) = (content.as_str(), ending.tokens());
    frames(reply, &Finished { status: *status, content, tokens, model, seq: *seq, left_out }, failure)
}

/// The end of a reply as it is stored; none while more will come.
#[must_use]
pub fn stored(reply: &Reply, message: &Message, seq: Option<u64>) -> Vec<ServerFrame> {
    let Some(status) = message.status.filter(|status| status.is_end()) else { return Vec::new() };
    let (content, tokens) = (message.content.as_str(), message.tokens.unwrap_or_default());
    let model = message.model.clone().unwrap_or_else(ModelName::default_of_contract);
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
        let unknown = why(status);
        ServerFrame::broke_off(reply, seq, content, part, status, failure.unwrap_or(&unknown))
    })
}

/// Why a reply that is read again ended early: its own reason was told when it did.
fn why(status: ReplyStatus) -> Error {
    if status == ReplyStatus::Failed {
        return Error::new(Code::Unavailable, "The reply could not be made.");
    }
    Error::new(Code::Interrupted, "The reply broke off; what had come is kept.")
}

/// All pieces but the last as snapshots, and the last as the frame that `last` makes: who knows nothing of parts sees one
/// end.
fn in_parts(
    reply: &Reply,
    seq: Option<u64>,
    text: &str,
    last: impl Fn(String, Part) -> ServerFrame,
) -> Vec<ServerFrame> {
    let pieces = pieces(text);
    let count = pieces.len();
    let frame = |(place, piece): (usize, &str)| {
        let content = piece.to_owned();
        let part = if count == 1 { Part::default() } else { Part::of(place, count) };
        if place + 1 == count {
            return last(content, part);
        }
        ServerFrame::ChatSnapshot { reply: reply.clone(), seq, content, part }
    };
    pieces.into_iter().enumerate().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text_and_each_fits_a_frame() {
        for text in [String::new(), "x".repeat(100_000), "\u{1}好\"🎉\n".repeat(20_000)] {
            let pieces = pieces(&text);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| serde_json::to_string(piece).unwrap().len() <= 24 * 1024));
        }
        assert_eq!(pieces(""), [""]);
    }
}
