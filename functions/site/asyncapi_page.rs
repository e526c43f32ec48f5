//! `GET /asyncapi`: the document of the WebSocket to read. The page is made with it.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::page;

const PAGE: Asset = page!("pages/asyncapi.html", "style-src 'self'");

pub(super) fn handle(request: &Request) -> Result<Answer> {
    request.give(&PAGE)
}
