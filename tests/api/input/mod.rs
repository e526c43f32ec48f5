//! Input that breaks a rule.

mod bad_input;
mod bad_requests;
pub(crate) mod bad_routes;
mod parameters;
