//! Two devices of one user work concurrently while the database loses answers, throttles and conflicts: nothing is
//! lost or duplicated, and every counter equals a recount.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::faults::random_operations::make_trouble;
use crate::support::{
    Answer, User, assert_statistics_match, conversation_items, eventually, finish_notes, ids, own_studio,
    send,
};

const SHARED: &str = "/api/conversations/shared";
const OPERATIONS: usize = 250;

/// One device, and what it has done successfully.
struct Device<'a> {
    user: &'a User,
    name: &'static str,
    /// The state of a random generator with a fixed seed.
    seed: u64,
    made: u32,
    /// Its messages in the shared conversation, with their texts.
    shared: BTreeMap<String, String>,
    /// The texts that it appended to the log, in order.
    log: Vec<String>,
    /// Conversations of its own.
    own: BTreeSet<String>,
}

impl<'a> Device<'a> {
    fn new(user: &'a User, name: &'static str, seed: u64) -> Self {
        let (shared, log, own) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        Self { user, name, seed, made: 0, shared, log, own }
    }

    fn random(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % below.max(1)
    }

    /// A new name.
    fn fresh(&mut self) -> String {
        self.made += 1;
        format!("{}{}", self.name, self.made)
    }

    /// One of its messages in the shared conversation.
    fn pick(&mut self) -> Option<String> {
        let place = self.random(self.shared.len());
        self.shared.keys().nth(place).cloned()
    }

    /// Sends a request until it is answered, and sometimes again, as if the answer had been lost.
    async fn again(&mut self, request: impl Fn(&User) -> RequestBuilder) -> Answer {
        let mut deaf = self.random(5) == 0;
        loop {
            let answer = send(request(self.user)).await;
            let busy = answer.status == 503 || answer.body["code"] == "conflict";
            if !busy && !std::mem::take(&mut deaf) {
                return answer;
            }
        }
    }

    async fn ask(&mut self, method: Method, path: &str, body: &Value, key: Option<&str>) -> Answer {
        let (path, body, key) = (path.to_owned(), body.clone(), key.map(str::to_owned));
        self.again(|user| {
            let request = user.request(method.clone(), &path).json(&body);
            match &key {
                Some(key) => request.header("idempotency-key", key),
                None => request,
            }
        })
        .await
    }

    async fn act(&mut self) {
        match self.random(100) {
            0..25 => self.say(false).await,
            25..35 => self.say(true).await,
            35..50 => self.change().await,
            50..60 => self.remove().await,
            60..70 => self.replace().await,
            70..75 => self.file().await,
            75..80 => self.select().await,
            80..91 => self.log().await,
            91..94 => self.create().await,
            94..96 => self.import().await,
            96..98 => self.fork().await,
            _ => self.delete().await,
        }
    }

    /// Appends a message, or begins another branch with it.
    async fn say(&mut self, branches: bool) {
        let (id, parent) = (self.fresh(), if branches { self.pick() } else { None });
        let content = format!("{id} says");
        let mut body = json!({"id": id, "role": "user", "content": content, "tokens": 3});
        if let Some(parent) = parent {
            body["parentId"] = json!(parent);
        }
        self.ask(Method::POST, &format!("{SHARED}/messages"), &body, None).await.expect(200);
        self.shared.insert(id, content);
    }

    async fn change(&mut self) {
        let Some(id) = self.pick() else { return };
        let content = format!("{} changes", self.fresh());
        let body = json!({"content": content, "tokens": self.made % 7});
        self.ask(Method::PATCH, &format!("{SHARED}/messages/{id}"), &body, None).await.expect(200);
        self.shared.insert(id, content);
    }

    async fn remove(&mut self) {
        let Some(id) = self.pick() else { return };
        let answer = self.ask(Method::DELETE, &format!("{SHARED}/messages/{id}"), &Value::Null, None).await;
        assert!([200, 404].contains(&answer.status), "{}", answer.text);
        self.shared.remove(&id);
    }

    /// Reads the conversation, changes it, and puts it with `If-Match`.
    async fn replace(&mut self) {
        let (new, changed, dropped, turned) = (self.fresh(), self.pick(), self.pick(), self.random(2) == 0);
        loop {
            let read = self.user.get(SHARED).await.expect(200);
            let (version, mut body) = (read.header("etag").to_owned(), read.body);
            let messages = body["messages"].as_array_mut().unwrap();
            let has = |messages: &[Value], id: &Option<String>| {
                messages.iter().any(|message| message["id"].as_str() == id.as_deref())
            };
            let changes = changed != dropped && has(messages, &changed);
            let drops = has(messages, &dropped);
            messages.retain(|message| message["id"].as_str() != dropped.as_deref() && message["id"] != *new);
            for message in messages.iter_mut().filter(|message| message["id"].as_str() == changed.as_deref())
            {
                message["content"] = json!(new);
            }
            if turned {
                messages.reverse();
            }
            messages.push(json!({"id": new, "role": "assistant", "content": new}));
            let answer = self
                .again(|user| user.request(Method::PUT, SHARED).header("if-match", &version).json(&body))
                .await;
            match answer.status {
                200 => {}
                // The change that conflicts may be this device's own, whose answer was lost.
                412 if self.is_done(&new).await => {}
                412 => continue,
                _ => panic!("{} {}", answer.status, answer.text),
            }
            if drops {
                self.shared.retain(|id, _| Some(id) != dropped.as_ref());
            }
            if changes {
                self.shared.extend(changed.map(|changed| (changed, new.clone())));
            }
            self.shared.insert(new.clone(), new);
            return;
        }
    }

    async fn is_done(&self, new: &str) -> bool {
        let tree = self.user.get(&format!("{SHARED}?branch=all")).await.expect(200).body;
        tree["messages"].as_array().unwrap().iter().any(|message| message["id"] == *new)
    }

    async fn file(&mut self) {
        let name = if self.name == "a" { "title" } else { "folder" };
        let body = json!({name: self.fresh(), "model": format!("model-{}", self.random(3))});
        self.ask(Method::PATCH, SHARED, &body, None).await.expect(200);
    }

    async fn select(&mut self) {
        let Some(id) = self.pick() else { return };
        self.ask(Method::PATCH, SHARED, &json!({"currentMessageId": id}), None).await.expect(200);
    }

    /// Appends a message without an id to the log, so that only the idempotency key prevents a repetition.
    async fn log(&mut self) {
        let content = self.fresh();
        let body = json!({"role": "user", "content": content});
        self.ask(Method::POST, "/api/conversations/log/messages", &body, Some(&content)).await.expect(200);
        self.log.push(content);
    }

    async fn create(&mut self) {
        let key = self.fresh();
        let count = if self.random(3) == 0 { 60 } else { 3 };
        let message = |n| json!({"id": format!("m{n}"), "role": "user", "content": "x", "tokens": 1});
        let body = json!({"title": key, "messages": (0..count).map(message).collect::<Vec<_>>()});
        let made = self.ask(Method::POST, "/api/conversations", &body, Some(&key)).await.expect(200).body;
        self.own.insert(made["id"].as_str().unwrap().to_owned());
    }

    async fn import(&mut self) {
        let id = self.fresh();
        let message = |n| json!({"id": format!("i{n}"), "role": "user", "content": "x", "parentId": null});
        let body = json!([{"id": id, "title": "I", "messages": (0..70).map(message).collect::<Vec<_>>()}]);
        let report = self.ask(Method::POST, "/api/import", &body, None).await.expect(200).body;
        assert_eq!(report["errors"], json!([]));
        self.own.insert(id);
    }

    async fn fork(&mut self) {
        let (key, message) = (self.fresh(), self.pick());
        let Some(message) = message else { return };
        let body = json!({"messageId": message});
        let made =
            self.ask(Method::POST, &format!("{SHARED}/fork"), &body, Some(&key)).await.expect(200).body;
        self.own.insert(made["id"].as_str().unwrap().to_owned());
    }

    async fn delete(&mut self) {
        let Some(id) = self.own.pop_first() else { return };
        let path = format!("/api/conversations/{id}");
        let answer = self.ask(Method::DELETE, &path, &Value::Null, None).await;
        assert!([200, 404].contains(&answer.status), "{}", answer.text);
    }

    async fn work(mut self) -> Self {
        for _ in 0..OPERATIONS {
            self.act().await;
        }
        self
    }
}

/// The tree holds every message of both devices once, and is connected.
async fn check_shared(user: &User, devices: &[&Device<'_>; 2]) {
    let tree = user.get(&format!("{SHARED}?branch=all")).await.expect(200).body;
    let messages = tree["messages"].as_array().unwrap();
    let mut expected = BTreeMap::new();
    devices.iter().for_each(|device| expected.extend(device.shared.clone()));
    let content = |message: &Value| {
        let text = |name: &str| message[name].as_str().unwrap().to_owned();
        (text("id"), text("content"))
    };
    assert_eq!(messages.len(), expected.len(), "nothing is doubled");
    assert_eq!(messages.iter().map(content).collect::<BTreeMap<_, _>>(), expected, "nothing is lost");
    let parents: BTreeMap<&str, Option<&str>> =
        messages.iter().map(|it| (it["id"].as_str().unwrap(), it["parentId"].as_str())).collect();
    let (mut line, mut at) = (Vec::new(), tree["currentMessageId"].as_str());
    while let Some(id) = at {
        line.push(id);
        at = *parents.get(id).expect("what a message follows is there");
        assert!(line.len() <= messages.len(), "messages follow each other in a circle");
    }
    line.reverse();
    assert!(
        parents.values().flatten().all(|parent| parents.contains_key(parent)),
        "nothing hangs on nothing"
    );
    let shown = user.get(SHARED).await.expect(200).body;
    assert_eq!(ids(&shown["messages"]), line, "the current branch leads to the current message");
}

/// The log holds all messages of both devices, each in its order, under contiguous numbers.
async fn check_log(user: &User, devices: &[&Device<'_>; 2]) {
    let (mut log, mut next) = (Vec::new(), Some("/api/conversations/log/messages?limit=100".to_owned()));
    while let Some(path) = next {
        let page = user.get(&path).await.expect(200);
        let link =
            page.header("link").strip_suffix(">; rel=\"next\"").and_then(|link| link.strip_prefix('<'));
        next = link.map(str::to_owned);
        log.extend(page.body.as_array().unwrap().clone());
    }
    for device in devices {
        let said = log.iter().filter_map(|message| message["content"].as_str());
        let said: Vec<&str> = said.filter(|content| content.starts_with(device.name)).collect();
        assert_eq!(said, device.log, "all of a device, in its order");
    }
    assert_eq!(log.len(), devices.iter().map(|device| device.log.len()).sum::<usize>());
    for (number, message) in log.iter().enumerate() {
        let id = message["id"].as_str().unwrap();
        assert_eq!(id.rsplit('_').next().unwrap(), number.to_string(), "numbers are contiguous");
        let before = number.checked_sub(1).map_or(Value::Null, |before| log[before]["id"].clone());
        assert_eq!(message["parentId"], before, "each follows the one before");
    }
}

#[tokio::test]
async fn two_devices_lose_and_duplicate_nothing() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    for id in ["shared", "log"] {
        user.post("/api/conversations", &json!({"id": id, "title": id})).await.expect(200);
    }
    make_trouble(&studio);
    let (one, other) = (Device::new(&user, "a", 1), Device::new(&user, "b", 2));
    let (one, other) = tokio::join!(one.work(), other.work());
    studio.faults().clear();
    assert!(studio.faults().struck() > 50, "{}", studio.faults().struck());
    let devices = [&one, &other];
    check_shared(&user, &devices).await;
    check_log(&user, &devices).await;
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    let listed: BTreeSet<String> = ids(&list).into_iter().collect();
    let own = devices.iter().flat_map(|device| device.own.clone());
    assert_eq!(
        listed,
        own.chain(["shared", "log"].map(str::to_owned)).collect(),
        "no conversation is lost or doubled"
    );
    assert_statistics_match(&user, "after two devices").await;
    let count = listed.len();
    eventually("/health counts them", async || {
        let health = user.get("/health").await.expect(200).body;
        (health["total_conversations"] == count).then_some(())
    })
    .await;
    // The table holds exactly two items for each visible message: the message, and the reference from its id.
    finish_notes(&studio, &user).await;
    let said = one.shared.len() + other.shared.len();
    assert_eq!(
        conversation_items(&studio, &user, "shared").await.len(),
        1 + 2 * said,
        "nothing is left over"
    );
}
