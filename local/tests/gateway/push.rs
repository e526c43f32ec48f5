//! `@connections`: what functions post to the open WebSockets.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use local::{ConnectionFault, Studio, When};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::{
    event_of_type, events_of, eventually, signature,
    sockets::{connect, text},
    start_studio,
};

async fn call(studio: &Studio, method: Method, id: &str, body: String) -> Response {
    // The SDK percent-encodes the id.
    let id = id.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let url = format!("{}/@connections/{id}", studio.management_url());
    let request = Client::new().request(method, url).header("authorization", signature(studio));
    request.body(body).send().await.unwrap()
}

fn error(response: &Response) -> (u16, String) {
    let kind = response.headers().get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
    (response.status().as_u16(), kind.unwrap_or_default())
}

async fn connection_id(studio: &Studio) -> String {
    let event = event_of_type(studio, "CONNECT").await;
    event.pointer("/requestContext/connectionId").and_then(Value::as_str).unwrap().to_owned()
}

#[tokio::test]
async fn posts_arrive_in_order() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    let id = connection_id(&studio).await;
    for number in 0..50 {
        assert_eq!(call(&studio, Method::POST, &id, json!(number).to_string()).await.status(), 200);
    }
    for number in 0..50 {
        assert_eq!(text(&mut socket).await, json!(number));
    }
}

#[tokio::test]
async fn a_connection_can_be_described() {
    let studio = start_studio().await;
    let _socket = connect(&studio, "").await;
    let id = connection_id(&studio).await;
    let description: Value = call(&studio, Method::GET, &id, String::new()).await.json().await.unwrap();
    assert_eq!(description["identity"]["sourceIp"], "127.0.0.1");
    assert!(description["connectedAt"].as_str().unwrap().ends_with('Z'));
    assert!(description["lastActiveAt"].is_string());
}

#[tokio::test]
async fn a_connection_that_is_gone_or_still_connecting_is_410() {
    let studio = start_studio().await;
    let gone = (410, "GoneException".to_owned());
    assert_eq!(error(&call(&studio, Method::POST, "never=", "x".to_owned()).await), gone);
    let connecting = connect(&studio, "?do=nap");
    let post = async {
        let id = connection_id(&studio).await;
        (error(&call(&studio, Method::POST, &id, "x".to_owned()).await), id)
    };
    let (socket, (refused, id)) = tokio::join!(connecting, post);
    assert_eq!(refused, gone);
    assert_eq!(call(&studio, Method::POST, &id, "x".to_owned()).await.status(), 200);
    drop(socket);
    eventually("the disconnect", || (studio.connections() == 0).then_some(())).await;
    assert_eq!(error(&call(&studio, Method::POST, &id, "x".to_owned()).await), gone);
}

#[tokio::test]
async fn a_post_over_128_kb_is_refused() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    let id = connection_id(&studio).await;
    let size = 128 * 1024;
    let refused = call(&studio, Method::POST, &id, "x".repeat(size + 1)).await;
    assert_eq!(error(&refused), (413, "PayloadTooLargeException".to_owned()));
    assert_eq!(call(&studio, Method::POST, &id, "x".repeat(size)).await.status(), 200);
    assert_eq!(socket.next().await.unwrap().unwrap().len(), size);
}

#[tokio::test]
async fn a_deleted_connection_receives_queued_posts_and_then_a_close() {
    let studio = start_studio().await;
    let mut socket = connect(&studio, "").await;
    let id = connection_id(&studio).await;
    call(&studio, Method::POST, &id, json!("last words").to_string()).await;
    assert_eq!(call(&studio, Method::DELETE, &id, String::new()).await.status(), 204);
    assert_eq!(error(&call(&studio, Method::POST, &id, "x".to_owned()).await).0, 410);
    assert_eq!(text(&mut socket).await, json!("last words"));
    assert!(socket.next().await.unwrap().unwrap().is_close());
    event_of_type(&studio, "DISCONNECT").await;
}

#[tokio::test]
async fn a_slow_client_delays_only_its_own_posts() {
    let studio = start_studio().await;
    let _slow = connect(&studio, "").await;
    let slow = connection_id(&studio).await;
    let mut quick_socket = connect(&studio, "").await;
    let quick = eventually("both connects", || {
        let ids = events_of(&studio, "SocketsFunction")
            .into_iter()
            .map(|it| it["requestContext"]["connectionId"].clone());
        ids.map(|id| id.as_str().unwrap().to_owned()).find(|id| *id != slow)
    })
    .await;
    // The client does not read, so at some point a post waits.
    let flood = async {
        for _ in 0..1000 {
            call(&studio, Method::POST, &slow, "x".repeat(120 * 1024)).await;
        }
    };
    let is_held_up = tokio::time::timeout(Duration::from_secs(3), flood).await.is_err();
    assert!(is_held_up);
    assert_eq!(call(&studio, Method::POST, &quick, json!("quick").to_string()).await.status(), 200);
    assert_eq!(text(&mut quick_socket).await, json!("quick"));
}

#[tokio::test]
async fn faults_make_posts_fail() {
    let studio = start_studio().await;
    let _socket = connect(&studio, "").await;
    let id = connection_id(&studio).await;
    let faults = studio.faults();
    faults.connections(ConnectionFault::LimitExceeded, None, When::Probability(1.0));
    assert_eq!(
        error(&call(&studio, Method::POST, &id, "x".to_owned()).await),
        (429, "LimitExceededException".to_owned())
    );
    faults.clear();
    faults.connections(ConnectionFault::Hang, Some(&id), When::Always);
    let hung = call(&studio, Method::POST, &id, "x".to_owned());
    assert!(tokio::time::timeout(Duration::from_millis(100), hung).await.is_err());
    faults.clear();
    assert!(call(&studio, Method::POST, &id, "x".to_owned()).boxed().await.status().is_success());
    faults.connections(ConnectionFault::Gone, Some(&id), When::Times(1));
    for _ in 0..2 {
        assert_eq!(error(&call(&studio, Method::POST, &id, "x".to_owned()).await).1, "GoneException");
    }
}
