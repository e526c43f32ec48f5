//! Lambda: invocations, instances, deadlines and asynchronous invocations.

use std::time::{Duration, Instant};

use local::{Error, InvocationFault, InvokeError, Studio, When};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::{events_of, eventually, options, signature, start_studio};

async fn call(studio: &Studio, function: &str, kind: &str, event: &Value) -> Response {
    let url = format!("{}/2015-03-31/functions/{function}/invocations", studio.lambda_url());
    let request = Client::new().post(url).header("authorization", signature(studio));
    request.header("x-amz-invocation-type", kind).json(event).send().await.unwrap()
}

#[tokio::test]
async fn each_kind_of_failure_has_its_own_error() {
    let studio = start_studio().await;
    let told = async |instruction: &str| studio.invoke("Web", json!({ "do": instruction })).await;
    assert_eq!(told("plain").await, Ok(json!({ "plain": true })));
    assert!(
        matches!(told("fail").await, Err(InvokeError::FunctionError { message, .. }) if message == "told to fail")
    );
    assert!(
        matches!(told("panic").await, Err(InvokeError::FunctionError { message, .. }) if message.contains("panic"))
    );
    assert!(matches!(told("exit").await, Err(InvokeError::Crashed(how)) if how.contains('7')));
    assert!(matches!(told("large").await, Err(InvokeError::TooLarge(_))));
    let large = studio.invoke("Web", json!({ "padding": "x".repeat(7 << 20) })).await;
    assert!(matches!(large, Err(InvokeError::EventTooLarge(_))));
    let unknown = studio.invoke("Nobody", json!({})).await;
    assert_eq!(unknown, Err(InvokeError::UnknownFunction("Nobody".to_owned())));
    assert_eq!(told("plain").await, Ok(json!({ "plain": true })));
}

#[tokio::test]
async fn an_instance_is_killed_at_its_timeout_and_the_next_event_gets_another() {
    let studio = start_studio().await;
    let asked = Instant::now();
    let hung = studio.invoke("Impatient", json!({ "do": "hang" })).await;
    assert_eq!(hung, Err(InvokeError::TimedOut { seconds: 1 }));
    assert!(asked.elapsed() < Duration::from_millis(1900));
    assert_eq!(studio.invoke("Impatient", json!({ "do": "plain" })).await, Ok(json!({ "plain": true })));
    eventually("one instance is left", || (studio.instances("Impatient").len() == 1).then_some(())).await;
}

#[tokio::test]
async fn an_instance_that_cannot_start_fails_the_event() {
    let studio = Studio::start(options().extra_variable("EXIT_AT_START", "1")).await.unwrap();
    let outcome = studio.invoke("Web", json!({})).await;
    assert!(matches!(outcome, Err(InvokeError::Crashed(how)) if how.contains('3')));
}

#[tokio::test]
async fn busy_functions_get_more_instances_up_to_the_limit_and_idle_ones_are_reused() {
    let studio = Studio::start(options().limits(|limits| limits.max_instances = 3)).await.unwrap();
    let naps = (0..8).map(|_| studio.invoke("Web", json!({ "do": "nap" })));
    for nap in futures_util::future::join_all(naps).await {
        assert!(nap.is_ok());
    }
    assert_eq!(studio.instances("Web").len(), 3);
    for _ in 0..5 {
        studio.invoke("Web", json!({ "do": "plain" })).await.unwrap();
    }
    assert_eq!(studio.instances("Web").len(), 3);
}

#[tokio::test]
async fn an_instance_without_events_is_ended() {
    let studio = Studio::start(options().limits(|limits| limits.instance_idle = Duration::from_millis(50)))
        .await
        .unwrap();
    studio.invoke("Web", json!({ "do": "plain" })).await.unwrap();
    eventually("the instance has ended", || studio.instances("Web").is_empty().then_some(())).await;
    studio.invoke("Web", json!({ "do": "plain" })).await.unwrap();
}

#[tokio::test]
async fn a_killed_instance_fails_its_event() {
    let studio = start_studio().await;
    let hang = studio.invoke("Web", json!({ "do": "hang" }));
    let kill = async {
        let pid = eventually("the event has arrived", || {
            events_of(&studio, "Web").first().and(studio.instances("Web").first().copied())
        })
        .await;
        assert!(studio.kill(pid));
    };
    let (outcome, ()) = tokio::join!(hang, kill);
    assert!(matches!(outcome, Err(InvokeError::Crashed(how)) if how.contains("signal: 9")));
}

#[tokio::test]
async fn an_instance_that_is_being_killed_gets_no_further_event() {
    let studio = start_studio().await;
    for _ in 0..10 {
        let nap = || studio.invoke("Web", json!({ "do": "nap" }));
        let (first, second) = tokio::join!(nap(), nap());
        assert!(first.is_ok() && second.is_ok());
        assert!(studio.kill_all("Web") > 1);
        assert_eq!(studio.invoke("Web", json!({ "do": "plain" })).await, Ok(json!({ "plain": true })));
    }
}

#[tokio::test]
async fn the_environment_consists_of_variables_of_lambda_and_the_template() {
    let set = options()
        .variable("OVERRIDDEN", "by the user")
        .variable("UNKNOWN", "never seen")
        .variable("PAUSE", "7");
    let studio = Studio::start(set).await.unwrap();
    let environment = studio.invoke("Web", json!({ "do": "environment" })).await.unwrap();
    assert_eq!(environment["SHARED"], "globals");
    assert_eq!(environment["OVERRIDDEN"], "by the user");
    assert_eq!(environment["PAUSE"], "7");
    assert_eq!(environment["TABLE"], "Table");
    assert_eq!(environment["ORIGINS"], "https://one.example,https://two.example");
    assert_eq!(environment["PUSH"], studio.management_url());
    let port = studio.url().rsplit(':').next().unwrap().to_owned();
    let origins = ["127.0.0.1", "[::1]", "localhost"].map(|host| format!("http://{host}:{port}"));
    assert_eq!(environment["OWN_ORIGINS"], origins.join(","));
    assert_eq!(environment["SECOND"], "b");
    assert_eq!(environment["ARN"], "arn:aws:lambda:us-east-1:000000000000:function:Impatient");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], "Web");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    assert_eq!(environment["AWS_ENDPOINT_URL_DYNAMODB"], studio.dynamodb_url());
    for absent in ["UNKNOWN", "HOME", "CARGO_MANIFEST_DIR", "USER"] {
        assert_eq!(environment.get(absent), None, "{absent}");
    }
    let context = studio.invoke("Web", json!({ "do": "context" })).await.unwrap();
    assert_eq!(context["arn"], "arn:aws:lambda:us-east-1:000000000000:function:Web");
    assert!(context["deadline"].as_u64().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn the_invoke_api_reports_errors_of_synchronous_calls_in_a_header() {
    let studio = start_studio().await;
    let response = call(&studio, "Web", "RequestResponse", &json!({ "do": "plain" })).await;
    assert_eq!(response.headers().get("x-amz-function-error"), None);
    assert_eq!(response.json::<Value>().await.unwrap(), json!({ "plain": true }));
    let failed =
        call(&studio, "arn:aws:lambda:us-east-1:0:function:Web", "RequestResponse", &json!({ "do": "fail" }))
            .await;
    assert_eq!(failed.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(failed.json::<Value>().await.unwrap()["errorMessage"], "told to fail");
    let unknown = call(&studio, "Nobody", "Event", &json!({})).await;
    assert_eq!(unknown.headers()["x-amzn-errortype"], "ResourceNotFoundException");
}

#[tokio::test]
async fn a_failed_asynchronous_call_is_retried_and_then_sent_to_the_failure_destination() {
    let studio = Studio::start(options().limits(|limits| limits.retry_delay = Duration::from_millis(10)))
        .await
        .unwrap();
    let accepted = call(&studio, "Impatient", "Event", &json!({ "do": "fail" })).await;
    assert_eq!(accepted.status(), 202);
    let record =
        eventually("the failure destination receives a record", || events_of(&studio, "Web").pop()).await;
    assert_eq!(record["requestPayload"], json!({ "do": "fail" }));
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(record["responsePayload"]["errorMessage"], "told to fail");
    assert_eq!(events_of(&studio, "Impatient").len(), 2);
}

#[tokio::test]
async fn an_asynchronous_event_over_a_megabyte_is_refused() {
    let studio = start_studio().await;
    let refused = call(&studio, "Web", "Event", &json!({ "padding": "x".repeat(1 << 20) })).await;
    assert_eq!(refused.status(), 413);
    assert_eq!(refused.headers()["x-amzn-errortype"], "RequestTooLargeException");
}

#[tokio::test]
async fn faults_lose_and_duplicate_asynchronous_calls() {
    let studio = start_studio().await;
    studio.faults().invocations(InvocationFault::Lost, Some("Web"), When::Times(1));
    assert_eq!(call(&studio, "Web", "Event", &json!({ "number": 1 })).await.status(), 202);
    studio.faults().invocations(InvocationFault::Duplicate, None, When::Times(1));
    assert_eq!(call(&studio, "Web", "Event", &json!({ "number": 2 })).await.status(), 202);
    let seen =
        eventually("two events", || Some(events_of(&studio, "Web")).filter(|all| all.len() == 2)).await;
    assert_eq!(seen, [json!({ "number": 2 }), json!({ "number": 2 })]);
    assert_eq!(studio.faults().struck(), 2);
}

#[tokio::test]
async fn the_error_about_a_missing_executable_or_an_invalid_template_is_one_line() {
    let mut missing = options();
    missing.binaries = "/nowhere".into();
    let error = Studio::start(missing).await.unwrap_err();
    assert!(matches!(&error, Error::MissingBinary { .. }), "{error}");
    let folder = std::env::temp_dir().join(format!("local-template-{}", std::process::id()));
    for (source, reason) in [
        ("a: [", "not YAML"),
        ("Resources: {}", "the template has no function"),
        (
            "Resources: { F: { Type: 'AWS::Serverless::Function' } }",
            "F: Metadata.BuildProperties.Binary is missing",
        ),
    ] {
        std::fs::write(&folder, source).unwrap();
        let mut bad = options();
        bad.template.clone_from(&folder);
        let line = Studio::start(bad).await.unwrap_err().to_string();
        assert!(line.contains(reason) && !line.contains('\n'), "{line}");
    }
    std::fs::remove_file(&folder).unwrap();
}
