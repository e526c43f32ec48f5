//! The items that a local studio has stored.

use serde_json::{Value, json};

use super::{TestStudio, User};

/// Sends a request to the studio's DynamoDB and returns the answer.
pub(crate) async fn dynamodb(studio: &TestStudio, operation: &str, body: &Value) -> Value {
    let request = reqwest::Client::new()
        .post(studio.dynamodb_url())
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", format!("AWS4-HMAC-SHA256 Credential={}/", studio.access_key_id()))
        .body(body.to_string());
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}

async fn items(studio: &TestStudio, partition: &str, from: &str) -> Vec<Value> {
    let query = json!({"TableName": "StudioTable", "ConsistentRead": true,
        "KeyConditionExpression": "pk = :pk AND sk >= :from",
        "ExpressionAttributeValues": {":pk": {"S": partition}, ":from": {"S": from}}});
    dynamodb(studio, "Query", &query).await["Items"].as_array().expect("items").clone()
}

pub(crate) async fn conversation_items(studio: &TestStudio, user: &User, id: &str) -> Vec<Value> {
    items(studio, &format!("CONVERSATION#{}#{id}", user.id), "A").await
}

/// The cleanup intents of a user.
pub(crate) async fn notes(studio: &TestStudio, user: &User) -> Vec<Value> {
    let from = items(studio, &format!("USER#{}", user.id), "UNFINISHED#").await;
    from.into_iter().filter(|item| item["kind"]["S"] == "unfinished").collect()
}

/// Moves a time attribute of an item into the past.
pub(crate) async fn move_into_past(studio: &TestStudio, item: &Value, attribute: &str) {
    let update = json!({"TableName": "StudioTable", "Key": {"pk": item["pk"], "sk": item["sk"]},
        "UpdateExpression": "SET #it = :past", "ExpressionAttributeNames": {"#it": attribute},
        "ExpressionAttributeValues": {":past": {"N": "1700000000"}}});
    dynamodb(studio, "UpdateItem", &update).await;
}

/// Lets cleanup intents be taken over, as if more than a minute had passed.
pub(crate) async fn finish_notes(studio: &TestStudio, user: &User) {
    for note in notes(studio, user).await {
        move_into_past(studio, &note, "until").await;
    }
    user.post("/api/conversations/delete", &json!({"ids": ["none"]})).await.expect(200);
    assert_eq!(notes(studio, user).await, Vec::<Value>::new());
}
