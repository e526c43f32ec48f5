//! Queues as failure destinations and as event sources.

use std::time::Duration;

use local::Studio;
use reqwest::Client;
use serde_json::{Value, json};

use crate::{events_of, eventually, options, signature};

/// A studio that retries at once, whose function `Unlucky` is told to fail, and its failure's consumer what `then`
/// says.
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
async fn a_queue_is_told_of_a_call_that_failed_and_hands_it_to_its_consumer() {
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
async fn a_message_whose_consumer_fails_comes_again_until_it_is_given_up() {
    let studio = after_a_failure("fail").await;
    let dead = eventually("the message is given up", || studio.queue("Dead").pop()).await;
    assert!(dead.contains("told to fail"), "{dead}");
    assert_eq!(receive_counts(&studio), ["1", "2"]);
    assert_eq!(studio.queue("Failures"), Vec::<String>::new());
}

#[tokio::test]
async fn a_message_that_its_consumer_names_as_failed_comes_again() {
    let studio = after_a_failure("name failures").await;
    eventually("the message is given up", || studio.queue("Dead").pop()).await;
    assert_eq!(receive_counts(&studio), ["1", "2"]);
}
