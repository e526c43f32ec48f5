//! After many random operations under faults, every counter equals a recount.

use std::collections::BTreeMap;

use local::{DynamoDbFault, Target, When};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{TestStudio, User, assert_statistics_match, own_studio};

const HOUR: u64 = 3_600_000;

/// An operation of a client. Numbers choose among the existing conversations and messages.
#[derive(Clone, Debug)]
enum Operation {
    Create { id: u8, messages: u8, model: u8 },
    Replace { id: u8, keep: u16, append: u8, reverse: bool, model: u8 },
    Append { id: u8, message: u8, parent: Option<u8>, age: u8 },
    Change { id: u8, message: u8, tokens: u8 },
    Remove { id: u8, message: u8 },
    Rename { id: u8, model: u8 },
    Select { id: u8, message: u8 },
    Fork { id: u8, message: u8, copy: u8 },
    Delete { id: u8 },
    DeleteMany { first: u8 },
    Import { id: u8, messages: u8 },
}

fn operation() -> impl Strategy<Value = Operation> {
    let id = 0..6_u8;
    prop_oneof![
        3 => (id.clone(), any::<u8>(), 0..4_u8).prop_map(|(id, n, model)| Operation::Create { id, messages: if n > 245 { 120 } else { n % 9 }, model }),
        4 => (id.clone(), any::<u16>(), 0..4_u8, any::<bool>(), 0..4_u8)
            .prop_map(|(id, keep, append, reverse, model)| Operation::Replace { id, keep, append, reverse, model }),
        8 => (id.clone(), any::<u8>(), prop_oneof![3 => Just(None), 2 => any::<u8>().prop_map(Some)], any::<u8>())
            .prop_map(|(id, message, parent, age)| Operation::Append { id, message, parent, age }),
        3 => (id.clone(), any::<u8>(), any::<u8>()).prop_map(|(id, message, tokens)| Operation::Change { id, message, tokens }),
        3 => (id.clone(), any::<u8>()).prop_map(|(id, message)| Operation::Remove { id, message }),
        2 => (id.clone(), 0..4_u8).prop_map(|(id, model)| Operation::Rename { id, model }),
        2 => (id.clone(), any::<u8>()).prop_map(|(id, message)| Operation::Select { id, message }),
        1 => (id.clone(), any::<u8>(), 0..6_u8).prop_map(|(id, message, copy)| Operation::Fork { id, message, copy }),
        1 => id.clone().prop_map(|id| Operation::Delete { id }),
        1 => id.clone().prop_map(|first| Operation::DeleteMany { first }),
        2 => (id, 0..9_u8).prop_map(|(id, messages)| Operation::Import { id, messages }),
    ]
}

/// What the client knows: the message ids of each conversation that it made.
struct Device<'a> {
    user: &'a User,
    now: u64,
    /// A deleted id stays reserved for a day, so each new conversation gets the next generation.
    generations: BTreeMap<u8, u32>,
    made: u32,
}

impl Device<'_> {
    fn id(&self, id: u8) -> String {
        format!("c{id}-{}", self.generations.get(&id).copied().unwrap_or_default())
    }

    fn path(&self, id: u8) -> String {
        format!("/api/conversations/{}", self.id(id))
    }

    fn message(&mut self, age: u64) -> Value {
        self.made += 1;
        let role = ["user", "assistant", "system"][self.made as usize % 3];
        json!({"id": format!("n{}", self.made), "role": role, "content": "word ".repeat(self.made as usize % 50),
            "timestamp": self.now - age * 7 * HOUR, "tokens": self.made % 11})
    }

    fn messages(&mut self, count: u8) -> Vec<Value> {
        (0..u64::from(count)).map(|age| self.message(age)).collect()
    }

    /// The ids of all messages of a conversation.
    async fn known(&self, id: u8) -> Vec<String> {
        let answer = self.user.get(&format!("{}?branch=all", self.path(id))).await;
        let messages = answer.body["messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
    }

    async fn pick(&self, id: u8, which: u8) -> String {
        let known = self.known(id).await;
        known.get(usize::from(which) % known.len().max(1)).cloned().unwrap_or_else(|| "none".to_owned())
    }

    /// Performs an operation and returns the status.
    async fn perform(&mut self, operation: &Operation) -> u16 {
        let model = |model: u8| format!("model-{model}");
        match operation.clone() {
            Operation::Create { id, messages, model: which } => {
                let messages = self.messages(messages);
                let body = json!({"id": self.id(id), "title": "T", "messages": messages, "model": model(which),
                    "createdAt": self.now - u64::from(which) * 40 * HOUR});
                self.user.post("/api/conversations", &body).await.status
            }
            Operation::Replace { id, keep, append, reverse, model: which } => {
                let stored = self.user.get(&self.path(id)).await.body;
                let all = stored["messages"].as_array().cloned().unwrap_or_default();
                let kept = all.into_iter().enumerate().filter(|(place, _)| keep >> (place % 16) & 1 == 1);
                let mut messages: Vec<Value> = kept.map(|(_, message)| message).collect();
                if reverse {
                    messages.reverse();
                }
                messages.extend(self.messages(append));
                let body =
                    json!({"title": "R", "messages": messages, "model": model(which), "createdAt": self.now});
                self.user.put(&self.path(id), &body).await.status
            }
            Operation::Append { id, message, parent, age } => {
                let mut body = self.message(u64::from(age));
                if message > 230 {
                    body["id"] = json!(self.pick(id, message).await);
                }
                if let Some(parent) = parent {
                    body["parentId"] = json!(self.pick(id, parent).await);
                }
                self.user.post(&format!("{}/messages", self.path(id)), &body).await.status
            }
            other => self.perform_rarer(&other).await,
        }
    }

    async fn perform_rarer(&mut self, operation: &Operation) -> u16 {
        match operation.clone() {
            Operation::Change { id, message, tokens } => {
                let path = format!("{}/messages/{}", self.path(id), self.pick(id, message).await);
                let body = json!({"content": "x".repeat(usize::from(tokens)), "tokens": tokens});
                self.user.patch(&path, &body).await.status
            }
            Operation::Remove { id, message } => {
                let path = format!("{}/messages/{}", self.path(id), self.pick(id, message).await);
                self.user.delete(&path).await.status
            }
            Operation::Rename { id, model } => {
                let body = json!({"title": "N", "model": format!("model-{model}"), "pinned": model == 1});
                self.user.patch(&self.path(id), &body).await.status
            }
            Operation::Select { id, message } => {
                let body = json!({"currentMessageId": self.pick(id, message).await});
                self.user.patch(&self.path(id), &body).await.status
            }
            Operation::Fork { id, message, copy } => {
                let body = json!({"messageId": self.pick(id, message).await, "id": self.id(copy)});
                self.user.post(&format!("{}/fork", self.path(id)), &body).await.status
            }
            Operation::Delete { id } => {
                let status = self.user.delete(&self.path(id)).await.status;
                *self.generations.entry(id).or_default() += 1;
                status
            }
            Operation::DeleteMany { first } => {
                let ids = [self.id(first), self.id((first + 1) % 6)];
                let status = self.user.post("/api/conversations/delete", &json!({"ids": ids})).await.status;
                *self.generations.entry(first).or_default() += 1;
                *self.generations.entry((first + 1) % 6).or_default() += 1;
                status
            }
            Operation::Import { id, messages } => {
                let messages = self.messages(messages);
                let body = json!([{"id": self.id(id), "title": "I", "messages": messages}]);
                self.user.post("/api/import", &body).await.status
            }
            _ => unreachable!("performed before"),
        }
    }
}

/// Lets answers of writes get lost, writes be throttled and transactions conflict.
pub(crate) fn make_trouble(studio: &TestStudio) {
    for operation in ["TransactWriteItems", "UpdateItem", "PutItem", "BatchWriteItem"] {
        let target = || Target::operation(operation);
        studio.faults().dynamodb(DynamoDbFault::AnswerLost, target(), When::Probability(0.04));
        studio.faults().dynamodb(DynamoDbFault::ThroughputExceeded, target(), When::Probability(0.04));
    }
    let transactions = Target::operation("TransactWriteItems");
    studio.faults().dynamodb(DynamoDbFault::Conflict, transactions, When::Probability(0.05));
}

/// Random operations from a fixed seed.
fn operations(count: usize) -> Vec<Operation> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let strategy = proptest::collection::vec(operation(), count);
    strategy.new_tree(&mut runner).expect("operations").current()
}

async fn server_time(user: &User) -> u64 {
    let now = user.post("/api/conversations", &json!({"id": "now", "title": "Now"})).await.expect(200);
    now.body["createdAt"].as_u64().unwrap()
}

#[tokio::test]
async fn counters_equal_a_recount_after_random_operations() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    let now = server_time(&user).await;
    make_trouble(&studio);
    let mut device = Device { user: &user, now, generations: BTreeMap::new(), made: 0 };
    let mut done = 0;
    for (place, operation) in operations(1000).iter().enumerate() {
        let status = device.perform(operation).await;
        assert!([200, 404, 409, 422].contains(&status), "{place}: {operation:?}: {status}");
        done += usize::from(status == 200);
        if place % 200 == 199 {
            assert_statistics_match(&user, &format!("after {place} operations")).await;
        }
    }
    assert!(done > 400, "{done} of them had an effect");
}
