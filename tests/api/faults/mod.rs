//! What users notice when processes die and services fail.

pub(crate) mod interrupted_writes;
pub(crate) mod leftovers;
pub(crate) mod matrix;
pub(crate) mod outages;
pub(crate) mod random_operations;
pub(crate) mod repair;
pub(crate) mod restart;
pub(crate) mod two_devices;
