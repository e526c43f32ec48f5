//! The DynamoDB endpoint of the functions: checks permissions, injects faults, and meters every call.

use bytes::Bytes;
use dynoxide::Database;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{actions, direct, meter::Meter};
use crate::{
    access::Door,
    faults::{DynamoDbFault, Faults},
    http1::{self, Answer, Body, Cut},
};

/// The maximum size of a DynamoDB request.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// The proxy between the functions and the embedded database.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(super) database: Database,
    pub(super) door: Door,
    pub(super) guards: Guards,
}

/// Fault injection and metering, which apply to every call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guards {
    pub(crate) faults: Faults,
    pub(crate) meter: Meter,
}

impl Proxy {
    /// Answers one call, or closes the connection without an answer.
    pub(crate) async fn handle(self, request: Request<Body>) -> Result<Answer, Cut> {
        let caller = match self.door.signer(&request) {
            Ok(caller) => caller,
            Err(refusal) => return Ok(*refusal),
        };
        let (head, body) = request.into_parts();
        let target =
            head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let Ok(body) = http1::read_body(body, REQUEST_LIMIT).await else {
            return Ok(http1::empty(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let table = table_of(&body).to_owned();
        let denied = actions::of(&operation, &body)
            .into_iter()
            .find_map(|(action, table)| caller.refusal(&action, &table));
        let fault = self.guards.faults.dynamodb_call(&operation, &body);
        let denied = denied.map(|reason| error("AccessDeniedException", &reason));
        let refused = || fault.and_then(|fault| refusal(fault, &operation, &body));
        let (status, answer) = match denied.or_else(refused) {
            Some((status, answer)) => (status, answer),
            None => {
                if let Some(DynamoDbFault::Delay(delay)) = fault {
                    tokio::time::sleep(delay).await;
                }
                let (body, left) = match fault {
                    Some(DynamoDbFault::LeftOver) if operation == "BatchWriteItem" => left_over(body),
                    _ => (body, None),
                };
                let body = with_capacity(&operation, body);
                let (status, answer) = direct::answer(&self.database, &operation, &body);
                (status, with_left_over(answer, left))
            }
        };
        self.guards.meter.count(&operation, &table, !status.is_success(), &answer);
        if fault == Some(DynamoDbFault::AnswerLost) {
            return Err(Cut);
        }
        let mut response = Response::new(Full::new(answer));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
        if let Ok(id) = HeaderValue::from_str(&crate::lambda::request_id()) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        Ok(response)
    }
}

/// Adds `ReturnConsumedCapacity` to a request without it. SDKs ignore the additional field of the answer.
fn with_capacity(operation: &str, body: Bytes) -> Bytes {
    let metered =
        operation.ends_with("Item") || operation.ends_with("Items") || ["Query", "Scan"].contains(&operation);
    let Some(rest) = body.strip_prefix(b"{").filter(|_| metered) else {
        return body;
    };
    const FIELD: &[u8] = br#""ReturnConsumedCapacity""#;
    if body.windows(FIELD.len()).any(|window| window == FIELD) {
        return body;
    }
    let mut longer = Vec::with_capacity(body.len() + 40);
    longer.extend_from_slice(br#"{"ReturnConsumedCapacity":"TOTAL""#);
    if rest.trim_ascii() != b"}" {
        longer.push(b',');
    }
    longer.extend_from_slice(rest);
    longer.into()
}

/// The first table that a request names.
fn table_of(body: &[u8]) -> &str {
    const FIELD: &str = r#""TableName":""#;
    let body = std::str::from_utf8(body).unwrap_or_default();
    let named = body.split_once(FIELD).and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
    named.unwrap_or_default()
}

/// The error of a fault, or `None` if the call is done despite the fault.
fn refusal(fault: DynamoDbFault, operation: &str, body: &[u8]) -> Option<(StatusCode, Bytes)> {
    let too_fast = "The level of configured provisioned throughput for the table was exceeded.";
    match fault {
        DynamoDbFault::ThroughputExceeded => Some(error("ProvisionedThroughputExceededException", too_fast)),
        DynamoDbFault::Throttled => {
            let body = json!({ "__type": "com.amazon.coral.availability#ThrottlingException", "message": "Rate exceeded" });
            Some((StatusCode::BAD_REQUEST, body.to_string().into()))
        }
        DynamoDbFault::Conflict if operation.starts_with("Transact") => Some(cancelled(members(body))),
        DynamoDbFault::Conflict => {
            Some(error("TransactionConflictException", "Transaction is ongoing for the item"))
        }
        DynamoDbFault::InternalError => Some(internal_error()),
        DynamoDbFault::AnswerLost | DynamoDbFault::Delay(_) | DynamoDbFault::LeftOver => None,
    }
}

/// The batch with only its first write, and the other writes.
fn left_over(body: Bytes) -> (Bytes, Option<Value>) {
    let Ok(mut batch) = serde_json::from_slice::<Value>(&body) else { return (body, None) };
    let mut left = serde_json::Map::new();
    let tables = batch.get_mut("RequestItems").and_then(Value::as_object_mut);
    for (table, writes) in tables.into_iter().flatten() {
        let Some(writes) = writes.as_array_mut().filter(|writes| writes.len() > 1) else { continue };
        left.insert(table.clone(), writes.split_off(1).into());
    }
    (batch.to_string().into(), Some(left.into()))
}

fn with_left_over(answer: Bytes, left: Option<Value>) -> Bytes {
    let (Some(left), Ok(mut whole)) = (left, serde_json::from_slice::<Value>(&answer)) else { return answer };
    if let Some(fields) = whole.as_object_mut() {
        fields.insert("UnprocessedItems".to_owned(), left);
    }
    whole.to_string().into()
}

fn error(kind: &str, message: &str) -> (StatusCode, Bytes) {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": message });
    (StatusCode::BAD_REQUEST, body.to_string().into())
}

fn internal_error() -> (StatusCode, Bytes) {
    let (_, body) = error("InternalServerError", "Internal server error");
    (StatusCode::INTERNAL_SERVER_ERROR, body)
}

/// The error of a transaction with so many members that a conflict of the first one cancelled.
fn cancelled(members: usize) -> (StatusCode, Bytes) {
    let codes: Vec<&str> =
        (0..members.max(1)).map(|member| if member == 0 { "TransactionConflict" } else { "None" }).collect();
    let reasons: Vec<_> = codes
        .iter()
        .map(|code| match *code {
            "None" => json!({ "Code": code }),
            _ => json!({ "Code": code, "Message": "Transaction is ongoing for the item" }),
        })
        .collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "CancellationReasons": reasons,
        "Message": message,
    });
    (StatusCode::BAD_REQUEST, body.to_string().into())
}

fn members(body: &[u8]) -> usize {
    #[derive(Deserialize)]
    struct Transaction {
        #[serde(rename = "TransactItems")]
        items: Vec<IgnoredAny>,
    }
    serde_json::from_slice::<Transaction>(body).map_or(0, |transaction| transaction.items.len())
}
