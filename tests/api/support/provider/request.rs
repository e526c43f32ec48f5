//! Requests to a fake provider, read from the socket.

use std::time::Instant;

use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A request to a fake provider.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// The request line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// Reads one request. Bytes that follow it stay in the buffer.
pub(crate) async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        (stream.read_buf(buffer).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
    let length: usize = length.unwrap_or(0);
    while buffer.len() < end + length {
        (stream.read_buf(buffer).await.ok()? > 0).then_some(())?;
    }
    let body = serde_json::from_slice(&buffer[end..end + length]).unwrap_or(Value::Null);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    buffer.drain(..end + length);
    Some(Asked { path, head, body, at: Instant::now() })
}

/// The last message of the user.
pub(crate) fn last_words(asked: &Asked) -> String {
    let last =
        asked.body["messages"].as_array().and_then(|messages| messages.last()).cloned().unwrap_or_default();
    let content = &last["content"];
    content.as_str().or_else(|| content[0]["text"].as_str()).unwrap_or_default().to_owned()
}
