//! Registration, login, and the caller's own profile.

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, own_studio, send, shared_studio, studio_with};

/// A signing secret for two studios.
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778";

/// A valid registration.
fn registration(username: &str, email: &str) -> Value {
    json!({"username": username, "email": email, "password": PASSWORD})
}

/// The fields of an object, sorted.
fn fields(body: &Value) -> Vec<&str> {
    let mut fields: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}

/// Checks the answer of a registration or login, and returns the token.
#[track_caller]
fn token_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["token_type"], "bearer");
    assert_eq!(answer.body["expires_in"], 1800);
    assert!(!answer.text.contains("argon2") && !answer.text.contains(PASSWORD), "{}", answer.text);
    answer.body["access_token"].as_str().unwrap().to_owned()
}

/// Checks that an answer refuses credentials or a token.
#[track_caller]
fn assert_unauthorized(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.text);
    assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
    assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}");
}

/// Routes that require a token, with a body where they read one.
fn authenticated_routes() -> Vec<(Method, &'static str, Value)> {
    let conversation = json!({"id": "c", "title": "T", "messages": []});
    vec![
        (Method::GET, "/api/auth/me", Value::Null),
        (Method::GET, "/api/conversations", Value::Null),
        (Method::POST, "/api/conversations", conversation.clone()),
        (Method::GET, "/api/conversations/c", Value::Null),
        (Method::PUT, "/api/conversations/c", conversation),
        (Method::DELETE, "/api/conversations/c", Value::Null),
        (Method::POST, "/api/chat", json!({"messages": [{"role": "user", "content": "hello"}]})),
        (Method::GET, "/api/stats", Value::Null),
        (Method::GET, "/api/stats/detailed", Value::Null),
    ]
}

async fn ask(client: &Client, method: &Method, path: &str, body: &Value) -> Answer {
    let request = client.request(method.clone(), path);
    send(if body.is_null() { request } else { request.json(body) }).await
}

#[tokio::test]
async fn a_registered_user_can_log_in_and_read_the_profile() {
    let studio = own_studio().await;
    let visitor = studio.visitor();
    let registered = visitor.post("/api/auth/register", &registration("Alice", "Alice@Example.com")).await;
    let token = token_of(&registered);
    let login = json!({"username": "Alice", "password": PASSWORD});
    let again = token_of(&visitor.post("/api/auth/login", &login).await);
    assert_ne!(token, again, "each session has a token of its own");
    let other_case = json!({"username": "ALICE", "password": PASSWORD});
    let third = token_of(&visitor.post("/api/auth/login", &other_case).await);
    let mut profiles = Vec::new();
    for token in [token, again, third] {
        let me = visitor.with_token(&token).get("/api/auth/me").await.expect(200);
        assert_eq!(
            fields(&me.body),
            ["created_at", "email", "email_verified", "id", "totp_enabled", "username"]
        );
        assert_eq!((&me.body["username"], &me.body["email"]), (&json!("Alice"), &json!("Alice@Example.com")));
        assert!(me.body["id"].as_str().unwrap().starts_with("user_"));
        let created = me.body["created_at"].as_str().unwrap();
        assert!(created.len() == 24 && created.ends_with('Z') && created.contains('T'), "{created}");
        let lower = me.text.to_lowercase();
        assert!(!lower.contains("password") && !lower.contains("hash") && !lower.contains("argon2"));
        profiles.push(me.body);
    }
    profiles.dedup();
    assert_eq!(profiles.len(), 1, "every session sees the same profile");
}

#[tokio::test]
async fn the_password_in_the_old_documents_works() {
    let studio = own_studio().await;
    let body = json!({"username": "tester", "email": "tester@example.com", "password": "password123"});
    token_of(&studio.visitor().post("/api/auth/register", &body).await);
    let login = json!({"username": "tester", "password": "password123", "remember": true});
    token_of(&studio.visitor().post("/api/auth/login", &login).await);
}

#[tokio::test]
async fn a_taken_username_or_email_is_refused_however_it_is_spelled() {
    let studio = own_studio().await;
    let visitor = studio.visitor();
    token_of(&visitor.post("/api/auth/register", &registration("Straße.1", "Bob@example.com")).await);
    let names = ["Straße.1", "STRAẞE.1", "ｓｔｒａße.１", "straße.①"];
    for (number, name) in names.iter().enumerate() {
        let answer =
            visitor.post("/api/auth/register", &registration(name, &format!("{number}@x.org"))).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("username_taken")), "{}", answer.text);
        assert!(answer.body["detail"].as_str().unwrap().to_lowercase().contains("username"));
    }
    for (number, email) in ["Bob@example.com", "bob@EXAMPLE.com", "ｂｏｂ@example.com"].iter().enumerate()
    {
        let answer = visitor.post("/api/auth/register", &registration(&format!("bob{number}"), email)).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("email_taken")), "{}", answer.text);
        assert!(answer.body["detail"].as_str().unwrap().to_lowercase().contains("email"));
    }
    // A refused registration takes neither the name nor the address.
    token_of(&visitor.post("/api/auth/register", &registration("bob0", "0@x.org")).await);
}

#[tokio::test]
async fn of_forty_concurrent_registrations_with_one_name_or_email_exactly_one_succeeds() {
    let studio = own_studio().await;
    let visitor = studio.visitor();
    let same_name: Vec<Value> =
        (0..40).map(|number| registration("onename", &format!("n{number}@example.com"))).collect();
    let same_email: Vec<Value> =
        (0..40).map(|number| registration(&format!("name{number}"), "one@example.com")).collect();
    for (registrations, code) in [(same_name, "username_taken"), (same_email, "email_taken")] {
        let all = registrations.iter().map(|body| visitor.post("/api/auth/register", body));
        let (won, lost): (Vec<_>, Vec<_>) =
            join_all(all).await.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1, "exactly one registration wins");
        for answer in lost {
            assert_eq!((answer.status, &answer.body["code"]), (400, &json!(code)), "{}", answer.text);
        }
        visitor.with_token(&token_of(&won[0])).get("/api/auth/me").await.expect(200);
    }
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let studio = own_studio().await;
    studio.user("alice").await;
    let wrong = ["alice", "nobody", "a", "no such name!"].map(|name| (name, "not the passphrase"));
    let odd = [
        ("alice", "short"),
        ("alice", ""),
        ("", "not the passphrase"),
        ("alice", "A LONG ENOUGH PASSPHRASE"),
    ];
    let mut answers = Vec::new();
    for (username, password) in wrong.into_iter().chain(odd) {
        let body = json!({"username": username, "password": password});
        let answer = studio.visitor().post("/api/auth/login", &body).await;
        assert_unauthorized(&answer, username);
        let id = answer.body["request_id"].as_str().unwrap();
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        answers.push((answer.text.replace(id, "ID"), names));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_registration_or_login_that_breaks_a_rule_is_422_and_names_the_field() {
    let studio = own_studio().await;
    let visitor = studio.visitor();
    let bad = [
        ("username", json!("ab")),
        ("username", json!("x".repeat(33))),
        ("username", json!("with blank")),
        ("username", json!("slash/ed")),
        ("username", json!("...")),
        ("username", json!(7)),
        ("email", json!("nowhere")),
        ("email", json!("a@b")),
        ("email", json!("a b@example.com")),
        ("email", json!(format!("{}@example.com", "x".repeat(250)))),
        ("password", json!("seven77")),
        ("password", json!("x".repeat(257))),
        ("password", json!(null)),
    ];
    for (field, value) in bad {
        let mut body = registration("carol", "carol@example.com");
        body[field] = value;
        let answer = visitor.post("/api/auth/register", &body).await.expect(422);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.body["detail"].as_str().unwrap().starts_with(field), "{}", answer.text);
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.text);
    }
    for field in ["username", "email", "password"] {
        let mut body = registration("carol", "carol@example.com");
        body.as_object_mut().unwrap().remove(field);
        let answer = visitor.post("/api/auth/register", &body).await.expect(422);
        assert!(answer.body["detail"].as_str().unwrap().contains(field), "{}", answer.text);
        if field != "email" {
            let answer = visitor.post("/api/auth/login", &body).await.expect(422);
            assert!(answer.body["detail"].as_str().unwrap().contains(field), "{}", answer.text);
        }
    }
    // Refused registrations reserve neither name nor address. Values at the limit are accepted.
    token_of(&visitor.post("/api/auth/register", &registration("carol", "carol@example.com")).await);
    token_of(&visitor.post("/api/auth/register", &registration("x用户", "x.y+z@sub.example.com")).await);
    token_of(&visitor.post("/api/auth/register", &registration(&"x".repeat(32), "用户@例子.公司")).await);
}

#[tokio::test]
async fn without_a_valid_token_every_personal_route_is_401() {
    let (studio, elsewhere) =
        (shared_studio().await, studio_with(|o| o.variable("SECRET_KEY", SECRET)).await);
    let (user, foreigner) = (studio.user("alice").await, elsewhere.user("alice").await);
    let parts: Vec<&str> = user.token.split('.').collect();
    let (middle, _) = user.token.split_at(user.token.len() / 2);
    let values = [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        "Bearer a.b.c".to_owned(),
        format!("Basic {}", user.token),
        user.token.clone(),
        format!("Bearer {middle}"),
        format!("Bearer {}x", user.token),
        format!("Bearer {}.{}.", parts[0], parts[1]),
        format!("Bearer {} {}", user.token, user.token),
        format!("Bearer {}", foreigner.token),
        format!("Bearer {}", "x".repeat(7000)),
    ];
    let visitor = studio.visitor();
    for (method, path, body) in authenticated_routes() {
        assert_unauthorized(&ask(&visitor, &method, path, &body).await, path);
        assert_unauthorized(&ask(&visitor.with_token(&foreigner.token), &method, path, &body).await, path);
    }
    for value in &values {
        let request = visitor.request(Method::GET, "/api/auth/me").header(AUTHORIZATION, value);
        assert_unauthorized(&send(request).await, value);
    }
    // The case of the scheme does not matter.
    for value in [format!("Bearer {}", user.token), format!("bearer {}", user.token)] {
        send(visitor.request(Method::GET, "/api/auth/me").header(AUTHORIZATION, value)).await.expect(200);
    }
}

#[tokio::test]
async fn an_expired_token_is_401() {
    let with_secret = |o: local::Options| o.variable("SECRET_KEY", SECRET);
    let brief = studio_with(|o| with_secret(o).variable("ACCESS_TOKEN_EXPIRE_MINUTES", "0")).await;
    let visitor = brief.visitor();
    let registered = visitor.post("/api/auth/register", &registration("alice", "a@example.com")).await;
    let token = registered.expect(200).body["access_token"].as_str().unwrap().to_owned();
    assert_unauthorized(&visitor.with_token(&token).get("/api/auth/me").await, "me");
    assert_unauthorized(&visitor.with_token(&token).get("/api/stats").await, "stats");
}

#[tokio::test]
async fn the_token_of_a_missing_user_is_404_on_the_profile_and_401_elsewhere() {
    let with_secret = |o: local::Options| o.variable("SECRET_KEY", SECRET);
    let before = studio_with(with_secret).await;
    let token = before.user("alice").await.token.clone();
    before.stop().await;
    let after = studio_with(with_secret).await;
    let ghost = after.visitor().with_token(&token);
    for (method, path, body) in authenticated_routes() {
        let answer = ask(&ghost, &method, path, &body).await;
        if path == "/api/auth/me" {
            assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{}", answer.text);
        } else {
            assert_unauthorized(&answer, path);
        }
    }
}

#[tokio::test]
async fn a_login_accepts_the_email_address_however_it_is_spelled() {
    let studio = shared_studio().await;
    let visitor = studio.visitor();
    let registration = json!({"username": "ada ", "email": " Ada@München.example\n", "password": PASSWORD});
    let registered = token_of(&visitor.post("/api/auth/register", &registration).await);
    let id = visitor.with_token(&registered).get("/api/auth/me").await.expect(200).body["id"].clone();
    let taken = json!({"username": "eve", "email": "ada@xn--mnchen-3ya.example", "password": PASSWORD});
    visitor.post("/api/auth/register", &taken).await.expect(400);
    for login in [
        "ada",
        "Ada@München.example",
        "ada@münchen.example",
        "ADA@XN--MNCHEN-3YA.example",
        "\u{feff} ada@münchen.example ",
    ] {
        let token = token_of(
            &visitor.post("/api/auth/login", &json!({"username": login, "password": PASSWORD})).await,
        );
        let me = visitor.with_token(&token).get("/api/auth/me").await.expect(200).body;
        assert_eq!(
            (&me["id"], &me["username"], &me["email"]),
            (&id, &json!("ada"), &json!("Ada@München.example")),
            "{login}"
        );
    }
    let wrong = |login: &str| json!({"username": login, "password": "a wrong password"});
    let known = visitor.post("/api/auth/login", &wrong("ada@münchen.example")).await.expect(401);
    let unknown = visitor.post("/api/auth/login", &wrong("eve@münchen.example")).await.expect(401);
    assert_eq!(
        (&known.body["code"], &known.body["detail"]),
        (&unknown.body["code"], &unknown.body["detail"])
    );
    let blocked = visitor.post("/api/auth/login", &json!({"username": "a@b@c", "password": PASSWORD})).await;
    assert_eq!(blocked.status, 401);
}
