//! The reply that a client shows.

use serde_json::Value;

use super::Connection;

/// The reply as a client shows it that follows the documentation.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) next_seq: u64,
    /// Parts of a text that is longer than a frame.
    parts: String,
    pub(crate) end: Option<Value>,
}

impl Shown {
    /// Applies a frame about the reply, and ignores others. Returns false at a gap, when the client must resume.
    pub(crate) fn take(&mut self, frame: &Value, message: &Value) -> bool {
        if frame["messageId"] != *message {
            return true;
        }
        let content = frame["content"].as_str().unwrap_or_default();
        match frame["type"].as_str().unwrap() {
            "chat_chunk" => {
                if frame["seq"] != self.next_seq {
                    // An old chunk that a snapshot has overtaken, or a gap.
                    return frame["seq"].as_u64() < Some(self.next_seq);
                }
                self.next_seq += 1;
                self.text.push_str(content);
            }
            "chat_snapshot" | "chat_complete" | "chat_error" => {
                self.parts.push_str(content);
                let is_last = frame["part"].as_u64().map(|part| part + 1) == frame["parts"].as_u64();
                if is_last || frame["part"].is_null() {
                    self.text = std::mem::take(&mut self.parts);
                    self.next_seq = frame["seq"].as_u64().map_or(0, |seq| seq + 1);
                }
                if frame["type"] != "chat_snapshot" {
                    self.end = Some(frame.clone());
                }
            }
            _ => {}
        }
        true
    }

    /// Applies frames until the reply has ended.
    pub(crate) async fn watch(&mut self, connection: &mut Connection, message: &Value) {
        while self.end.is_none() {
            let frame = connection.next_any().await;
            assert!(self.take(&frame, message), "a gap before {frame}");
        }
    }
}
