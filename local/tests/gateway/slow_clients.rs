//! Connections whose request never becomes complete end; others stay.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _, future::join_all};
use local::{Limits, Studio};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use crate::{options, signature, sockets::connect};

const LIMIT: Duration = Duration::from_millis(400);

async fn start_studio() -> Studio {
    Studio::start(options().limits(|limits| limits.request = LIMIT)).await.unwrap()
}

/// The `HOST:PORT` of each listener.
fn listeners(studio: &Studio) -> [String; 3] {
    [studio.url(), studio.lambda_url(), studio.dynamodb_url()]
        .map(|url| url.trim_start_matches("http://").to_owned())
}

/// Sends `first`, then `more` again and again, until the other side ends the connection; answers how long that took.
async fn drip(address: &str, first: &str, more: &str) -> Duration {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let send = async {
        while !more.is_empty() {
            sleep(LIMIT / 10).await;
            if writer.write_all(more.as_bytes()).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut rest = Vec::new();
    let ended = async { reader.read_to_end(&mut rest).await };
    timeout(LIMIT * 20, async {
        tokio::select! { () = send => {}, _ended = ended => {} }
    })
    .await
    .expect("the connection ends");
    start.elapsed()
}

#[test]
fn the_default_time_limit_of_a_request_is_ten_seconds() {
    assert_eq!(Limits::default().request, Duration::from_secs(10));
}

#[tokio::test]
async fn every_listener_closes_a_connection_with_an_incomplete_request() {
    let studio = start_studio().await;
    let mut attempts = Vec::new();
    for address in listeners(&studio) {
        let head = |path: &str, length: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {}\r\n{length}\r\n\r\n{{",
                signature(&studio)
            )
        };
        let invocation = "/2015-03-31/functions/Web/invocations";
        let path = if studio.url().ends_with(&address) { "/echo" } else { invocation };
        for (first, more) in [
            (String::new(), ""),
            ("GET / HTTP/1.1\r\n".to_owned(), ""),
            (format!("GET / HTTP/1.1\r\nHost: {address}\r\n"), "x-slow: 1\r\n"),
            (head(path, "Content-Length: 9999"), " "),
            (head(path, "Transfer-Encoding: chunked").replace("\r\n\r\n{", "\r\n\r\n"), "1\r\n \r\n"),
            (head("/", "Content-Length: 9999"), ""),
        ] {
            let address = address.clone();
            attempts.push(async move { (drip(&address, &first, more).await, address, first) });
        }
    }
    for (took, address, first) in join_all(attempts).await {
        assert!(took >= LIMIT / 2 || first.contains("9999"), "{address} {first}: {took:?} is too soon");
        assert!(took < LIMIT * 10, "{address} {first}: {took:?} is too late");
    }
}

#[tokio::test]
async fn idle_connections_and_websockets_outlive_the_time_limit_of_a_request() {
    let studio = start_studio().await;
    let address = &listeners(&studio)[0];
    let mut socket = connect(&studio, "").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut buffer = [0; 4096];
    for _ in 0..2 {
        let request = format!("GET /echo HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let length = timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"));
        sleep(LIMIT * 2).await;
    }
    // A part of a third request is an incomplete request.
    stream.write_all(b"GET /echo HT").await.unwrap();
    let ended =
        timeout(LIMIT * 10, async { while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {} });
    ended.await.expect("the connection ends");
    socket.send(Message::text(r#"{"do":"fail"}"#)).await.unwrap();
    let answer = timeout(Duration::from_secs(5), socket.next()).await.unwrap().unwrap().unwrap();
    assert!(answer.to_text().unwrap().contains("Internal server error"));
}

#[tokio::test]
async fn a_slow_answer_does_not_close_the_connection() {
    let studio = start_studio().await;
    let naps = (0..4).map(|_| reqwest::get(format!("{}/do/nap", studio.url())));
    for answer in join_all(naps).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_connection_without_another_request_is_closed() {
    let limits = options().limits(|limits| limits.keep_alive = LIMIT);
    let studio = Studio::start(limits).await.unwrap();
    let address = &listeners(&studio)[0];
    let first = format!("GET /echo HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let took = drip(address, &first, "").await;
    assert!(took >= LIMIT && took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn four_hundred_incomplete_requests_are_all_closed() {
    let studio = start_studio().await;
    let address = listeners(&studio)[0].clone();
    let first = "GET / HTTP/1.1\r\nHost: ";
    let took = join_all((0..400).map(|_| drip(&address, first, ""))).await;
    assert!(took.iter().all(|took| *took < LIMIT * 20), "{:?}", took.iter().max());
    assert_eq!(reqwest::get(studio.url() + "/echo").await.unwrap().status(), 200);
}
