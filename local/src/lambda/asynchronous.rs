//! Asynchronous invocations: accepts, retries and gives up calls as the template says.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{ASYNCHRONOUS_LIMIT, Function, Functions, InvokeError};
use crate::{
    clock,
    faults::{Faults, InvocationFault},
    queues::Queues,
    template::FailureDestination,
};

/// Asynchronous invocations of all functions. Events wait in the queues of the functions until an instance is free.
#[derive(Clone, Debug)]
pub(crate) struct Asynchronous {
    pub(crate) functions: Arc<Functions>,
    pub(crate) queues: Queues,
    pub(crate) faults: Faults,
    pub(crate) retry_delay: Duration,
}

impl Asynchronous {
    /// Accepts an event for `function`. The caller does not learn the outcome.
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
            let condition = match attempt > function.asynchronous.retries {
                true => Some("RetriesExhausted"),
                false => too_old.then_some("EventAgeExceeded"),
            };
            if let Some(condition) = condition {
                let failure = FailedCall { condition, attempts: attempt, error: &error };
                self.give_up(&function, &payload, &failure);
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Logs a failed call, and sends a record of it to the failure destination, if the template names one.
    fn give_up(&self, function: &Function, payload: &Bytes, failure: &FailedCall<'_>) {
        let FailedCall { attempts, error, .. } = failure;
        function.logs.keep(format!("asynchronous call failed after {attempts} attempt(s): {error}"));
        let record = || failure.record(function, payload);
        match &function.asynchronous.on_failure {
            Some(FailureDestination::Function(name)) => {
                if let Some(destination) = self.functions.find(name) {
                    // The destination is invoked asynchronously. Records of more than 1 MB are dropped, as in the
                    // cloud.
                    self.accept(destination, &record()).ok();
                }
            }
            Some(FailureDestination::Queue(name)) => self.queues.send(name, &record()),
            None => {}
        }
    }
}

/// A call that failed on its last attempt.
struct FailedCall<'a> {
    condition: &'static str,
    attempts: u32,
    error: &'a InvokeError,
}

impl FailedCall<'_> {
    /// The record for the failure destination.
    fn record(&self, function: &Function, payload: &Bytes) -> Bytes {
        let event: Option<&RawValue> = serde_json::from_slice(payload).ok();
        let document = RawValue::from_string(self.error.document()).ok();
        let record = serde_json::json!({
            "version": "1.0",
            "timestamp": clock::rfc3339(clock::now_ms()),
            "requestContext": {
                "requestId": super::request_id(),
                "functionArn": format!("{}:$LATEST", function.arn),
                "condition": self.condition,
                "approximateInvokeCount": self.attempts,
            },
            "requestPayload": event,
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "responsePayload": document,
        });
        Bytes::from(record.to_string())
    }
}
