//! Fault injection. Faults are injected by the services of the studio; the functions contain no test switches.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::sync::lock;

/// Which of the calls that a fault applies to fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// Every call, until [`Faults::clear`].
    Always,
    /// The first so many calls.
    Times(u32),
    /// Each call with this probability (0 to 1).
    Probability(f64),
}

/// A fault of a DynamoDB call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DynamoDbFault {
    /// `ProvisionedThroughputExceededException`; nothing is done.
    ThroughputExceeded,
    /// `ThrottlingException`; nothing is done.
    Throttled,
    /// A transaction is cancelled with `TransactionConflict` for its first member; any other call fails with
    /// `TransactionConflictException`. Nothing is done.
    Conflict,
    /// `InternalServerError` with status 500; nothing is done.
    InternalError,
    /// The call is done, and the connection is closed without an answer.
    AnswerLost,
    /// The call is done after this delay.
    Delay(Duration),
    /// Only the first write of a batch is done, and the others are returned as unprocessed. Any other call is done.
    LeftOver,
}

/// The DynamoDB calls that a fault applies to: all calls, unless restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    operation: Option<String>,
    table: Option<String>,
}

impl Target {
    /// All calls.
    pub fn any() -> Self {
        Self::default()
    }

    /// All calls of one operation, such as `TransactWriteItems`.
    pub fn operation(name: impl Into<String>) -> Self {
        Self { operation: Some(name.into()), table: None }
    }

    /// Restricts the target to calls that name this table.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = Some(name.into());
        self
    }

    fn matches(&self, operation: &str, body: &[u8]) -> bool {
        let is_operation = self.operation.as_deref().is_none_or(|wanted| wanted == operation);
        is_operation && self.table.as_deref().is_none_or(|table| names_table(body, table))
    }
}

/// Whether a request names this table, as `TableName` or as a key of a batch.
fn names_table(body: &[u8], table: &str) -> bool {
    let body = String::from_utf8_lossy(body);
    body.contains(&format!("\"TableName\":\"{table}\"")) || body.contains(&format!("\"{table}\":"))
}

/// A fault of an `@connections` call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionFault {
    /// `GoneException` (410) for this and all later calls. `$disconnect` follows only when the client closes the
    /// connection.
    Gone,
    /// `LimitExceededException` (429).
    LimitExceeded,
    /// The call is never answered.
    Hang,
}

/// A fault of an asynchronous invocation. The caller does not notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationFault {
    /// The event arrives twice.
    Duplicate,
    /// The event never arrives.
    Lost,
}

/// A fault of sending a mail. The mail is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// `TooManyRequestsException` (429).
    TooMany,
    /// `MessageRejected` (400).
    Rejected,
    /// Status 500.
    InternalError,
}

/// The faults of a studio. If several faults apply to a call, the first one that was set is used. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<Rules>>,
    struck: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Rules {
    dynamodb: Vec<Rule<DynamoDbFault, Target>>,
    connections: Vec<Rule<ConnectionFault, Option<String>>>,
    invocations: Vec<Rule<InvocationFault, Option<String>>>,
    mails: Vec<Rule<MailFault, ()>>,
}

#[derive(Debug)]
struct Rule<Fault, Target> {
    fault: Fault,
    target: Target,
    when: When,
}

impl Faults {
    /// Injects faults into DynamoDB calls.
    pub fn dynamodb(&self, fault: DynamoDbFault, target: Target, when: When) {
        lock(&self.rules).dynamodb.push(Rule { fault, target, when });
    }

    /// Injects faults into `@connections` calls, for one connection or for all.
    pub fn connections(&self, fault: ConnectionFault, connection: Option<&str>, when: When) {
        let target = connection.map(str::to_owned);
        lock(&self.rules).connections.push(Rule { fault, target, when });
    }

    /// Injects faults into asynchronous invocations, of one function (by its name) or of all.
    pub fn invocations(&self, fault: InvocationFault, function: Option<&str>, when: When) {
        let target = function.map(str::to_owned);
        lock(&self.rules).invocations.push(Rule { fault, target, when });
    }

    /// Injects faults into sending mails.
    pub fn mails(&self, fault: MailFault, when: When) {
        lock(&self.rules).mails.push(Rule { fault, target: (), when });
    }

    /// Removes all faults.
    pub fn clear(&self) {
        *lock(&self.rules) = Rules::default();
    }

    /// The number of injected faults since the studio started.
    pub fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    pub(crate) fn dynamodb_call(&self, operation: &str, body: &[u8]) -> Option<DynamoDbFault> {
        self.strike(|rules| &mut rules.dynamodb, |target| target.matches(operation, body))
    }

    pub(crate) fn connection(&self, id: &str) -> Option<ConnectionFault> {
        self.strike(
            |rules| &mut rules.connections,
            |target| target.as_deref().is_none_or(|wanted| wanted == id),
        )
    }

    pub(crate) fn invocation(&self, function: &str) -> Option<InvocationFault> {
        self.strike(
            |rules| &mut rules.invocations,
            |target| target.as_deref().is_none_or(|it| it == function),
        )
    }

    pub(crate) fn mail(&self) -> Option<MailFault> {
        self.strike(|rules| &mut rules.mails, |()| true)
    }

    fn strike<Fault: Copy, Target>(
        &self,
        list: impl FnOnce(&mut Rules) -> &mut Vec<Rule<Fault, Target>>,
        matches: impl Fn(&Target) -> bool,
    ) -> Option<Fault> {
        let mut rules = lock(&self.rules);
        let rules = list(&mut rules);
        let fault = rules.iter_mut().find_map(|rule| {
            let strikes = matches(&rule.target) && rule.when.strikes();
            strikes.then_some(rule.fault)
        })?;
        rules.retain(|rule| rule.when != When::Times(0));
        self.struck.fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }
}

impl When {
    fn strikes(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Times(0) => false,
            Self::Times(left) => {
                *left -= 1;
                true
            }
            Self::Probability(probability) => fastrand::f64() < *probability,
        }
    }
}
