//! The part of Lambda's Runtime API that a function needs for one event, without any work that takes time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The state that a connection needs to serve the function.
#[derive(Clone)]
struct Shared {
    /// The event, until the function has fetched it.
    event: Arc<Mutex<Option<String>>>,
    answers: Sender<(Instant, Vec<u8>)>,
}

/// A Runtime API for one event.
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    answers: Receiver<(Instant, Vec<u8>)>,
}

impl RuntimeApi {
    /// Listens for a function that fetches `event`.
    pub(crate) fn open(event: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, answers) = mpsc::channel();
        let shared = Shared { event: Arc::new(Mutex::new(Some(event))), answers: sender };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                thread::spawn(move || serve(&stream.unwrap(), &shared));
            }
        });
        Self { address, answers }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits for the function's answer; returns it and its time.
    pub(crate) fn answer(&self) -> (Instant, Vec<u8>) {
        self.answers.recv_timeout(WAIT_TIMEOUT).unwrap()
    }
}

/// Serves a connection until the function ends.
fn serve(mut stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some((line, body)) = request(&mut reader) {
        if line.starts_with("GET ") {
            // After its answer, the function polls for another event until it is ended.
            let Some(event) = shared.event.lock().unwrap().take() else { continue };
            let head = head(&event);
            stream.write_all(format!("{head}{event}").as_bytes()).unwrap();
        } else {
            let answered = Instant::now();
            stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap();
            // Only the first answer is awaited.
            shared.answers.send((answered, body)).ok();
        }
    }
}

fn head(event: &str) -> String {
    let deadline = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() + WAIT_TIMEOUT.as_millis();
    let length = event.len();
    format!(
        "HTTP/1.1 200 OK\r\n\
         lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: {deadline}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:cold\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// The first line and the body of the next request. `None` when the function has closed the connection.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<(String, Vec<u8>)> {
    let first = line(reader)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line(reader)?.to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("transfer-encoding", value)) => chunked = value == "chunked",
            Some(_) => {}
            None => break,
        }
    }
    if !chunked {
        return Some((first, bytes(reader, length)?));
    }
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(reader)?, 16).unwrap();
        body.extend(bytes(reader, length)?);
        line(reader)?;
        if length == 0 {
            return Some((first, body));
        }
    }
}

fn line(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

fn bytes(reader: &mut BufReader<&TcpStream>, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
