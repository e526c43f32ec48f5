//! The answer of routes that have nothing to return.

use serde::Serialize;
use shared::Result;
use shared::http::Answer;
use utoipa::ToSchema;

/// The answer of a route that has nothing else to return.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// What was done, in words for people.
    #[schema(example = "Done")]
    message: &'static str,
}

impl Done {
    /// Answers that the request was carried out.
    pub(crate) fn answer(message: &'static str) -> Result<Answer> {
        Answer::ok(&Self { message })
    }
}
