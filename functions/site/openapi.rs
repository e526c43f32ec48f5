//! `GET /openapi.json`: the OpenAPI document. This folder holds a copy, so that the function does not generate it.

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
