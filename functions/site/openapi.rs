//! `GET /openapi.json`: the document of this API. What is served is a copy, so that this function need not make it.

use serde_json::value::RawValue;
use shared::Result;
use shared::error::Error;
use shared::http::Answer;

/// Read this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "read_openapi",
    tag = "studio",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object)),
    security()
)]
pub(super) fn handle() -> Result<Answer> {
    let document: &RawValue = serde_json::from_str(include_str!("openapi.json")).map_err(Error::internal)?;
    Answer::ok(&document)
}
