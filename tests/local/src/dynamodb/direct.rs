//! Calls of the embedded database that are done at once, in this process: its own server is a second trip through loopback,
//! and reads every request twice over.

use bytes::Bytes;
use dynoxide::{Database, Result};
use serde::{Serialize, de::DeserializeOwned};

/// The answer to a call that succeeds. None for all others, which change nothing: the database's own server says what is wrong
/// with them, in DynamoDB's words.
pub(super) fn answer(database: &Database, operation: &str, body: &[u8]) -> Option<Bytes> {
    match operation {
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| database.batch_write_item(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "Query" => call(body, |request| database.query(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        _ => None,
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(body: &[u8], act: impl FnOnce(Q) -> Result<A>) -> Option<Bytes> {
    let answer = act(serde_json::from_slice(body).ok()?).ok()?;
    serde_json::to_vec(&answer).ok().map(Bytes::from)
}
