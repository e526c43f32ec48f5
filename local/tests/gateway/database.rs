//! DynamoDB through the proxy.

use std::time::{Duration, Instant};

use local::{DynamoDbFault, Studio, Target, When};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::{options, signature, start_studio};

async fn call(studio: &Studio, operation: &str, body: Value) -> Result<Response, reqwest::Error> {
    let request = Client::new()
        .post(studio.dynamodb_url())
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("authorization", signature(studio));
    request.body(body.to_string()).send().await
}

async fn answer(studio: &Studio, operation: &str, body: Value) -> (u16, Value) {
    let response = call(studio, operation, body).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn put(key: &str) -> Value {
    json!({ "TableName": "Table", "Item": { "pk": { "S": key }, "owner": { "S": "me" } } })
}

fn get(key: &str) -> Value {
    json!({ "TableName": "Table", "Key": { "pk": { "S": key } } })
}

#[tokio::test]
async fn the_tables_of_the_template_exist_with_their_indexes_and_ttl() {
    let studio = start_studio().await;
    let (_, table) = answer(&studio, "DescribeTable", json!({ "TableName": "Table" })).await;
    assert_eq!(table["Table"]["GlobalSecondaryIndexes"][0]["IndexName"], "by_owner");
    assert_eq!(table["Table"]["GlobalSecondaryIndexes"][0]["Projection"]["ProjectionType"], "KEYS_ONLY");
    let (_, ttl) = answer(&studio, "DescribeTimeToLive", json!({ "TableName": "Table" })).await;
    assert_eq!(
        ttl["TimeToLiveDescription"],
        json!({ "AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED" })
    );
}

#[tokio::test]
async fn requests_and_units_are_metered_by_operation_and_table() {
    let studio = start_studio().await;
    assert_eq!(answer(&studio, "PutItem", put("a")).await.0, 200);
    assert_eq!(answer(&studio, "GetItem", get("a")).await.0, 200);
    let failing = json!({ "TableName": "Table", "Key": { "pk": { "S": "a" } }, "ConditionExpression": "attribute_not_exists(pk)" });
    assert_eq!(answer(&studio, "DeleteItem", failing).await.0, 400);
    let transaction = json!({ "TransactItems": [{ "Put": put("b") }, { "Put": put("c") }] });
    assert_eq!(answer(&studio, "TransactWriteItems", transaction).await.0, 200);
    let meter = studio.meter();
    // One unit for the item and one for its index entry; a transaction costs twice as much.
    assert_eq!((meter.operation("PutItem").requests, meter.operation("PutItem").write_units), (1, 2.0));
    assert_eq!((meter.operation("GetItem").requests, meter.operation("GetItem").read_units), (1, 0.5));
    assert_eq!((meter.operation("DeleteItem").requests, meter.operation("DeleteItem").errors), (1, 1));
    assert_eq!(meter.operation("TransactWriteItems").requests, 1);
    assert!(meter.operation("TransactWriteItems").write_units >= 6.0);
    assert_eq!(meter.total().requests, 4);
    assert_eq!(meter.table("Table").requests, 4);
    studio.reset_meter();
    assert_eq!(studio.meter().total().requests, 0);
}

#[tokio::test]
async fn a_transaction_conflict_reads_like_that_of_aws() {
    let studio = start_studio().await;
    studio.faults().dynamodb(
        DynamoDbFault::Conflict,
        Target::operation("TransactWriteItems"),
        When::Times(1),
    );
    let transaction = json!({ "TransactItems": [{ "Put": put("b") }, { "Put": put("c") }] });
    let (status, body) = answer(&studio, "TransactWriteItems", transaction.clone()).await;
    assert_eq!(status, 400);
    assert!(body["__type"].as_str().unwrap().ends_with("#TransactionCanceledException"));
    assert_eq!(body["CancellationReasons"][0]["Code"], "TransactionConflict");
    assert_eq!(body["CancellationReasons"][1], json!({ "Code": "None" }));
    assert_eq!(answer(&studio, "TransactWriteItems", transaction).await.0, 200);
}

#[tokio::test]
async fn faults_affect_only_their_targets() {
    let studio = start_studio().await;
    let faults = studio.faults();
    faults.dynamodb(
        DynamoDbFault::ThroughputExceeded,
        Target::operation("PutItem").table("Other"),
        When::Always,
    );
    assert_eq!(answer(&studio, "PutItem", put("a")).await.0, 200);
    faults.dynamodb(
        DynamoDbFault::ThroughputExceeded,
        Target::operation("PutItem").table("Table"),
        When::Times(1),
    );
    assert_eq!(answer(&studio, "GetItem", get("a")).await.0, 200);
    let (status, body) = answer(&studio, "PutItem", put("b")).await;
    assert_eq!(status, 400);
    assert!(body["__type"].as_str().unwrap().ends_with("#ProvisionedThroughputExceededException"));
    assert_eq!(answer(&studio, "GetItem", get("b")).await.1.get("Item"), None);
    faults.clear();
    faults.dynamodb(DynamoDbFault::Delay(Duration::from_millis(80)), Target::any(), When::Times(1));
    let asked = Instant::now();
    assert_eq!(answer(&studio, "PutItem", put("c")).await.0, 200);
    assert!(asked.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_commit() {
    let studio = start_studio().await;
    studio.faults().dynamodb(DynamoDbFault::AnswerLost, Target::operation("PutItem"), When::Times(1));
    assert!(call(&studio, "PutItem", put("kept")).await.is_err());
    assert_eq!(answer(&studio, "GetItem", get("kept")).await.1["Item"]["pk"]["S"], "kept");
}

#[tokio::test]
async fn data_on_disk_survives_a_restart_and_only_one_studio_can_use_it() {
    let folder = std::env::temp_dir().join(format!("local-data-{}", std::process::id()));
    let first = Studio::start(options().directory(&folder)).await.unwrap();
    assert_eq!(answer(&first, "PutItem", put("kept")).await.0, 200);
    let line = Studio::start(options().directory(&folder)).await.unwrap_err().to_string();
    assert!(line.contains("another studio uses"), "{line}");
    first.stop().await;
    let second = Studio::start(options().directory(&folder)).await.unwrap();
    assert_eq!(answer(&second, "GetItem", get("kept")).await.1["Item"]["pk"]["S"], "kept");
    second.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}
