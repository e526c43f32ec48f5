//! Registered users.

use std::ops::Deref;

use serde_json::{Value, json};

use super::client::Client;
use super::connection::Connection;

/// The password of every user of these tests.
pub(crate) const PASSWORD: &str = "a long enough passphrase";

/// A registered user with a token.
pub(crate) struct User {
    pub(super) client: Client,
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) username: String,
    pub(super) ws_url: String,
}

/// Requests of a user carry the token.
impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl User {
    /// Opens a connection with the token, and waits for `auth_success`.
    pub(crate) async fn connect(&self) -> Connection {
        let address = format!("{}?token={}", self.ws_url, self.token);
        let mut connection = Connection::open(&address).await.expect("the connection opens");
        connection.next("auth_success").await;
        connection
    }

    /// Opens a connection, unless something goes wrong.
    pub(crate) async fn try_connect(&self) -> Option<Connection> {
        let mut connection = Connection::open(&self.ws_url).await.ok()?;
        connection.try_send(&json!({"type": "auth", "token": self.token})).await.ok()?;
        while connection.try_next().await?["type"] != "auth_success" {}
        Some(connection)
    }

    /// Creates a conversation with this id and these messages of alternating roles.
    pub(crate) async fn conversation(&self, id: &str, messages: &[&str]) -> Value {
        let role = |number: usize| if number.is_multiple_of(2) { "user" } else { "assistant" };
        let messages: Vec<Value> = messages.iter().enumerate().map(|(number, content)| {
            json!({"id": format!("m{number}"), "role": role(number), "content": content, "timestamp": 1_795_300_000_000_u64})
        }).collect();
        let body = json!({"id": id, "title": format!("About {id}"), "messages": messages, "model": "gpt-4",
            "createdAt": 1_795_300_000_000_u64, "updatedAt": 1_795_300_000_000_u64});
        self.post("/api/conversations", &body).await.expect(200).body
    }
}
