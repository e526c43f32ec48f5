//! Limits on requests, tokens, memory and database use.

mod budgets;
mod costs;
mod memory;
mod requests;
mod reservations;
mod spending;
mod turn_budget;
