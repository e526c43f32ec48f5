//! Limits on requests, tokens, memory and database use.

pub(crate) mod budgets;
pub(crate) mod costs;
pub(crate) mod memory;
pub(crate) mod requests;
pub(crate) mod reservations;
pub(crate) mod spending;
pub(crate) mod turn_budget;
