//! HTTP: requests parsed into types, answers and errors turned into JSON with their status and headers.

mod answer;
mod asset;
pub mod cursor;
mod parameters;
mod precondition;
mod problem;
mod request;
mod serve;

pub use answer::Answer;
pub use asset::Asset;
pub use cursor::fingerprint;
pub use parameters::Parameters;
pub use problem::{Problem, status_of};
pub use request::{Request, percent_encoded};
pub use serve::{Group, serve};
