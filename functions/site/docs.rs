//! `GET /docs`: Swagger UI, in which the HTTP API can be tried out.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::page;

const PAGE: Asset = page!("pages/docs.html", "script-src 'self'", "style-src 'self'", "connect-src 'self'");

pub(super) fn handle(request: &Request) -> Result<Answer> {
    request.give(&PAGE)
}
