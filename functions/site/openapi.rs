//! `GET /openapi.json`: the document of this API. What is served is a copy, so that this function need not make it.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::carried;

const DOCUMENT: Asset = Asset::new("application/json", carried!("openapi.json"));

/// Read this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "read_openapi",
    tag = "studio",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object)),
    security()
)]
pub(super) fn handle(request: &Request) -> Result<Answer> {
    request.give(&DOCUMENT)
}
