//! `cargo bench --profile dev --bench budgets` prints the DynamoDB requests and capacity units of every operation, as
//! `ReturnConsumedCapacity` reports them, beside its budget. It also shows that the cost does not depend on how much
//! data a user has, and what a million turns cost. It fails when a budget is exceeded.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends by panicking"
)]
#![allow(
    dead_code,
    unused_imports,
    clippy::expect_used,
    clippy::panic,
    reason = "what the tests of the API have, of which little is used here"
)]

#[path = "../benchmark.rs"]
mod benchmark;
#[path = "../api/limits/budgets.rs"]
mod budgets;
mod caller;
mod conversations;
#[path = "../api/support/mod.rs"]
mod support;
#[path = "../api/limits/turn_budget.rs"]
mod turn_budget;

use caller::Caller;
use local::{Options, Reading, Studio};

/// Requests, write units and read units.
type Cost = [f64; 3];

/// The cost of an operation, and the DynamoDB requests that it is the sum of.
pub(crate) struct Measured {
    cost: Cost,
    reading: Reading,
}

impl Measured {
    /// Prints the DynamoDB requests.
    fn explain(&self) {
        for ((operation, table), usage) in &self.reading.by_operation {
            println!("    {operation} of {table}: {usage:?}");
        }
    }
}

impl From<Reading> for Measured {
    fn from(reading: Reading) -> Self {
        let total = reading.total();
        Self { cost: [total.requests as f64, total.write_units, total.read_units], reading }
    }
}

/// The measured costs, beside the budgets.
#[derive(Default)]
pub(crate) struct Table {
    exceeded: Vec<String>,
}

impl Table {
    fn heading(&self, what: &str) {
        println!("\n{what}\n{:<52} {:>9} {:>9} {:>9}   budget", "", "requests", "writes", "reads");
    }

    /// Adds a row. An operation without a budget is only shown.
    fn row(&mut self, name: &str, measured: &Measured, budget: Option<Cost>) {
        let cost = measured.cost;
        let [requests, writes, reads] = cost;
        let within = budget.is_none_or(|budget| cost.iter().zip(budget).all(|(cost, most)| *cost <= most));
        let budget = budget.map_or("-".to_owned(), |[r, w, u]| format!("{r} / {w} / {u}"));
        let mark = if within { "" } else { "  EXCEEDED" };
        println!("{name:<52} {requests:>9} {writes:>9} {reads:>9}   {budget}{mark}");
        if !within {
            measured.explain();
            self.exceeded.push(name.to_owned());
        }
    }

    /// Adds the rows of one operation for users with a growing amount of data. Their costs must be equal.
    fn same(&mut self, name: &str, costs: &[(usize, Measured)]) {
        for (size, measured) in costs {
            self.row(&format!("{name}, {size}"), measured, None);
        }
        if costs.iter().any(|(_, measured)| measured.cost != costs[0].1.cost) {
            costs.iter().for_each(|(_, measured)| measured.explain());
            println!("{name} depends on how much there is");
            self.exceeded.push(name.to_owned());
        }
    }
}

#[tokio::main]
async fn main() {
    if !benchmark::is_asked_for() {
        return;
    }
    let quick = std::env::args().any(|argument| argument == "quick");
    println!("Accounts, beside their budgets");
    budgets::accounts().await;
    budgets::registration().await;
    println!(
        "\nA turn over the WebSocket (budget: 42 write units, 10 read units and the history, 45 posts, $100)"
    );
    turn_budget::turn().await;
    // Each instance reads the user item for itself, so with a single instance the benchmark knows when a read is due.
    let options = Options::default().variable("RATE_LIMIT", "0").limits(|limits| limits.max_instances = 1);
    let studio = Studio::start(options).await.unwrap();
    let mut table = Table::default();
    conversations::ordinary(&studio, &mut table).await;
    let sizes: &[usize] = if quick { &[10, 1000] } else { &[10, 1000, 10_000] };
    conversations::growing(&studio, &mut table, sizes).await;
    studio.stop().await;
    assert!(table.exceeded.is_empty(), "over budget: {:?}", table.exceeded);
    println!("\nAll within their budgets.");
}
