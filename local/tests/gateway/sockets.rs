//! The WebSocket API, as a client sees it.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use futures_util::{SinkExt, StreamExt};
use local::Studio;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Bytes, Error, Message,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use crate::{event_of_type, events_of, eventually, options, start_studio};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn connect(studio: &Studio, rest: &str) -> Socket {
    connect_async(studio.ws_url() + rest).await.unwrap().0
}

/// The next text, as JSON.
pub(crate) async fn text(socket: &mut Socket) -> Value {
    let message =
        tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("a message in time");
    serde_json::from_str(message.unwrap().unwrap().to_text().unwrap()).unwrap()
}

/// The code and the reason of the close that ends the connection.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("an end in time") {
            Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                return (code.into(), reason.to_string());
            }
            Some(Ok(_)) => {}
            other => panic!("ended without a close frame: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connect_event_has_every_field_that_aws_sends() {
    let studio = start_studio().await;
    let _socket = connect(&studio, "/a%20user%2B%26?token=t%2Fk&user_id=evil&x=1&x=2").await;
    let event = event_of_type(&studio, "CONNECT").await;
    assert_eq!(event["queryStringParameters"], json!({ "token": "t/k", "user_id": "a user+&", "x": "2" }));
    assert_eq!(event["multiValueQueryStringParameters"]["x"], json!(["1", "2"]));
    assert_eq!(event["headers"]["Upgrade"], "websocket");
    assert_eq!(event["headers"]["Sec-WebSocket-Version"], "13");
    assert_eq!(event["multiValueHeaders"]["Sec-WebSocket-Version"], json!(["13"]));
    assert_eq!(event["isBase64Encoded"], false);
    let context = &event["requestContext"];
    let expected =
        [("routeKey", "$connect"), ("eventType", "CONNECT"), ("stage", "live"), ("messageDirection", "IN")];
    for (field, value) in expected {
        assert_eq!(context[field], value);
    }
    assert_eq!(context["identity"]["sourceIp"], "127.0.0.1");
    let id = context["connectionId"].as_str().unwrap();
    assert!(id.len() == 16 && id.ends_with('='), "{id}");
    for field in [
        "apiId",
        "connectedAt",
        "domainName",
        "extendedRequestId",
        "requestId",
        "requestTime",
        "requestTimeEpoch",
    ] {
        assert!(!context[field].is_null(), "{field}");
    }
    let typed: ApiGatewayWebsocketProxyRequest = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(typed.request_context.connection_id.unwrap(), id);
}

#[tokio::test]
async fn frames_are_routed_by_their_type_and_answers_of_functions_are_not_sent() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    for frame in
        [r#"{"type":"chat"}"#, r#"{"type":"unknown"}"#, "no json", r#"{"type":"$connect"}"#, r#"{"type":3}"#]
    {
        socket.send(Message::text(frame)).await.unwrap();
        let event = eventually(frame, || {
            events_of(&studio, "SocketsFunction").into_iter().find(|event| event["body"] == json!(frame))
        })
        .await;
        let expected = if frame.contains("chat") { "chat" } else { "$default" };
        assert_eq!(event["requestContext"]["routeKey"], expected, "{frame}");
        assert_eq!(event["requestContext"]["eventType"], "MESSAGE");
        assert!(event["requestContext"]["messageId"].is_string());
        let typed: ApiGatewayWebsocketProxyRequest = serde_json::from_value(event).unwrap();
        assert_eq!(typed.body.unwrap(), frame);
    }
    // The answers of the function were not sent: the first message is about the frame that fails.
    socket.send(Message::text(r#"{"do":"fail"}"#)).await.unwrap();
    let trouble = text(&mut socket).await;
    assert_eq!(trouble["message"], "Internal server error");
    assert!(trouble["connectionId"].is_string() && trouble["requestId"].is_string());
}

#[tokio::test]
async fn a_timeout_is_reported_and_does_not_delay_other_frames() {
    let limits = options().limits(|limits| limits.websocket_integration = Duration::from_millis(300));
    let studio = Studio::start(limits).await.unwrap();
    let mut socket = connect(&studio, "").await;
    socket.send(Message::text(r#"{"do":"hang"}"#)).await.unwrap();
    socket.send(Message::text(r#"{"do":"fail"}"#)).await.unwrap();
    assert_eq!(text(&mut socket).await["message"], "Internal server error");
    assert_eq!(text(&mut socket).await["message"], "Endpoint request timed out");
}

#[tokio::test]
async fn a_refused_connect_opens_no_connection() {
    let limits = options().limits(|limits| limits.websocket_integration = Duration::from_millis(300));
    let studio = Studio::start(limits).await.unwrap();
    for (instruction, status) in [("refuse", 401), ("fail", 500), ("exit", 500), ("hang", 504)] {
        let refused = connect_async(format!("{}?do={instruction}", studio.ws_url())).await;
        let Err(Error::Http(response)) = refused else { panic!("{instruction}: not refused") };
        assert_eq!(response.status(), status, "{instruction}");
    }
    assert_eq!(studio.connections(), 0);
    let all = events_of(&studio, "SocketsFunction");
    assert!(all.iter().all(|event| event["requestContext"]["eventType"] == "CONNECT"));
}

#[tokio::test]
async fn the_disconnect_route_is_called_once_with_the_reason_of_the_client() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    assert_eq!(studio.connections(), 1);
    let goodbye = CloseFrame { code: CloseCode::Library(4001), reason: "enough".into() };
    socket.close(Some(goodbye)).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 4001);
    let event = event_of_type(&studio, "DISCONNECT").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 4001);
    assert_eq!(event["requestContext"]["disconnectReason"], "enough");
    assert_eq!(studio.connections(), 0);
    let typed: ApiGatewayWebsocketProxyRequest = serde_json::from_value(event).unwrap();
    assert_eq!(typed.request_context.route_key.unwrap(), "$disconnect");
    drop(connect(&studio, "").await);
    let count = || {
        events_of(&studio, "SocketsFunction")
            .iter()
            .filter(|it| it["requestContext"]["eventType"] == "DISCONNECT")
            .count()
    };
    eventually("the second disconnect", || (count() == 2).then_some(())).await;
}

#[tokio::test]
async fn too_large_frames_and_messages_close_with_1009() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    socket.send(Message::text("x".repeat(32 * 1024))).await.unwrap();
    eventually("a frame of 32 KB arrives", || {
        (events_of(&studio, "SocketsFunction").len() == 2).then_some(())
    })
    .await;
    socket.send(Message::text("x".repeat(32 * 1024 + 1))).await.unwrap();
    assert_eq!(closed(&mut socket).await, (1009, "Message too long".to_owned()));
    let mut socket = connect(&studio, "").await;
    for part in 0..5 {
        let kind = if part == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(Bytes::from("x".repeat(32 * 1024)), OpCode::Data(kind), false);
        // The gateway may already have closed the connection.
        socket.send(Message::Frame(frame)).await.ok();
    }
    assert_eq!(closed(&mut socket).await.0, 1009);
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    socket.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1003);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_ping_keeps_it_open() {
    let studio =
        Studio::start(options().limits(|limits| limits.idle = Duration::from_millis(400))).await.unwrap();
    let mut socket = connect(&studio, "").await;
    let opened = std::time::Instant::now();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        socket.send(Message::Ping(Bytes::from_static(b"here"))).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"here")));
    }
    assert_eq!(closed(&mut socket).await, (1001, "Going away".to_owned()));
    assert!(opened.elapsed() >= Duration::from_millis(950));
    let event = event_of_type(&studio, "DISCONNECT").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1001);
}

#[tokio::test]
async fn a_connection_is_closed_at_its_maximum_lifetime_even_if_it_is_active() {
    let studio =
        Studio::start(options().limits(|limits| limits.life = Duration::from_millis(200))).await.unwrap();
    let mut socket = connect(&studio, "").await;
    assert_eq!(closed(&mut socket).await.0, 1001);
}

#[tokio::test]
async fn stopping_closes_connections_and_calls_the_disconnect_route() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    let (end, ()) = tokio::join!(closed(&mut socket), studio.stop());
    assert_eq!(end.0, 1001);
}
