//! A revoked session changes nothing, even while an instance still caches it as valid.

use std::time::Duration;

use local::{DynamoDbFault, Target, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Client, PASSWORD, TestStudio, User, dynamodb, eventually, mailed_token, own_studio, send,
};

const NEW_PASSWORD: &str = "another long passphrase";

/// The ways in which a user ends sessions.
#[derive(Clone, Copy, Debug)]
enum Revocation {
    ByMail,
    Everywhere,
    Own,
}

impl Revocation {
    /// Revokes the session of `user`, and returns the password afterwards.
    async fn of(self, studio: &TestStudio, user: &User) -> &'static str {
        match self {
            Self::ByMail => {
                let email = format!("{}@example.com", user.username);
                let visitor = studio.visitor();
                visitor.post("/api/auth/password/forgot", &json!({"email": email})).await.expect(200);
                let mailed = mailed_token(studio, &email, "reset-password", &[]).await;
                warm(user).await;
                let reset = json!({"token": mailed, "new_password": NEW_PASSWORD});
                visitor.post("/api/auth/password/reset", &reset).await.expect(200);
                NEW_PASSWORD
            }
            Self::Everywhere => {
                user.post("/api/auth/logout-all", &json!({})).await.expect(200);
                PASSWORD
            }
            Self::Own => {
                user.post("/api/auth/logout", &json!({})).await.expect(200);
                PASSWORD
            }
        }
    }
}

/// Lets the instance cache the session as valid.
async fn warm(client: &Client) {
    for _ in 0..3 {
        client.post("/api/auth/ws-ticket", &json!({})).await.expect(200);
    }
}

/// Every request that writes a credential, an address or a second factor, or that deletes the account.
async fn attempts(client: &Client, key: &str, session: &str, password: &str) -> Vec<(String, Answer)> {
    let with_password = json!({"password": password});
    let requests = [
        (Method::POST, "/api/auth/keys".to_owned(), json!({"name": "stays"})),
        (Method::POST, "/api/auth/keys".to_owned(), json!({"name": "stays", "password": password})),
        (Method::DELETE, format!("/api/auth/keys/{key}"), json!({})),
        (Method::PATCH, "/api/auth/me".to_owned(), json!({"email": "eve@example.com", "password": password})),
        (Method::PATCH, "/api/auth/me".to_owned(), json!({"display_name": "Eve"})),
        (Method::POST, "/api/auth/totp".to_owned(), with_password.clone()),
        (Method::POST, "/api/auth/totp/confirm".to_owned(), json!({"code": "000000"})),
        (Method::DELETE, "/api/auth/totp".to_owned(), with_password.clone()),
        (
            Method::PUT,
            "/api/auth/password".to_owned(),
            json!({"old_password": password, "new_password": "a thief's own passphrase"}),
        ),
        (Method::DELETE, format!("/api/auth/sessions/{session}"), json!({})),
        (Method::POST, "/api/auth/logout-all".to_owned(), json!({})),
        (Method::POST, "/api/auth/email/verify".to_owned(), json!({})),
        (Method::DELETE, "/api/auth/me".to_owned(), with_password),
    ];
    let mut answers = Vec::new();
    for (method, path, body) in requests {
        let what = format!("{method} {path}");
        answers.push((what, send(client.request(method, &path).json(&body)).await));
    }
    answers
}

/// The item of the user, without the attributes that a login changes.
async fn account(studio: &TestStudio, user: &User) -> Value {
    let key = json!({"pk": {"S": format!("USER#{}", user.id)}, "sk": {"S": "USER"}});
    let read = json!({"TableName": "StudioTable", "Key": key, "ConsistentRead": true});
    dynamodb(studio, "GetItem", &read).await["Item"].clone()
}

#[tokio::test]
async fn a_revoked_session_cannot_change_credentials() {
    let studio = own_studio().await;
    for (name, revocation) in
        [("ada", Revocation::ByMail), ("bob", Revocation::Everywhere), ("cleo", Revocation::Own)]
    {
        let user = studio.user(name).await;
        let key = user.post("/api/auth/keys", &json!({"name": "x"})).await.expect(200).body;
        let credentials = json!({"username": name, "password": PASSWORD});
        let other = studio.visitor().post("/api/auth/login", &credentials).await.expect(200).body;
        user.post("/api/auth/totp", &json!({"password": PASSWORD})).await.expect(200);
        warm(&user).await;
        let password = revocation.of(&studio, &user).await;
        let before = account(&studio, &user).await;
        let (key, session) = (key["id"].as_str().unwrap(), other["session_id"].as_str().unwrap());
        for (what, answer) in attempts(&user, key, session, password).await {
            assert_eq!(answer.status, 401, "{what} after {revocation:?}: {}", answer.text);
        }
        assert_eq!(account(&studio, &user).await, before, "{revocation:?}");
    }
}

#[tokio::test]
async fn a_write_that_began_before_the_revocation_of_its_session_fails() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let credentials = json!({"username": "ada", "password": PASSWORD});
    let thief = studio.visitor().post("/api/auth/login", &credentials).await.expect(200).body;
    let thief = ada.with_token(thief["access_token"].as_str().unwrap());
    let writes = [
        (Method::POST, "/api/auth/keys", json!({"name": "stays"})),
        (Method::PATCH, "/api/auth/me", json!({"email": "eve@example.com", "password": PASSWORD})),
        (Method::POST, "/api/auth/totp", json!({"password": PASSWORD})),
        (
            Method::PUT,
            "/api/auth/password",
            json!({"old_password": PASSWORD, "new_password": "a thief's own passphrase"}),
        ),
        (Method::DELETE, "/api/auth/me", json!({"password": PASSWORD})),
    ];
    // Each request has read the valid session and waits before it writes.
    let (delay, times) = (DynamoDbFault::Delay(Duration::from_secs(2)), When::Times(5));
    studio.faults().dynamodb(delay, Target::operation("TransactWriteItems"), times);
    let writing = writes.map(|(method, path, body)| {
        let request = thief.request(method, path).json(&body);
        tokio::spawn(async move { (path, send(request).await) })
    });
    eventually("all are about to write", || async { (studio.faults().struck() == 5).then_some(()) }).await;
    ada.post("/api/auth/logout-all", &json!({})).await.expect(200);
    let before = account(&studio, &ada).await;
    for written in writing {
        let (path, answer) = written.await.unwrap();
        assert_eq!(answer.status, 401, "{path}: {}", answer.text);
    }
    assert_eq!(account(&studio, &ada).await, before);
}
