//! Accounts: users, their sessions, and the connections that they own.

pub mod account;
pub mod claimed_user;
pub mod connection;
pub mod login_name;
pub mod session;
