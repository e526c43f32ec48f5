//! The HTTP API.

use std::time::{Duration, Instant};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use local::Studio;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{options, start_studio};

async fn get(studio: &Studio, path: &str) -> Response {
    Client::new().get(studio.url() + path).send().await.unwrap()
}

async fn answer(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn an_event_has_every_field_that_aws_sends() {
    let studio = start_studio().await;
    let request = Client::new()
        .get(studio.url() + "/items/a%20b%2Fc?x=1&x=2&y=%C3%A9")
        .header("X-Twice", "one")
        .header("X-Twice", "two")
        .header("cookie", "a=1; b=2")
        .header("user-agent", "tester")
        .header("x-forwarded-for", "6.6.6.6");
    let event: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "GET /items/{id}");
    assert_eq!(event["rawPath"], "/items/a%20b%2Fc");
    assert_eq!(event["rawQueryString"], "x=1&x=2&y=%C3%A9");
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(event["headers"]["x-twice"], "one,two");
    assert_eq!(event["headers"]["x-forwarded-for"], "6.6.6.6, 127.0.0.1");
    assert_eq!(event["headers"]["cookie"], Value::Null);
    assert_eq!(event["queryStringParameters"], json!({ "x": "1,2", "y": "é" }));
    assert_eq!(event["pathParameters"], json!({ "id": "a b/c" }));
    assert_eq!(event["isBase64Encoded"], false);
    let context = &event["requestContext"];
    assert_eq!(context["accountId"], "000000000000");
    assert_eq!(context["domainName"], "127.0.0.1");
    assert_eq!(context["stage"], "$default");
    assert_eq!(context["routeKey"], "GET /items/{id}");
    let http = json!({ "method": "GET", "path": "/items/a%20b%2Fc", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
        "userAgent": "tester" });
    assert_eq!(context["http"], http);
    for field in ["apiId", "domainPrefix", "requestId", "time", "timeEpoch"] {
        assert!(!context[field].is_null(), "{field}");
    }
    let typed: ApiGatewayV2httpRequest = serde_json::from_value(event).unwrap();
    assert_eq!(typed.path_parameters["id"], "a b/c");
}

#[tokio::test]
async fn a_body_is_text_or_base64_as_its_type_says() {
    let studio = start_studio().await;
    let cases = [
        ("application/json; charset=utf-8", &b"{\"a\":1}"[..], "{\"a\":1}", false),
        ("text/plain", "é".as_bytes(), "é", false),
        ("application/octet-stream", &[0, 1, 255][..], "AAH/", true),
        ("text/plain", &[255][..], "/w==", true),
    ];
    for (content_type, sent, body, is_base64) in cases {
        let request = Client::new().post(studio.url() + "/echo").header("content-type", content_type);
        let event: Value = request.body(sent.to_vec()).send().await.unwrap().json().await.unwrap();
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(body), &json!(is_base64)));
    }
    let event: Value = get(&studio, "/echo").await.json().await.unwrap();
    assert_eq!(event.get("body"), None);
}

#[tokio::test]
async fn the_most_specific_route_wins_and_an_unknown_one_is_404() {
    let studio = start_studio().await;
    let key = async |path: &str| get(&studio, path).await.json::<Value>().await.unwrap()["routeKey"].clone();
    assert_eq!(key("/items/special").await, "GET /items/special");
    assert_eq!(key("/items/other").await, "GET /items/{id}");
    assert_eq!(key("/files/a/b").await, "ANY /files/{rest+}");
    let not_found = (404, r#"{"message":"Not Found"}"#.to_owned());
    for path in ["/", "/items", "/items/a/b", "/items/", "/files", "/echo/"] {
        assert_eq!(answer(get(&studio, path).await).await, not_found, "{path}");
    }
    let wrong_method = Client::new().delete(studio.url() + "/echo").send().await.unwrap();
    assert_eq!(answer(wrong_method).await, not_found);
}

#[tokio::test]
async fn every_field_of_an_answer_is_used() {
    let studio = start_studio().await;
    let response = get(&studio, "/do/rich").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["x-one"], "1");
    let all = |name: &str| {
        response.headers().get_all(name).iter().map(|it| it.to_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(all("x-many"), ["a", "b"]);
    assert_eq!(all("set-cookie"), ["a=1; Path=/", "b=2"]);
    assert_eq!(all("access-control-allow-origin"), Vec::<&str>::new());
    assert!(response.headers().contains_key("apigw-requestid"));
    assert_eq!(response.bytes().await.unwrap()[..], [0, 1, 2, 255]);
    assert_eq!(answer(get(&studio, "/do/plain").await).await, (200, r#"{"plain":true}"#.to_owned()));
}

#[tokio::test]
async fn a_function_that_goes_wrong_is_500() {
    let studio = start_studio().await;
    for instruction in ["panic", "fail", "exit", "nonsense", "large"] {
        let response = get(&studio, &format!("/do/{instruction}")).await;
        assert_eq!(
            answer(response).await,
            (500, r#"{"message":"Internal Server Error"}"#.to_owned()),
            "{instruction}"
        );
    }
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_503() {
    let limits = options().limits(|limits| limits.http_integration = Duration::from_millis(200));
    let studio = Studio::start(limits).await.unwrap();
    let asked = Instant::now();
    let response = get(&studio, "/do/hang").await;
    assert_eq!(answer(response).await, (503, r#"{"message":"Service Unavailable"}"#.to_owned()));
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let studio = start_studio().await;
    let refused = (413, r#"{"message":"Request Entity Too Large"}"#.to_owned());
    let post = async |size: usize, kind: &str| {
        let request =
            Client::new().request(Method::POST, studio.url() + "/echo").header("content-type", kind);
        answer(request.body(vec![b'x'; size]).send().await.unwrap()).await
    };
    // One body has more than 10 MB. The other has less, but its event has more than 6 MB.
    assert_eq!(post(10 * 1024 * 1024 + 1, "text/plain").await, refused);
    assert_eq!(post(5 * 1024 * 1024, "application/octet-stream").await, refused);
    let long =
        Client::new().get(studio.url() + "/echo").header("x-long", "x".repeat(10_300)).send().await.unwrap();
    assert_eq!(long.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}
