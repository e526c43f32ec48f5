//! Counts the DynamoDB requests of the functions, and their read and write units.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde::Deserialize;

use crate::sync::lock;

/// The usage of one table by one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// The number of requests, including failed ones.
    pub requests: u64,
    /// The number of requests that failed.
    pub errors: u64,
    /// The read units that `ReturnConsumedCapacity` reports, including those of indexes. Errors report none.
    pub read_units: f64,
    /// The write units, likewise. The cloud also bills writes whose condition failed.
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

/// The DynamoDB usage of the functions since the studio started or the meter was reset.
///
/// A request with several tables counts as one request of the first table. Its units count for each table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The usage by operation and table. Requests without a table have the empty name.
    pub by_operation: BTreeMap<(String, String), Usage>,
}

impl Reading {
    /// The total usage.
    pub fn total(&self) -> Usage {
        self.sum(|_, _| true)
    }

    /// The usage of one operation on all tables.
    pub fn operation(&self, operation: &str) -> Usage {
        self.sum(|it, _| it == operation)
    }

    /// The usage of one table by all operations.
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

    /// Counts one request, and the units that its answer reports.
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

/// Whether an operation consumes read units.
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
