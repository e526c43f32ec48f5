//! `GET /docs`: Swagger UI, to try the HTTP API.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::page;

const PAGE: Asset = page!("pages/docs.html", "script-src 'self'", "style-src 'self'", "connect-src 'self'");

pub(super) fn handle(request: &Request) -> Result<Answer> {
    request.give(&PAGE)
}
