//! Somebody with a token, whose requests are metered.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use local::Studio;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Measured, benchmark};

pub(crate) struct Caller<'a> {
    studio: &'a Studio,
    client: reqwest::Client,
    token: String,
    /// When the function of statistics, or of conversations, has looked at the user.
    refreshed: Mutex<HashMap<bool, Instant>>,
}

impl<'a> Caller<'a> {
    /// A new user with this name.
    pub(crate) async fn register(studio: &'a Studio, name: &str) -> Self {
        let (client, token) = (reqwest::Client::new(), benchmark::register(studio, name).await);
        Self { studio, client, token, refreshed: Mutex::default() }
    }

    /// Sends a request, which must succeed.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.client.request(method.clone(), format!("{}{path}", self.studio.url()));
        let request = request.bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// What a request costs beyond the look at the token's user, which the function's only instance has just had.
    pub(crate) async fn cost(&self, method: Method, path: &str, body: &Value) -> Measured {
        self.refresh(path.starts_with("/api/stats")).await;
        self.studio.reset_meter();
        self.send(method, path, body).await;
        Measured::from(self.studio.meter())
    }

    /// Asks until the function has looked at the user anew, which it does every four seconds, unless it did a moment
    /// ago.
    async fn refresh(&self, stats: bool) {
        let fresh = |at: &Instant| at.elapsed() < Duration::from_secs(2);
        if self.refreshed.lock().unwrap().get(&stats).is_some_and(fresh) {
            return;
        }
        // The statistics read one item besides.
        let (path, own) =
            if stats { ("/api/stats", 1) } else { ("/api/conversations?limit=1&view=summary", 0) };
        loop {
            self.studio.reset_meter();
            self.send(Method::GET, path, &Value::Null).await;
            if self.studio.meter().operation("GetItem").requests > own {
                break;
            }
        }
        self.refreshed.lock().unwrap().insert(stats, Instant::now());
    }
}
