//! SQS: the queues of the template, and the functions that consume their messages.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock,
    lambda::{Function, Functions, request_id},
    sync::lock,
    template::{QueueDefinition, QueueSource, REGION},
};

/// The maximum pause before a failed message is delivered again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The queues of a studio. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues {
    by_name: Arc<BTreeMap<String, Queue>>,
}

#[derive(Debug)]
struct Queue {
    definition: QueueDefinition,
    waiting: Mutex<VecDeque<Message>>,
    arrival: Notify,
}

#[derive(Clone, Debug)]
struct Message {
    id: String,
    body: String,
    sent_ms: i64,
    first_received_ms: Option<i64>,
    received: u32,
}

/// A function that consumes the messages of a queue.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) source: QueueSource,
    pub(crate) function: Arc<Function>,
}

impl Queues {
    pub(crate) fn new(definitions: Vec<QueueDefinition>) -> Self {
        let queue = |definition: QueueDefinition| {
            let name = definition.name.clone();
            (name, Queue { definition, waiting: Mutex::default(), arrival: Notify::new() })
        };
        Self { by_name: Arc::new(definitions.into_iter().map(queue).collect()) }
    }

    /// Adds a message to a queue.
    pub(crate) fn send(&self, name: &str, body: &Bytes) {
        let body = String::from_utf8_lossy(body).into_owned();
        let sent_ms = clock::now_ms();
        let message = Message { id: request_id(), body, sent_ms, first_received_ms: None, received: 0 };
        if let Some(queue) = self.by_name.get(name) {
            queue.put(message);
        }
    }

    /// The bodies of the messages in a queue, oldest first.
    pub(crate) fn waiting(&self, name: &str) -> Vec<String> {
        let queue = self.by_name.get(name);
        queue.map(|queue| lock(&queue.waiting).iter().map(|it| it.body.clone()).collect()).unwrap_or_default()
    }

    /// Delivers messages to the functions that consume queues, until `stop`.
    pub(crate) fn consume(
        &self,
        functions: &Functions,
        retry_delay: Duration,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) {
        for consumer in functions.consumers() {
            let (queues, consumer, stop) = (self.clone(), consumer.clone(), stop.clone());
            tasks.spawn(async move {
                stop.run_until_cancelled(queues.deliver(&consumer, retry_delay)).await;
            });
        }
    }

    async fn deliver(&self, consumer: &Consumer, retry_delay: Duration) {
        let Some(queue) = self.by_name.get(&consumer.source.queue) else {
            return;
        };
        loop {
            let batch = queue.take(consumer.source.batch).await;
            let event = json!({ "Records": batch.iter().map(|it| record(it, queue)).collect::<Vec<_>>() });
            let outcome = consumer.function.invoke(event.to_string().into()).await;
            let failed = match outcome {
                Ok(answer) if consumer.source.names_failures => failed_ids(&answer),
                Ok(_) => Vec::new(),
                Err(_) => batch.iter().map(|message| message.id.clone()).collect(),
            };
            for message in batch.into_iter().filter(|message| failed.contains(&message.id)) {
                self.fail(queue, message, retry_delay);
            }
        }
    }

    /// Handles a message that a function failed to process: delivers it again later, or moves it to the dead-letter
    /// queue.
    fn fail(&self, queue: &Queue, message: Message, retry_delay: Duration) {
        if let Some((dead, limit)) = &queue.definition.redrive
            && message.received >= *limit
        {
            if let Some(dead) = self.by_name.get(dead) {
                dead.put(message);
            }
            return;
        }
        let (queues, name) = (self.clone(), queue.definition.name.clone());
        let pause = (retry_delay * message.received).min(LONGEST_PAUSE);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(queue) = queues.by_name.get(&name) {
                queue.put(message);
            }
        });
    }
}

impl Queue {
    fn put(&self, message: Message) {
        lock(&self.waiting).push_back(message);
        self.arrival.notify_one();
    }

    /// Waits for messages and takes at most `limit` of them.
    async fn take(&self, limit: usize) -> Vec<Message> {
        loop {
            let mut batch: Vec<Message> = {
                let mut waiting = lock(&self.waiting);
                let number = waiting.len().min(limit);
                waiting.drain(..number).collect()
            };
            if batch.is_empty() {
                self.arrival.notified().await;
                continue;
            }
            for message in &mut batch {
                message.received += 1;
                message.first_received_ms.get_or_insert_with(clock::now_ms);
            }
            return batch;
        }
    }
}

/// The JSON of a message in an event.
fn record(message: &Message, queue: &Queue) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": format!("{}#{}", message.id, message.received),
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": message.received.to_string(),
            "SentTimestamp": message.sent_ms.to_string(),
            "SenderId": "local",
            "ApproximateFirstReceiveTimestamp": message.first_received_ms.unwrap_or_default().to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": format!("{:x}", md5::compute(&message.body)),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.definition.arn,
        "awsRegion": REGION,
    })
}

/// The ids of the messages that an answer reports as failed.
fn failed_ids(answer: &[u8]) -> Vec<String> {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct BatchAnswer {
        batch_item_failures: Vec<BatchItemFailure>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct BatchItemFailure {
        item_identifier: String,
    }
    let answer: BatchAnswer = serde_json::from_slice(answer).unwrap_or_default();
    answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}
