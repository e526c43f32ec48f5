//! Input that breaks a rule.

pub(crate) mod bad_input;
pub(crate) mod bad_requests;
pub(crate) mod bad_routes;
pub(crate) mod parameters;
