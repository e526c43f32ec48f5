//! HTTP: parsing requests into types, and turning answers and errors into JSON with status and headers.

mod answer;
mod asset;
pub mod cursor;
mod parameters;
mod percent;
mod precondition;
mod problem;
mod request;
mod serve;

pub use answer::Answer;
pub use asset::Asset;
pub use cursor::fingerprint;
pub use parameters::Parameters;
pub use percent::percent_encoded;
pub use problem::{Problem, status_of};
pub use request::Request;
pub use serve::{Group, serve};
