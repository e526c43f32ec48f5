//! Accounts: registration, profile, passwords, mails, sessions, API keys, and the end of an account.

mod account_deletion;
mod api_keys;
mod mails;
mod passwords;
mod profile;
mod registration;
mod second_factor;
mod sessions;
