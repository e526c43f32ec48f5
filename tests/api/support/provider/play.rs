//! A fake provider plays an [`Act`] on a connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Provider;
use super::act::{Act, Ending};

impl Provider {
    /// Plays an act, and returns whether the connection can be reused.
    pub(super) async fn perform(&self, stream: &mut TcpStream, act: Act) -> bool {
        match act {
            Act::Answer(status, headers, body) => {
                let headers: String =
                    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.is_ok()
            }
            Act::Reset => false,
            Act::Silence => self.wait_until_left(stream).await,
            Act::Stream(parts, pause, ending) => self.stream(stream, parts, pause, ending).await,
        }
    }

    async fn stream(
        &self,
        stream: &mut TcpStream,
        parts: Vec<Vec<u8>>,
        pause: Duration,
        ending: Ending,
    ) -> bool {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.set_nodelay(true).unwrap();
        let mut sent = stream.write_all(head.as_bytes()).await;
        for part in parts {
            let chunk = [format!("{:x}\r\n", part.len()).into_bytes(), part, b"\r\n".to_vec()].concat();
            sent = match sent {
                Ok(()) => stream.write_all(&chunk).await,
                gone => gone,
            };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        if sent.is_err() {
            self.state.lock().unwrap().left += 1;
            return false;
        }
        match ending {
            Ending::Proper => stream.write_all(b"0\r\n\r\n").await.is_ok(),
            Ending::Cut => false,
            Ending::Never => self.wait_until_left(stream).await,
        }
    }

    async fn wait_until_left(&self, stream: &mut TcpStream) -> bool {
        let mut byte = [0; 1];
        while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {}
        self.state.lock().unwrap().left += 1;
        false
    }
}
