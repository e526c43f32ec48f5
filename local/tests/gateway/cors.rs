//! CORS headers, which only the gateway sets.

use local::Studio;
use reqwest::{Client, Method, Response, header::HeaderMap};

use crate::{options, start_studio};

async fn preflight(studio: &Studio, origin: &str) -> Response {
    let request = Client::new().request(Method::OPTIONS, studio.url() + "/echo").header("origin", origin);
    request.header("access-control-request-method", "POST").send().await.unwrap()
}

fn cors(headers: &HeaderMap) -> Vec<(String, String)> {
    let cors = headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
    let mut cors: Vec<_> =
        cors.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    cors.sort();
    cors
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_preflight_from_an_allowed_origin_is_answered_by_the_gateway() {
    let studio = start_studio().await;
    let response = preflight(&studio, "https://two.example").await;
    assert_eq!(response.status(), 204);
    let expected = pairs(&[
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-headers", "authorization"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-origin", "https://two.example"),
        ("access-control-max-age", "600"),
    ]);
    assert_eq!(cors(response.headers()), expected);
    assert_eq!(studio.instances("Web"), Vec::<u32>::new());
}

#[tokio::test]
async fn an_origin_that_resembles_an_allowed_one_gets_no_permission() {
    let studio = start_studio().await;
    for origin in ["https://one.example.evil", "http://one.example", "https://ONE.example", "null"] {
        assert_eq!(cors(preflight(&studio, origin).await.headers()), [], "{origin}");
    }
}

#[tokio::test]
async fn answers_have_the_cors_headers_of_the_gateway_not_those_of_the_function() {
    let studio = start_studio().await;
    let get = async |path: &str, origin: &str| {
        let response = Client::new().get(studio.url() + path).header("origin", origin).send().await.unwrap();
        cors(response.headers())
    };
    let expected = pairs(&[
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-origin", "https://one.example"),
        ("access-control-expose-headers", "etag"),
    ]);
    assert_eq!(get("/do/rich", "https://one.example").await, expected);
    assert_eq!(get("/unknown", "https://one.example").await, expected);
    assert_eq!(get("/do/rich", "https://evil.example").await, []);
}

#[tokio::test]
async fn allowed_origins_apply_to_the_gateway_and_the_functions() {
    let studio = Studio::start(options().variable("ALLOWED_ORIGINS", "https://mine.example")).await.unwrap();
    assert_ne!(cors(preflight(&studio, "https://mine.example").await.headers()), []);
    assert_eq!(cors(preflight(&studio, "https://one.example").await.headers()), []);
    let environment = studio.invoke("Web", serde_json::json!({ "do": "environment" })).await.unwrap();
    assert_eq!(environment["ORIGINS"], "https://mine.example");
}
