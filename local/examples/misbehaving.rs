//! A function that follows the instruction in its event, for instance to fail, for the tests of the gateway.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::vars_os().any(|(name, _)| name == "EXIT_AT_START") {
        std::process::exit(3);
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    eprintln!("event {event}");
    let instruction = instruction_in(&event);
    match instruction.as_str() {
        "panic" => panics(),
        "fail" => Err(Error::from("told to fail")),
        "hang" => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Ok(Value::Null)
        }
        "nap" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(json!({ "statusCode": 200, "pid": std::process::id() }))
        }
        "exit" => std::process::exit(7),
        "nonsense" => Ok(json!({ "statusCode": "none" })),
        "large" => Ok(json!({ "statusCode": 200, "body": "x".repeat(7 * 1024 * 1024) })),
        "plain" => Ok(json!({ "plain": true })),
        "rich" => Ok(rich()),
        "refuse" => Ok(json!({ "statusCode": 401, "body": "no" })),
        "environment" => {
            let all = std::env::vars().map(|(name, value)| (name, Value::String(value))).collect();
            Ok(Value::Object(all))
        }
        "name failures" => {
            let id = event.pointer("/Records/0/messageId");
            Ok(json!({ "batchItemFailures": [{ "itemIdentifier": id }] }))
        }
        "context" => Ok(json!({ "deadline": context.deadline, "arn": context.invoked_function_arn })),
        _ => Ok(json!({
            "statusCode": 200,
            "headers": { "content-type": "application/json" },
            "body": event.to_string(),
        })),
    }
}

/// The instruction in an event: in the event itself, in the path, in the query of a connect, in the body of a frame, or
/// in the failed event that the first message of a queue contains.
fn instruction_in(event: &Value) -> String {
    let json_at = |pointer: &str| -> Value {
        let text = event.pointer(pointer).and_then(Value::as_str);
        text.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
    };
    let (frame, failure) = (json_at("/body"), json_at("/Records/0/body"));
    let instruction = [
        event.get("do"),
        event.pointer("/pathParameters/do"),
        event.pointer("/queryStringParameters/do"),
        frame.get("do"),
        failure.pointer("/requestPayload/then"),
    ];
    instruction.into_iter().flatten().find_map(Value::as_str).unwrap_or("echo").to_owned()
}

#[expect(clippy::panic, reason = "this is what it is told to do")]
fn panics() -> Result<Value, Error> {
    panic!("told to panic")
}

/// An answer with every possible field, including CORS headers.
fn rich() -> Value {
    json!({
        "statusCode": 201,
        "headers": { "X-One": "1", "access-control-allow-origin": "https://evil.example", "content-length": "999" },
        "multiValueHeaders": { "x-many": ["a", "b"] },
        "cookies": ["a=1; Path=/", "b=2"],
        "body": "AAEC/w==",
        "isBase64Encoded": true,
    })
}
