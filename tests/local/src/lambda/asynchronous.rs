//! Asynchronous calls: queued, retried, given up, as the template says.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{ASYNCHRONOUS_LIMIT, Function, Functions, InvokeError};
use crate::{
    clock,
    faults::{Faults, InvocationFault},
};

/// The queue of asynchronous calls. The queue itself is the functions' own: an event waits there for an
/// instance.
#[derive(Clone, Debug)]
pub(crate) struct Asynchronous {
    pub(crate) functions: Arc<Functions>,
    pub(crate) faults: Faults,
    pub(crate) retry_delay: Duration,
}

impl Asynchronous {
    /// Takes an event for `function`, or says why not. Whatever comes of it, the caller is not told.
    pub(crate) fn accept(&self, function: &Arc<Function>, payload: &Bytes) -> Result<(), InvokeError> {
        if payload.len() > ASYNCHRONOUS_LIMIT {
            return Err(InvokeError::EventTooLarge(payload.len()));
        }
        let deliveries = match self.faults.invocation(&function.name) {
            None => 1,
            Some(InvocationFault::Duplicate) => 2,
            Some(InvocationFault::Lost) => 0,
        };
        for _ in 0..deliveries {
            tokio::spawn(self.clone().deliver(function.clone(), payload.clone()));
        }
        Ok(())
    }

    async fn deliver(self, function: Arc<Function>, payload: Bytes) {
        let accepted = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Err(error) = function.invoke(payload.clone()).await else {
                return;
            };
            let pause = self.retry_delay * attempt;
            let too_old = accepted.elapsed() + pause > function.asynchronous.max_age;
            if attempt > function.asynchronous.retries || too_old {
                self.give_up(&function, &payload, attempt, &error);
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Tells the failure destination, where the template names one.
    fn give_up(&self, function: &Function, payload: &Bytes, attempts: u32, error: &InvokeError) {
        function.logs.keep(format!("an asynchronous call failed after {attempts} attempt(s): {error}"));
        let destination =
            function.asynchronous.on_failure.as_ref().and_then(|name| self.functions.find(name));
        if let Some(destination) = destination {
            // A destination is called asynchronously like any other function; a record over 1 MB is dropped,
            // as in the cloud.
            self.accept(destination, &failure_record(function, payload, attempts, error)).ok();
        }
    }
}

/// What a failure destination is told.
fn failure_record(function: &Function, payload: &Bytes, attempts: u32, error: &InvokeError) -> Bytes {
    let event: Option<&RawValue> = serde_json::from_slice(payload).ok();
    let document = RawValue::from_string(error.document()).ok();
    let record = serde_json::json!({
        "version": "1.0",
        "timestamp": clock::rfc3339(clock::now_ms()),
        "requestContext": {
            "requestId": super::request_id(),
            "functionArn": format!("{}:$LATEST", function.arn),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": document,
    });
    Bytes::from(record.to_string())
}
