//! Queues as failure destinations and as event sources.

use std::time::Duration;

use local::Studio;
use reqwest::Client;
use serde_json::{Value, json};

use crate::{events_of, eventually, options, signature};

/// Starts a studio that retries at once, makes its function `Unlucky` fail, and gives the consumer of the failure the
/// instruction `then`.
async fn after_a_failure(then: &str) -> Studio {
    let studio =
        Studio::start(options().limits(|it| it.retry_delay = Duration::from_millis(1))).await.unwrap();
    let url = format!("{}/2015-03-31/functions/Unlucky/invocations", studio.lambda_url());
    let event = json!({ "do": "fail", "then": then });
    let request = Client::new().post(url).header("authorization", signature(&studio));
    let sent = request.header("x-amz-invocation-type", "Event").json(&event).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    studio
}

/// How often each event of the consumer was delivered.
fn receive_counts(studio: &Studio) -> Vec<Value> {
    let events = events_of(studio, "Consumer");
    events.iter().map(|it| it["Records"][0]["attributes"]["ApproximateReceiveCount"].clone()).collect()
}

#[tokio::test]
async fn a_queue_delivers_the_record_of_a_failed_call_to_its_consumer() {
    let studio = after_a_failure("plain").await;
    let event = eventually("the consumer gets it", || events_of(&studio, "Consumer").pop()).await;
    let [message] = event["Records"].as_array().unwrap().as_slice() else { panic!("{event}") };
    let record: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
    assert_eq!(record["requestPayload"], json!({ "do": "fail", "then": "plain" }));
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(record["responsePayload"]["errorMessage"], "told to fail");
    let source = ["eventSource", "eventSourceARN", "awsRegion"].map(|name| &message[name]);
    assert_eq!(source, ["aws:sqs", "arn:aws:sqs:us-east-1:000000000000:Failures", "us-east-1"]);
    assert_eq!(message["attributes"]["ApproximateReceiveCount"], "1");
    for text in ["messageId", "receiptHandle", "md5OfBody"] {
        assert!(message[text].as_str().unwrap().len() >= 32, "{text} of {message}");
    }
    assert_eq!((studio.queue("Failures"), studio.queue("Dead")), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_message_is_redelivered_until_it_moves_to_the_dead_letter_queue() {
    let studio = after_a_failure("fail").await;
    let dead = eventually("the message is given up", || studio.queue("Dead").pop()).await;
    assert!(dead.contains("told to fail"), "{dead}");
    assert_eq!(receive_counts(&studio), ["1", "2"]);
    assert_eq!(studio.queue("Failures"), Vec::<String>::new());
}

#[tokio::test]
async fn a_message_that_its_consumer_reports_as_failed_is_redelivered() {
    let studio = after_a_failure("name failures").await;
    eventually("the message is given up", || studio.queue("Dead").pop()).await;
    assert_eq!(receive_counts(&studio), ["1", "2"]);
}
