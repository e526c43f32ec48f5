//! The studios of tests.

use std::net::IpAddr;
use std::ops::Deref;

use local::{Options, Studio};
use serde_json::json;

use super::answer::Answer;
use super::client::Client;
use super::conform::send;
use super::connection::Connection;
use super::deployed::{Deployment, deployment};
use super::shared::{own_address, shared, unique};
use super::user::{PASSWORD, User};

/// A studio that a test uses: one of its own, or one that it shares with other tests.
pub(crate) struct TestStudio {
    own: Option<Studio>,
    at: Deployment,
    client: reqwest::Client,
}

/// A test that has a studio of its own can look inside, let something fail, and kill instances.
impl Deref for TestStudio {
    type Target = Studio;

    fn deref(&self) -> &Studio {
        self.own.as_ref().expect("a test that looks inside its studio starts it with `own_studio`")
    }
}

/// A studio that other tests use at the same time: the deployed one if there is one, else the one of this process.
/// Names of users are made unique, and each test has an address of its own.
pub(crate) async fn shared_studio() -> TestStudio {
    deployed_studio().unwrap_or_else(|| TestStudio {
        own: None,
        at: Deployment::of(shared()),
        client: client_at(own_address()),
    })
}

/// A studio for a test that would slow others down: the deployed one if there is one, else one of the test's own.
pub(crate) async fn busy_studio() -> TestStudio {
    match deployed_studio() {
        Some(studio) => studio,
        None => own_studio().await,
    }
}

fn deployed_studio() -> Option<TestStudio> {
    deployment().map(|at| TestStudio { own: None, at, client: reqwest::Client::new() })
}

/// A studio that no other test uses, and that stops with the test.
pub(crate) async fn own_studio() -> TestStudio {
    studio_with(|options| options).await
}

/// A studio of the test's own with other options.
pub(crate) async fn studio_with(change: impl FnOnce(Options) -> Options) -> TestStudio {
    let studio = Studio::start(change(options(Options::default()))).await.expect("the studio starts");
    TestStudio { at: Deployment::of(&studio), own: Some(studio), client: reqwest::Client::new() }
}

/// A studio of the test's own whose offline model takes so many milliseconds for a token.
pub(crate) async fn slow_studio(token_delay_ms: u32) -> TestStudio {
    studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", token_delay_ms.to_string())).await
}

/// The options of every studio: an offline model that answers fast, and no limit on requests.
pub(super) fn options(options: Options) -> Options {
    options.variable("OFFLINE_TOKEN_DELAY_MS", "1").variable("RATE_LIMIT", "0")
}

/// An HTTP client whose requests come from this address of the machine.
fn client_at(address: IpAddr) -> reqwest::Client {
    reqwest::Client::builder().local_address(address).build().expect("a client")
}

impl TestStudio {
    /// The address of the WebSocket API.
    pub(crate) fn ws_url(&self) -> &str {
        &self.at.ws_url
    }

    /// A client without a token.
    pub(crate) fn visitor(&self) -> Client {
        Client { client: self.client.clone(), url: self.at.url.clone(), token: None }
    }

    /// A client without a token at another address of this machine, `127.x.y.z`.
    pub(crate) fn visitor_at(&self, address: [u8; 4]) -> Client {
        Client { client: client_at(address.into()), ..self.visitor() }
    }

    /// Registers a user. In a shared studio the name is made unique; [`User::username`] tells it.
    pub(crate) async fn user(&self, username: &str) -> User {
        let username = if self.own.is_some() { username.to_owned() } else { unique(username) };
        let registration = json!({
            "username": username, "email": format!("{username}@example.com"), "password": PASSWORD,
        });
        let answer = self.visitor().post("/api/auth/register", &registration).await.expect(200);
        let token = answer.body["access_token"].as_str().expect("a token").to_owned();
        let client = Client { token: Some(token.clone()), ..self.visitor() };
        let me = client.get("/api/auth/me").await;
        let id = me.body["id"].as_str().expect("an id").to_owned();
        User { client, id, token, username, ws_url: self.at.ws_url.clone() }
    }

    /// A connection that has not authenticated.
    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(&self.at.ws_url).await.expect("the connection opens")
    }

    /// The mails that the studio has sent, as its mailbox answers them.
    pub(crate) async fn shown_mails(&self) -> Answer {
        send(self.client.get(self.mailbox_url())).await
    }

    /// Stops the studio. Data in a folder stays there.
    pub(crate) async fn stop(self) {
        if let Some(studio) = self.own {
            studio.stop().await;
        }
    }
}
