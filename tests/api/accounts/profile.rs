//! Changes of the profile and the password, and tickets for WebSocket connections.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::security::forgeries::{self, Forger};
use crate::support::{
    Connection, PASSWORD, TestStudio, User, dynamodb, eventually, mailed_token, own_studio, studio_with,
};

const NEW_PASSWORD: &str = "another long passphrase";

async fn login(studio: &TestStudio, username: &str, password: &str) -> (u16, Value) {
    let credentials = json!({"username": username, "password": password});
    let answer = studio.visitor().post("/api/auth/login", &credentials).await;
    (answer.status, answer.body)
}

async fn change_password(user: &User, old: &str, new: &str) -> u16 {
    user.put("/api/auth/password", &json!({"old_password": old, "new_password": new})).await.status
}

#[tokio::test]
async fn changing_the_password_requires_the_old_one_and_ends_all_other_sessions() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let (_, other) = login(&studio, "ada", PASSWORD).await;
    let other_token = other["access_token"].as_str().unwrap();
    let mut own = ada.connect().await;
    let mut others = Connection::open(&format!("{}?token={other_token}", studio.ws_url())).await.unwrap();
    others.next("auth_success").await;
    for wrong in ["", "short", NEW_PASSWORD, "A long enough passphrase"] {
        assert_eq!(change_password(&ada, wrong, NEW_PASSWORD).await, 403, "{wrong}");
    }
    assert_eq!(change_password(&ada, PASSWORD, "short").await, 422);
    assert_eq!(change_password(&ada, PASSWORD, NEW_PASSWORD).await, 200);
    others.closed().await;
    eventually("the other session is refused", || async {
        (ada.with_token(other_token).get("/api/stats").await.status == 401).then_some(())
    })
    .await;
    let refresh = json!({"refresh_token": other["refresh_token"]});
    studio.visitor().post("/api/auth/refresh", &refresh).await.expect(401);
    own.send(&json!({"type": "ping"})).await;
    own.next("pong").await;
    ada.get("/api/stats").await.expect(200);
    assert_eq!(login(&studio, "ada", PASSWORD).await.0, 401);
    assert_eq!(login(&studio, "ada", NEW_PASSWORD).await.0, 200);
}

#[tokio::test]
async fn a_profile_is_changed_field_by_field() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let changed = studio_patch(&ada, &json!({"display_name": "Ada 💜"})).await;
    assert_eq!(changed, (200, json!(["ada@example.com", "Ada 💜"])));
    let changed = studio_patch(&ada, &moved("Countess@Example.com")).await;
    assert_eq!(changed, (200, json!(["Countess@Example.com", "Ada 💜"])));
    assert_eq!(ada.get("/api/auth/me").await.expect(200).body["email"], "Countess@Example.com");
    let changed = studio_patch(&ada, &json!({"display_name": null})).await;
    assert_eq!(changed, (200, json!(["Countess@Example.com", null])));
    assert_eq!(ada.get("/api/auth/me").await.expect(200).body.get("display_name"), None);
    for bad in [
        json!({"email": "x"}),
        json!({"display_name": ""}),
        json!({"display_name": 7}),
        json!({"display_name": "a\u{7}"}),
        json!({"username": "eve"}),
        json!([]),
        json!({"email": null, "x": 1}),
    ] {
        assert_eq!(studio_patch(&ada, &bad).await.0, 422, "{bad}");
    }
}

#[tokio::test]
async fn a_new_email_address_or_api_key_requires_the_password_or_a_recent_login() {
    let studio = studio_with(|options| options.variable("SECRET_KEY", forgeries::SECRET)).await;
    let ada = studio.user("ada").await;
    // A session that began a year ago, with a valid token.
    let session = "sess_01KAM0TVT0C9B6JYQ4GXFMWV3H";
    let begin = json!({
        "TableName": "StudioTable", "Key": {"pk": {"S": format!("USER#{}", ada.id)}, "sk": {"S": "USER"}},
        "UpdateExpression": "ADD sessions :old", "ExpressionAttributeValues": {":old": {"SS": [session]}},
    });
    dynamodb(&studio, "UpdateItem", &begin).await;
    let token = Forger::new(&ada.token).with_claim("sid", json!(session));
    let stale = ada.with_token(&token);
    stale.patch("/api/auth/me", &json!({"display_name": "Ada"})).await.expect(200);
    let change = |password: &str| json!({"email": "eve@example.com", "password": password});
    for client in [&stale, &*ada] {
        client.patch("/api/auth/me", &json!({"email": "eve@example.com"})).await.expect(403);
        client.patch("/api/auth/me", &json!({"email": "ADA@example.com"})).await.expect(403);
        client.patch("/api/auth/me", &json!({"email": "ada@example.com"})).await.expect(200);
    }
    let key = json!({"name": "a key outlives its session"});
    stale.post("/api/auth/keys", &key).await.expect(403);
    let mut proven = key.clone();
    proven["password"] = json!("a wrong password");
    stale.post("/api/auth/keys", &proven).await.expect(403);
    proven["password"] = json!(PASSWORD);
    stale.post("/api/auth/keys", &proven).await.expect(200);
    stale.patch("/api/auth/me", &change("a wrong password")).await.expect(403);
    ada.patch("/api/auth/me", &change("a wrong password")).await.expect(403);
    stale.patch("/api/auth/me", &change(PASSWORD)).await.expect(200);
}

/// The body that changes the email address.
fn moved(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

/// Changes the profile: the status, the email address and the display name of the answer.
async fn studio_patch(user: &User, change: &Value) -> (u16, Value) {
    let answer = user.patch("/api/auth/me", change).await;
    (answer.status, json!([answer.body["email"], answer.body["display_name"]]))
}

#[tokio::test]
async fn an_email_address_belongs_to_one_user_and_is_free_once_given_up() {
    let studio = own_studio().await;
    let (ada, bob) = (studio.user("ada").await, studio.user("bob").await);
    assert_eq!(studio_patch(&bob, &moved("ADA@example.com")).await.0, 400);
    assert_eq!(studio_patch(&ada, &moved("ADA@Example.com")).await.0, 200, "one's own, spelled anew");
    assert_eq!(studio_patch(&ada, &moved("countess@example.com")).await.0, 200);
    assert_eq!(studio_patch(&bob, &moved("ada@example.com")).await.0, 200);
    assert_eq!(studio_patch(&ada, &moved("ada@example.com")).await.0, 400);
    let taken = json!({"username": "eve", "email": "Countess@example.com", "password": PASSWORD});
    studio.visitor().post("/api/auth/register", &taken).await.expect(400);
}

#[tokio::test]
async fn a_ticket_opens_one_connection() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let answer = ada.post("/api/auth/ws-ticket", &json!({})).await.expect(200).body;
    assert_eq!(answer["expires_in"], 30);
    let address = format!("{}?ticket={}", studio.ws_url(), answer["ticket"].as_str().unwrap());
    let mut opens = JoinSet::new();
    for _ in 0..8 {
        let address = address.clone();
        opens.spawn(async move { Connection::open(&address).await });
    }
    let (opened, refused): (Vec<_>, Vec<_>) = opens.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((opened.len(), refused.len()), (1, 7));
    assert!(refused.into_iter().all(|refused| refused.err() == Some(401)));
    let mut connection = opened.into_iter().next().unwrap().unwrap();
    assert_eq!(connection.next("auth_success").await["data"]["user_id"], ada.id.as_str());
    let (reply, _) = connection.chat(&json!({"type": "chat", "content": "hello"})).await;
    assert!(reply.contains("AI助手"), "{reply}");
}

#[tokio::test]
async fn no_other_secret_works_as_a_ticket_and_trying_uses_none_up() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let signed_in = json!({"username": "ada", "password": PASSWORD});
    let signed_in = studio.visitor().post("/api/auth/login", &signed_in).await.expect(200).body;
    let key = ada.post("/api/auth/keys", &json!({"name": "x"})).await.expect(200).body["key"].clone();
    let mailed = mailed_token(&studio, "ada@example.com", "verify-email", &[]).await;
    let (key, refresh) = (key.as_str().unwrap(), signed_in["refresh_token"].as_str().unwrap());
    for secret in [key, mailed.as_str(), refresh, ada.token.as_str()] {
        // Also with the prefix of a ticket.
        for ticket in [secret.to_owned(), secret.replacen("mt_", "wt_", 1), format!("wt_{}.{secret}", ada.id)]
        {
            let address = format!("{}?ticket={ticket}", studio.ws_url());
            assert_eq!(Connection::open(&address).await.err(), Some(401), "{ticket}");
        }
    }
    // A ticket does not work as another secret either.
    let ticket = ada.post("/api/auth/ws-ticket", &json!({})).await.expect(200).body["ticket"].clone();
    ada.with_token(ticket.as_str().unwrap()).get("/api/stats").await.expect(401);
    for route in ["/api/auth/email/verify", "/api/auth/password/reset"] {
        for token in [ticket.as_str().unwrap(), key, refresh] {
            let body = match route {
                "/api/auth/email/verify" => json!({"token": token}),
                _ => json!({"token": token, "new_password": NEW_PASSWORD}),
            };
            studio.visitor().post(route, &body).await.expect(422);
        }
    }
    studio.kill_all("AuthFunction");
    ada.with_token(key).get("/api/stats").await.expect(200);
    studio.visitor().post("/api/auth/email/verify", &json!({"token": mailed})).await.expect(200);
    studio.visitor().post("/api/auth/refresh", &json!({"refresh_token": refresh})).await.expect(200);
    Connection::open(&format!("{}?ticket={}", studio.ws_url(), ticket.as_str().unwrap())).await.unwrap();
}

#[tokio::test]
async fn a_ticket_works_only_for_its_user_and_session() {
    let studio = own_studio().await;
    let (ada, bob) = (studio.user("ada").await, studio.user("bob").await);
    let ticket = |answer: Value| answer["ticket"].as_str().unwrap().to_owned();
    let of_ada = ticket(ada.post("/api/auth/ws-ticket", &json!({})).await.expect(200).body);
    let address = format!("{}/{}?ticket={of_ada}", studio.ws_url(), bob.id);
    assert_eq!(Connection::open(&address).await.err(), Some(403));
    let made_up = format!("wt_{}.AAAA", ada.id);
    for bad in ["", "wt_", "wt_AAAA", "wt_x.y", made_up.as_str(), ada.token.as_str()] {
        let address = format!("{}?ticket={bad}", studio.ws_url());
        assert_eq!(Connection::open(&address).await.err(), Some(401), "{bad}");
    }
    let last = ticket(ada.post("/api/auth/ws-ticket", &json!({})).await.expect(200).body);
    ada.post("/api/auth/logout", &json!({})).await.expect(200);
    assert_eq!(Connection::open(&format!("{}?ticket={last}", studio.ws_url())).await.err(), Some(401));
    studio.visitor().post("/api/auth/ws-ticket", &json!({})).await.expect(401);
}
