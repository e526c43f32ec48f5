//! IAM: a function may do what the template permits, and nothing else.

use local::Studio;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::{key_of, signed_with, start_studio};

/// Sends a request that is signed with this access key id.
async fn send(key: &str, method: Method, url: &str, target: &str, body: &Value) -> Response {
    let request = Client::new().request(method, url).header("authorization", signed_with(key));
    let request = request.header("content-type", "application/x-amz-json-1.0").header("x-amz-target", target);
    request.body(body.to_string()).send().await.unwrap()
}

/// Whether the function `Web` may do this in DynamoDB.
async fn may(studio: &Studio, operation: &str, body: &Value) -> bool {
    let target = format!("DynamoDB_20120810.{operation}");
    let response = send(&key_of(studio, "Web"), Method::POST, &studio.dynamodb_url(), &target, body).await;
    let status = response.status();
    let text = response.text().await.unwrap();
    let denied = text.contains("AccessDeniedException");
    assert!(status == 200 || (status == 400 && denied), "{operation}: {text}");
    !denied
}

fn item() -> Value {
    json!({ "pk": { "S": "a" }, "owner": { "S": "ada" } })
}

#[tokio::test]
async fn a_function_may_do_only_what_is_permitted_with_a_table() {
    let studio = start_studio().await;
    let (table, key) = ("Table", json!({ "pk": { "S": "a" } }));
    assert!(may(&studio, "PutItem", &json!({ "TableName": table, "Item": item() })).await);
    assert!(may(&studio, "GetItem", &json!({ "TableName": table, "Key": key })).await);
    assert!(!may(&studio, "DeleteItem", &json!({ "TableName": table, "Key": key })).await);
    assert!(!may(&studio, "Scan", &json!({ "TableName": table })).await);
    let query = |index: Option<&str>| {
        let (attribute, mut query) =
            (if index.is_some() { "#o" } else { "pk" }, json!({ "TableName": table }));
        query["KeyConditionExpression"] = json!(format!("{attribute} = :v"));
        query["ExpressionAttributeValues"] = json!({ ":v": { "S": "ada" } });
        if let Some(index) = index {
            query["IndexName"] = json!(index);
            query["ExpressionAttributeNames"] = json!({ "#o": "owner" });
        }
        query
    };
    assert!(may(&studio, "Query", &query(Some("by_owner"))).await);
    assert!(!may(&studio, "Query", &query(None)).await, "an index is not its table");
}

#[tokio::test]
async fn a_transaction_needs_the_permissions_of_all_its_members() {
    let studio = start_studio().await;
    let put = json!({ "Put": { "TableName": "Table", "Item": item() } });
    let delete = json!({ "Delete": { "TableName": "Table", "Key": { "pk": { "S": "b" } } } });
    assert!(may(&studio, "TransactWriteItems", &json!({ "TransactItems": [put] })).await);
    assert!(!may(&studio, "TransactWriteItems", &json!({ "TransactItems": [put, delete] })).await);
    let batch = json!({ "RequestItems": { "Table": [{ "PutRequest": { "Item": item() } }] } });
    assert!(!may(&studio, "BatchWriteItem", &batch).await);
}

#[tokio::test]
async fn a_function_may_invoke_push_and_read_secrets_only_where_permitted() {
    let studio = start_studio().await;
    let invoke =
        |function: &str| format!("{}/2015-03-31/functions/{function}/invocations", studio.lambda_url());
    let push = format!("{}/@connections/nobody", studio.management_url());
    let (call, nothing) = (json!({ "do": "plain" }), json!({}));
    let [web, consumer] = ["Web", "Consumer"].map(|function| key_of(&studio, function));
    for (url, expected) in [(invoke("Consumer"), 200), (invoke("Web"), 403), (push.clone(), 410)] {
        assert_eq!(send(&web, Method::POST, &url, "", &call).await.status(), expected, "{url}");
    }
    assert_eq!(send(&consumer, Method::POST, &push, "", &call).await.status(), 403);
    assert_eq!(send(&web, Method::DELETE, &push, "", &nothing).await.status(), 403, "posting is not closing");
    let (secret, target) = (json!({ "SecretId": "SIGNING_KEY" }), "secretsmanager.GetSecretValue");
    for (caller, expected) in [(&web, 200), (&consumer, 400)] {
        let answer = send(caller, Method::POST, &studio.lambda_url(), target, &secret).await;
        assert_eq!(answer.status(), expected);
    }
    let mail = json!({
        "FromEmailAddress": "Studio <studio@example.com>",
        "Destination": { "ToAddresses": ["ada@example.com"] },
        "Content": { "Simple": { "Subject": { "Data": "hello" }, "Body": { "Text": { "Data": "hello" } } } },
    });
    let url = format!("{}/v2/email/outbound-emails", studio.lambda_url());
    for (caller, expected) in [(&web, 200), (&consumer, 403)] {
        assert_eq!(send(caller, Method::POST, &url, "", &mail).await.status(), expected);
    }
}

#[tokio::test]
async fn a_refusal_names_the_caller_the_action_and_the_resource() {
    let studio = start_studio().await;
    let body = json!({ "TableName": "Table" });
    let url = studio.dynamodb_url();
    let refused =
        send(&key_of(&studio, "Consumer"), Method::POST, &url, "DynamoDB_20120810.Scan", &body).await;
    let message = refused.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned();
    for part in
        ["assumed-role/Consumer", "dynamodb:Scan", "arn:aws:dynamodb:us-east-1:000000000000:table/Table"]
    {
        assert!(message.contains(part), "{message}");
    }
}
