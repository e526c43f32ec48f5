//! What users notice when processes die and services fail.

mod database;
mod deliveries;
mod dying_functions;
mod interrupted_writes;
mod leftovers;
mod matrix;
mod random_operations;
mod repair;
mod restart;
mod two_devices;
