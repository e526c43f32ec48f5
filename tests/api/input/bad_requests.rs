//! Invalid input on the routes of conversations. One table lists all routes and fields with invalid values.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::input::bad_routes::{ECHO, ROUTES_OF, routes};
use crate::support::{Answer, TestStudio, User, send, shared_studio};

/// Checks that an answer refuses a request with one of these statuses, gives a reason, and does not echo the input.
#[track_caller]
fn assert_refused(answer: &Answer, statuses: &[u16], what: &str) {
    let what: String = what.chars().take(300).collect();
    assert!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    let reason = answer.body["detail"].as_str().unwrap_or_default();
    assert!((1..500).contains(&reason.len()), "{what}: {}", answer.text);
    assert!(!answer.text.contains(ECHO), "{what}: {}", answer.text);
}

/// A user with a conversation of two branches, and everything the user can read.
async fn scene(studio: &TestStudio) -> (User, [Value; 4]) {
    let user = studio.user("alice").await;
    user.conversation("kept", &["as", "it", "is"]).await;
    let sibling = json!({"id": "sibling", "role": "user", "content": "Other", "parentId": "m0"});
    user.post("/api/conversations/kept/messages", &sibling).await.expect(200);
    let before = view(&user).await;
    (user, before)
}

async fn view(user: &User) -> [Value; 4] {
    let mut parts = Vec::new();
    for path in
        ["/api/auth/me", "/api/conversations", "/api/conversations/kept?branch=all", "/api/stats/detailed"]
    {
        parts.push(user.get(path).await.expect(200).body);
    }
    parts.try_into().unwrap()
}

#[test]
fn the_table_covers_every_conversation_route_and_field() {
    let template = std::fs::read_to_string(format!("{}/template.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let of_conversations = |key: &String| {
        key.split_once(' ').is_some_and(|(_, path)| ROUTES_OF.iter().any(|it| path.starts_with(it)))
    };
    let there = local::routes(&template).unwrap().into_iter().map(|route| route.key);
    let there: BTreeSet<String> = there.filter(of_conversations).collect();
    let table = routes();
    assert_eq!(table.iter().map(|route| route.key.to_owned()).collect::<BTreeSet<_>>(), there);
    for route in &table {
        match route.method() {
            Method::GET => {
                assert!(!route.queries.is_empty(), "{}: what does it read of the query?", route.key);
            }
            Method::PUT | Method::PATCH => assert!(!route.fields.is_empty(), "{}: its body?", route.key),
            Method::POST => {
                assert!(!route.fields.is_empty() || route.key.ends_with("/stop"), "{}", route.key);
            }
            _ => {}
        }
        let changes = [Method::PUT, Method::PATCH, Method::DELETE].contains(&route.method());
        assert!(!changes || route.headers.contains(&"if-match"), "{}: If-Match?", route.key);
    }
}

#[tokio::test]
async fn an_invalid_query_parameter_is_refused_by_name() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    for route in routes() {
        for (name, values) in &route.queries {
            for value in values {
                let path = format!("{}?{name}={value}", route.path());
                let answer = send(user.request(route.method(), &path)).await;
                assert_refused(&answer, &[422], &path);
                assert_eq!(answer.body["errors"][0]["field"], *name, "{path}: {}", answer.text);
            }
        }
    }
    // A cursor works only for the list and the user that it was given to.
    let page = user.get("/api/conversations/kept/messages?limit=1").await.expect(200);
    let link = page.header("link").split_once("cursor=").unwrap().1.split('>').next().unwrap().to_owned();
    for route in routes() {
        let reads = route.queries.iter().any(|(name, _)| *name == "cursor");
        if reads && !route.key.ends_with("/messages") {
            let path = format!("{}?cursor={link}", route.path());
            assert_refused(&send(user.request(route.method(), &path)).await, &[422], &path);
        }
    }
    let other = studio.user("bob").await;
    other.conversation("kept", &["his"]).await;
    let path = format!("/api/conversations/kept/messages?limit=1&cursor={link}");
    assert_refused(&other.get(&path).await, &[422], "another user's cursor");
    user.get(&path).await.expect(200);
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn an_invalid_value_is_refused_in_every_body_field() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    for route in routes() {
        for (field, values) in &route.fields {
            for value in values {
                let mut body = if field.is_empty() { value.clone() } else { route.good.clone() };
                put_at(&mut body, field, value);
                let answer = send(user.request(route.method(), &route.path()).json(&body)).await;
                assert_refused(&answer, &[422], &format!("{} {field} {value}", route.key));
            }
        }
        if route.strict {
            let mut body = route.good.clone();
            body[ECHO] = json!(ECHO);
            let answer = send(user.request(route.method(), &route.path()).json(&body)).await;
            assert_eq!(answer.status, 422, "{}: a field that it does not know: {}", route.key, answer.text);
        }
    }
    assert_eq!(view(&user).await, before);
}

/// Sets the value at a JSON pointer, and creates missing fields.
fn put_at(body: &mut Value, pointer: &str, value: &Value) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    body.pointer_mut(parent).unwrap()[name] = value.clone();
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_wherever_a_body_is_read() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for route in routes().iter().filter(|route| !route.good.is_null()) {
        let ask = async |content_type: &str, body: Vec<u8>| {
            send(user.request(route.method(), &route.path()).header(CONTENT_TYPE, content_type).body(body))
                .await
        };
        let good = route.good.to_string();
        for text in [
            "",
            "{",
            ECHO,
            "null",
            "7",
            "true",
            "\"x\"",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "[1,]",
            &nested(33),
            &nested(50_000),
        ] {
            let answer = ask("application/json", text.as_bytes().to_vec()).await;
            if route.key == "POST /api/import" && text.starts_with("[[") {
                // An entry that is nested too deep is reported by position.
                assert_eq!((answer.status, &answer.body["imported"]), (200, &json!(0)), "{}", answer.text);
                assert_eq!(answer.body["errors"][0]["position"], 0, "{}", answer.text);
                continue;
            }
            assert_refused(&answer, &[422], &format!("{} {text}", route.key));
        }
        for bytes in [b"\xff\xfe{\0}\0".to_vec(), b"{\"title\":\"\xff\"}".to_vec(), vec![0; 100]] {
            assert_refused(&ask("application/json", bytes).await, &[422], route.key);
        }
        let twice = ask("application/json", format!("{good}{good}").into_bytes()).await;
        assert_refused(&twice, &[422], route.key);
        for content_type in ["text/plain", "application/jsonx", ""] {
            let answer = ask(content_type, good.clone().into_bytes()).await;
            assert_refused(&answer, &[415], &format!("{} as {content_type}", route.key));
        }
        let most = if route.key.ends_with("/fork") { 256 * 1024 } else { 4 * 1024 * 1024 };
        let large = format!("{}{good}", " ".repeat(most));
        assert_refused(&ask("application/json", large.into_bytes()).await, &[413], route.key);
    }
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn an_invalid_header_is_refused_and_an_invalid_etag_matches_nothing() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    let binary = HeaderValue::from_bytes(b"\"\xff\xfe\"").unwrap();
    for route in routes() {
        for name in route.headers {
            let ask = async |value: HeaderValue| {
                send(route.request(&user, &route.path()).header(*name, value)).await
            };
            let what = |value: &str| format!("{} {name}: {value}", route.key);
            assert_refused(&ask(binary.clone()).await, &[422], &what("binary"));
            let (bad, status): (Vec<String>, u16) = match *name {
                "if-match" => {
                    let bad = [
                        "",
                        "x",
                        "1.ECHO7f3a",
                        "W/\"1.a\"",
                        "\"",
                        "\"\"",
                        "\"ECHO7f3a\"",
                        "\"1\", \"2\"",
                        ",,,",
                        "**",
                    ];
                    (bad.map(str::to_owned).to_vec(), 412)
                }
                _ => (vec![String::new(), "a b".to_owned(), "x".repeat(129), format!("{ECHO} ü")], 422),
            };
            for value in bad {
                let answer = ask(HeaderValue::from_bytes(value.as_bytes()).unwrap()).await;
                let statuses = if value.is_ascii() { [status, status] } else { [status, 422] };
                assert_refused(&answer, &statuses, &what(&value));
            }
        }
    }
    // Invalid tags in `If-None-Match` are ignored.
    for value in ["", "x", "\"", "\"ECHO7f3a\"", ",,"] {
        let path = "/api/conversations/kept";
        send(user.request(Method::GET, path).header("if-none-match", value)).await.expect(200);
    }
    assert_eq!(view(&user).await, before);
}

#[tokio::test]
async fn an_impossible_id_is_not_found() {
    let studio = shared_studio().await;
    let (user, before) = scene(&studio).await;
    for route in routes().iter().filter(|route| route.key.contains('{')) {
        for id in ["\0", "a\nb", "\u{7f}", &"x".repeat(129), &ECHO.repeat(600)] {
            let mut paths = vec![route.path_with(id, "m0")];
            if route.key.contains("{messageId}") {
                paths.push(route.path_with("kept", id));
            }
            for path in paths {
                let answer = send(route.request(&user, &path)).await;
                assert_refused(&answer, &[404], &format!("{} {path}", route.key));
            }
        }
    }
    assert_eq!(view(&user).await, before);
}
