//! What functions share at their cold start: settings from the environment, and the clients made from them.

mod admission;
mod context;
mod providers;
mod settings;

pub use context::AppContext;
pub use providers::{Providers, providers};
pub use settings::{limits, offer, variables};
pub(crate) use settings::{rate, unless_zero};

/// Why a function cannot start. Lambda logs it.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;
