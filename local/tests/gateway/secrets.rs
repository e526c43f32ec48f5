//! Secrets Manager: the secrets that the template names.

use local::{Error, Options, Studio};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::{folder::Folder, options, signature, start_studio};

const SET: &str = "7f3a1c5e9b2d4f6a8c0e1b3d5f7a9c2e";
const CHANGED: &str = "1b3d5f7a9c2e7f3a1c5e9b2d4f6a8c0e";
const ROTATED: &str = "9b2d4f6a8c0e1b3d5f7a9c2e7f3a1c5e";

/// The variables that a function of the studio has.
async fn environment(studio: &Studio) -> Value {
    studio.invoke("Web", json!({ "do": "environment" })).await.unwrap()
}

/// Calls the API as the SDK does, at the address and for the secret that a function is given.
async fn call(studio: &Studio, operation: &str, body: &Value) -> Response {
    let url = environment(studio).await["AWS_ENDPOINT_URL_SECRETS_MANAGER"].as_str().unwrap().to_owned();
    let request = Client::new().post(url).header("content-type", "application/x-amz-json-1.1");
    let request = request.header("authorization", signature(studio));
    request.header("x-amz-target", operation).body(body.to_string()).send().await.unwrap()
}

async fn get(studio: &Studio, body: &Value) -> (u16, Value) {
    let response = call(studio, "secretsmanager.GetSecretValue", body).await;
    assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The value of the signing key at this stage, if there is one.
async fn value(studio: &Studio, stage: &str) -> Option<String> {
    let arn = environment(studio).await["SIGNING_KEY_ARN"].clone();
    let (status, body) = get(studio, &json!({ "SecretId": arn, "VersionStage": stage })).await;
    if status == 200 {
        assert_eq!((&body["ARN"], &body["VersionStages"]), (&arn, &json!([stage])));
        return Some(body["SecretString"].as_str().unwrap().to_owned());
    }
    assert_eq!((status, &body["__type"]), (400, &json!("ResourceNotFoundException")), "{body}");
    None
}

async fn secret_values(studio: &Studio) -> [Option<String>; 2] {
    [value(studio, "AWSCURRENT").await, value(studio, "AWSPREVIOUS").await]
}

/// The secrets of a studio on this folder, after `change`.
async fn values_in(
    folder: &Folder,
    set: impl FnOnce(Options) -> Options,
    change: impl FnOnce(&Studio),
) -> [Option<String>; 2] {
    let studio = Studio::start(set(options().directory(folder.path()))).await.unwrap();
    change(&studio);
    let values = secret_values(&studio).await;
    studio.stop().await;
    values
}

fn some(values: [&str; 2]) -> [Option<String>; 2] {
    values.map(|value| Some(value.to_owned()))
}

#[tokio::test]
async fn a_generated_secret_can_be_read_by_arn_and_by_name() {
    let studio = start_studio().await;
    let [current, previous] = secret_values(&studio).await;
    let current = current.unwrap();
    assert_eq!((current.len(), previous), (64, None));
    let (status, body) = get(&studio, &json!({ "SecretId": "SIGNING_KEY" })).await;
    assert_eq!((status, &body["SecretString"]), (200, &json!(current)));
    assert_eq!(body["Name"], "SIGNING_KEY");
    assert!(body["CreatedDate"].is_number() && body["VersionId"].as_str().unwrap().len() >= 32, "{body}");
    let version = json!({ "SecretId": "SIGNING_KEY", "VersionId": body["VersionId"] });
    assert_eq!(get(&studio, &version).await.0, 200);
}

#[tokio::test]
async fn reading_an_absent_secret_fails_as_in_aws() {
    let studio = start_studio().await;
    let current = json!({ "SecretId": "SIGNING_KEY" });
    for (body, kind) in [
        (json!({ "SecretId": "NOBODY" }), "ResourceNotFoundException"),
        (json!({ "SecretId": "SIGNING_KEY", "VersionStage": "AWSPENDING" }), "ResourceNotFoundException"),
        (json!({ "SecretId": "SIGNING_KEY", "VersionId": "another" }), "ResourceNotFoundException"),
        (json!({}), "ValidationException"),
    ] {
        let (status, answer) = get(&studio, &body).await;
        assert_eq!((status, &answer["__type"]), (400, &json!(kind)), "{body}");
    }
    let other = call(&studio, "secretsmanager.DeleteSecret", &current).await;
    assert_eq!(other.json::<Value>().await.unwrap()["__type"], "UnknownOperationException");
}

#[tokio::test]
async fn a_variable_sets_a_secret_and_without_it_the_function_has_no_arn() {
    let without = environment(&start_studio().await).await;
    assert_eq!((&without["PROVIDER_KEY_ARN"], &without["PROVIDER_KEY_SET"]), (&"".into(), &"".into()));
    assert_eq!(without["ARN"], "arn:aws:lambda:us-east-1:000000000000:function:Impatient");
    let set = options().variable("PROVIDER_KEY", "sk-1").variable("SIGNING_KEY", SET);
    let studio = Studio::start(set).await.unwrap();
    assert_eq!(secret_values(&studio).await, [Some(SET.to_owned()), None]);
    let with = environment(&studio).await;
    assert_eq!(with["PROVIDER_KEY_SET"], "true");
    let arn = with["PROVIDER_KEY_ARN"].clone();
    assert_eq!(get(&studio, &json!({ "SecretId": arn })).await.1["SecretString"], "sk-1");
    let empty = Studio::start(options().variable("PROVIDER_KEY", "")).await.unwrap();
    assert_eq!(environment(&empty).await["PROVIDER_KEY_ARN"], "");
}

#[tokio::test]
async fn a_rotated_secret_keeps_its_previous_value() {
    let studio = Studio::start(options().variable("SIGNING_KEY", SET)).await.unwrap();
    studio.rotate_secret("SIGNING_KEY", ROTATED).unwrap();
    assert_eq!(secret_values(&studio).await, some([ROTATED, SET]));
    studio.rotate_secret("SIGNING_KEY", ROTATED).unwrap();
    assert_eq!(secret_values(&studio).await, some([ROTATED, SET]), "the same value is not a rotation");
    let unknown = studio.rotate_secret("NOBODY", ROTATED);
    assert!(matches!(unknown, Err(Error::UnknownSecret(name)) if name == "NOBODY"));
}

#[tokio::test]
async fn stored_secrets_and_their_rotations_survive_a_restart() {
    let folder = Folder::new();
    let nothing = |_: &Studio| {};
    let [made, _] = values_in(&folder, |it| it, nothing).await;
    let made = made.unwrap();
    assert_eq!(values_in(&folder, |it| it, nothing).await, [Some(made.clone()), None]);
    let rotate = |studio: &Studio| studio.rotate_secret("SIGNING_KEY", ROTATED).unwrap();
    values_in(&folder, |it| it, rotate).await;
    assert_eq!(values_in(&folder, |it| it, nothing).await, some([ROTATED, &made]));
    // Setting or changing the variable is a rotation; keeping it is not.
    let set = |it: Options| it.variable("SIGNING_KEY", SET).variable("PROVIDER_KEY", "sk-1");
    assert_eq!(values_in(&folder, set, nothing).await, some([SET, ROTATED]));
    assert_eq!(values_in(&folder, set, nothing).await, some([SET, ROTATED]));
    let change = |it: Options| it.variable("SIGNING_KEY", CHANGED);
    assert_eq!(values_in(&folder, change, rotate).await, some([ROTATED, CHANGED]));
    assert_eq!(values_in(&folder, change, nothing).await, some([ROTATED, CHANGED]));
    let kept = std::fs::read_to_string(folder.path().join("secrets.json")).unwrap();
    assert!(!kept.contains("sk-1"), "a provider's key is not kept");
}
