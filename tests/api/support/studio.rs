//! The studios of tests.
use std::net::IpAddr;
use std::ops::Deref;

use local::{Options, Studio};
use serde_json::json;

use super::answer::Answer;
use super::client::Client;
use super::conform::send;
use super::connection::Connection;
use super::deployed::{Deployment, deployment, unique};
use super::user::{PASSWORD, User};

/// A studio: a local one that is stopped with the test, or a deployed one.
pub(crate) struct TestStudio {
    local: Option<Studio>,
    at: Deployment,
    client: reqwest::Client,
}

/// Faults, logs, instances and the rest are those of the local studio.
impl Deref for TestStudio {
    type Target = Studio;

    fn deref(&self) -> &Studio {
        self.local.as_ref().expect("a test that looks into a studio has a local one")
    }
}

/// A studio in memory, whose offline model does not dawdle.
pub(crate) async fn studio() -> TestStudio {
    match deployment() {
        Some(at) => TestStudio { local: None, at, client: reqwest::Client::new() },
        None => studio_with(|options| options).await,
    }
}

/// The same with other options.
pub(crate) async fn studio_with(change: impl FnOnce(Options) -> Options) -> TestStudio {
    let options =
        change(Options::default().variable("OFFLINE_TOKEN_DELAY_MS", "1").variable("RATE_LIMIT", "0"));
    let studio = Studio::start(options).await.expect("the studio starts");
    let at = Deployment { url: studio.url(), ws_url: studio.ws_url() };
    TestStudio { local: Some(studio), at, client: reqwest::Client::new() }
}

impl TestStudio {
    /// Somebody without a token.
    pub(crate) fn visitor(&self) -> Client {
        Client { client: self.client.clone(), url: self.at.url.clone(), token: None }
    }

    /// Somebody without a token at another address of this machine, `127.x.y.z`.
    pub(crate) fn visitor_at(&self, address: [u8; 4]) -> Client {
        let client = reqwest::Client::builder().local_address(IpAddr::from(address)).build();
        Client { client: client.expect("a client"), ..self.visitor() }
    }

    /// A new user with this name (and something behind it, where others may have it), and a password that is not told.
    pub(crate) async fn user(&self, username: &str) -> User {
        let username = &if self.local.is_some() { username.to_owned() } else { unique(username) };
        let registration = json!({
            "username": username, "email": format!("{username}@example.com"), "password": PASSWORD,
        });
        let answer = self.visitor().post("/api/auth/register", &registration).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let token = answer.body["access_token"].as_str().expect("a token").to_owned();
        let client = Client { token: Some(token.clone()), ..self.visitor() };
        let me = client.get("/api/auth/me").await;
        let id = me.body["id"].as_str().expect("an id").to_owned();
        User { client, id, token, username: username.to_owned(), ws_url: self.at.ws_url.clone() }
    }

    /// A connection that has not authenticated.
    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(&self.at.ws_url).await.expect("the connection opens")
    }

    /// The mails, as the mailbox shows them.
    pub(crate) async fn shown_mails(&self) -> Answer {
        send(self.client.get(self.mailbox_url())).await
    }

    /// Stops everything; data in a folder stays there.
    pub(crate) async fn stop(self) {
        if let Some(studio) = self.local {
            studio.stop().await;
        }
    }
}
