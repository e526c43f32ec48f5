//! Counts what the functions ask of DynamoDB, and what it would cost.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde::Deserialize;

use crate::sync::lock;

/// What was asked of one table by one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Requests, those that failed among them.
    pub requests: u64,
    /// Requests that were answered with an error.
    pub errors: u64,
    /// Read units, as `ReturnConsumedCapacity` reports them, indexes among them. An error reports none.
    pub read_units: f64,
    /// Write units, likewise. (The cloud also bills a write whose condition failed.)
    pub write_units: f64,
}

impl Usage {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.read_units += other.read_units;
        self.write_units += other.write_units;
    }
}

/// What the functions asked of DynamoDB since the studio started or the meter was reset.
///
/// A request over several tables counts as one request, of the first table it names, and its units as each
/// table's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// By operation and table. A request that names no table counts under the empty name.
    pub by_operation: BTreeMap<(String, String), Usage>,
}

impl Reading {
    /// Everything together.
    pub fn total(&self) -> Usage {
        self.sum(|_, _| true)
    }

    /// One operation over all tables.
    pub fn operation(&self, operation: &str) -> Usage {
        self.sum(|it, _| it == operation)
    }

    /// All operations on one table.
    pub fn table(&self, table: &str) -> Usage {
        self.sum(|_, it| it == table)
    }

    fn sum(&self, matches: impl Fn(&str, &str) -> bool) -> Usage {
        let mut sum = Usage::default();
        for ((operation, table), usage) in &self.by_operation {
            if matches(operation, table) {
                sum.add(*usage);
            }
        }
        sum
    }
}

/// The meter of a studio.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    reading: Arc<Mutex<Reading>>,
}

impl Meter {
    pub(crate) fn read(&self) -> Reading {
        lock(&self.reading).clone()
    }

    pub(crate) fn reset(&self) {
        *lock(&self.reading) = Reading::default();
    }

    /// Counts one request and the capacity its answer reports.
    pub(crate) fn count(&self, operation: &str, table: &str, is_error: bool, answer: &[u8]) {
        let consumed = if is_error { Vec::new() } else { consumed(answer) };
        let reads = is_read(operation);
        let mut reading = lock(&self.reading);
        let mut add = |table: &str, usage| {
            let key = (operation.to_owned(), table.to_owned());
            reading.by_operation.entry(key).or_default().add(usage);
        };
        add(table, Usage { requests: 1, errors: u64::from(is_error), ..Usage::default() });
        for capacity in consumed {
            let units = capacity.capacity_units;
            let (read_units, write_units) = if reads { (units, 0.0) } else { (0.0, units) };
            add(&capacity.table_name, Usage { read_units, write_units, ..Usage::default() });
        }
    }
}

/// Whether an operation's capacity is of reading.
fn is_read(operation: &str) -> bool {
    ["BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems"].contains(&operation)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Capacity {
    #[serde(default)]
    table_name: String,
    #[serde(default)]
    capacity_units: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Capacity),
    Many(Vec<Capacity>),
}

fn consumed(answer: &[u8]) -> Vec<Capacity> {
    #[derive(Deserialize)]
    struct MeteredAnswer {
        #[serde(rename = "ConsumedCapacity")]
        consumed: Option<OneOrMany>,
    }
    match serde_json::from_slice::<MeteredAnswer>(answer).ok().and_then(|answer| answer.consumed) {
        Some(OneOrMany::One(capacity)) => vec![capacity],
        Some(OneOrMany::Many(capacities)) => capacities,
        None => Vec::new(),
    }
}
