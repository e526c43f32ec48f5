//! A user whose requests are metered.

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
    /// When `stats` and `conversations` last read the user item.
    refreshed: Mutex<HashMap<bool, Instant>>,
}

impl<'a> Caller<'a> {
    /// Registers a user with this name.
    pub(crate) async fn register(studio: &'a Studio, name: &str) -> Self {
        let (client, token) = (reqwest::Client::new(), benchmark::register(studio, name).await);
        Self { studio, client, token, refreshed: Mutex::default() }
    }

    /// Sends a request and fails unless it succeeds.
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

    /// The cost of a request without the read of the user item, which the only instance of the function has just
    /// cached.
    pub(crate) async fn cost(&self, method: Method, path: &str, body: &Value) -> Measured {
        self.refresh(path.starts_with("/api/stats")).await;
        self.studio.reset_meter();
        self.send(method, path, body).await;
        Measured::from(self.studio.meter())
    }

    /// Sends requests until the function has read the user item again, which it does every four seconds.
    async fn refresh(&self, stats: bool) {
        let fresh = |at: &Instant| at.elapsed() < Duration::from_secs(2);
        if self.refreshed.lock().unwrap().get(&stats).is_some_and(fresh) {
            return;
        }
        // Statistics read one more item.
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
