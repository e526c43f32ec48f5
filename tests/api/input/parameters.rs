//! Unknown query parameters are refused, except on routes of the old contract. `HEAD` is answered like `GET`,
//! without a body.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::input::bad_routes::ECHO;
use crate::support::conform::document;
use crate::support::{Answer, User, send, shared_studio};

/// Routes that ignore unknown query parameters.
const OLD: [&str; 16] = [
    "GET /",
    "GET /health",
    "GET /docs",
    "GET /redoc",
    "GET /openapi.json",
    "POST /api/auth/register",
    "POST /api/auth/login",
    "GET /api/auth/me",
    "GET /api/conversations",
    "POST /api/conversations",
    "GET /api/conversations/{id}",
    "PUT /api/conversations/{id}",
    "DELETE /api/conversations/{id}",
    "POST /api/chat",
    "GET /api/stats",
    "GET /api/stats/detailed",
];

fn template() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap()
}

/// Every HTTP route with an example path.
fn routes() -> Vec<(String, Method, String)> {
    let keys = local::routes(&template()).unwrap().into_iter().map(|route| route.key);
    let http = keys.filter(|key| key.contains(" /"));
    http.map(|key| {
        let (method, path) = key.split_once(' ').unwrap();
        let path = path.replace("{id}", "c").replace("{messageId}", "m0");
        let path = path.replace("{folder}/{file}", "swagger-ui-dist/index.css");
        (key.clone(), Method::from_bytes(method.as_bytes()).unwrap(), path)
    })
    .collect()
}

async fn somebody(studio: &crate::support::TestStudio) -> User {
    let user = studio.user("alice").await;
    user.conversation("c", &["one", "two"]).await;
    user
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused_except_on_routes_of_the_old_contract() {
    let studio = shared_studio().await;
    let user = somebody(&studio).await;
    for (key, method, path) in routes() {
        let request = user.request(method.clone(), &format!("{path}?{ECHO}={ECHO}"));
        let request = if method == Method::GET { request } else { request.json(&json!({})) };
        let answer = send(request).await;
        let is_page = key.starts_with("GET /docs/");
        let names_query = answer.body["detail"].as_str().is_some_and(|detail| detail.contains("query"));
        let is_refused = answer.status == 422 && names_query;
        assert_eq!(is_refused, !OLD.contains(&key.as_str()) && !is_page, "{key}: {}", answer.text);
        assert!(!answer.text.contains(ECHO), "{key}: {}", answer.text);
    }
    user.conversation("d", &["one", "two"]).await;
    let refused = user.get("/api/conversations/d/messages?limit=1&order=asc&Branch=all").await.expect(422);
    let detail = "The query must have no other parameters than `limit`, `order`, `branch`, `cursor`";
    assert_eq!(refused.body["detail"], detail);
    assert_eq!(user.get("/api/models?x=1").await.expect(422).body["detail"], "This route takes no query");
    user.get("/api/models?").await.expect(200);
    user.get("/api/conversations?limit=1&_=1700000000").await.expect(200);
    let read = user.get("/api/conversations/d?_=1").await.expect(200).body;
    assert_eq!(read["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn every_documented_query_parameter_is_accepted_only_by_its_route() {
    let all = document()["paths"].as_object().unwrap();
    let documented: BTreeSet<&str> = all
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .flat_map(|operation| operation["parameters"].as_array().into_iter().flatten())
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    let known = [
        "archived", "branch", "cursor", "folder", "format", "limit", "messages", "order", "pinned", "tag",
        "view",
    ];
    assert_eq!(documented, BTreeSet::from(known));
}

#[test]
fn every_get_has_a_head() {
    let gets = local::routes(&template()).unwrap().into_iter().filter(|route| route.key.starts_with("GET "));
    let heads = local::heads(&template()).unwrap();
    assert_eq!(gets.collect::<BTreeSet<_>>(), heads.into_iter().collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn a_head_is_answered_as_a_get_without_a_body() {
    let studio = shared_studio().await;
    let user = somebody(&studio).await;
    let of_each_answer = ["x-process-time", "x-request-id", "apigw-requestid", "date", "content-length"];
    for (key, _, path) in routes().into_iter().filter(|(_, method, _)| *method == Method::GET) {
        let [get, head] = [Method::GET, Method::HEAD].map(|method| user.request(method, &path));
        let (get, head) = (send(get).await, send(head).await);
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{key}");
        let names = |answer: &Answer| -> BTreeSet<(String, String)> {
            let headers = answer.headers.iter();
            headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .filter(|(name, _)| !of_each_answer.contains(&name.as_str()))
                .collect()
        };
        assert_eq!(names(&head), names(&get), "{key}");
        let stranger = send(studio.visitor().request(Method::HEAD, &path)).await;
        let asked = send(studio.visitor().request(Method::GET, &path)).await;
        assert_eq!((stranger.status, stranger.text.as_str()), (asked.status, ""), "{key} without a token");
    }
    send(user.request(Method::HEAD, "/api/conversations/none")).await.expect(404);
    send(user.request(Method::HEAD, "/api/chat")).await.expect(404);
}
