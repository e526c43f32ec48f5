//! Calls the embedded database in this process, without a listener.

use bytes::Bytes;
use dynoxide::{Database, DynoxideError, Result};
use http::StatusCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

/// The answer of DynamoDB to a call.
pub(super) fn answer(database: &Database, operation: &str, body: &[u8]) -> (StatusCode, Bytes) {
    match operation {
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| database.batch_write_item(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        "DescribeTimeToLive" => call(body, |request| database.describe_time_to_live(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "ListTables" => call(body, |request| database.list_tables(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "Query" => call(body, |request| database.query(request)),
        "Scan" => call(body, |request| database.scan(request)),
        "TransactGetItems" => call(body, |request| database.transact_get_items(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        _ => {
            let body = json!({ "__type": "com.amazon.coral.service#UnknownOperationException" });
            (StatusCode::BAD_REQUEST, body.to_string().into())
        }
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    act: impl FnOnce(Q) -> Result<A>,
) -> (StatusCode, Bytes) {
    let not_understood = |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let answer = serde_json::from_slice(body).map_err(not_understood).and_then(act);
    let answer = answer.and_then(|answer| {
        serde_json::to_vec(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    });
    match answer {
        Ok(answer) => (StatusCode::OK, answer.into()),
        Err(error) => {
            let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
            (status, error.to_json().into())
        }
    }
}
