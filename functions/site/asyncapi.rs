//! `GET /asyncapi.json`: the document of the WebSocket. It is made by `functions/asyncapi`, and kept here.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::carried;

const DOCUMENT: Asset = Asset::new("application/json", carried!("asyncapi.json"));

pub(super) fn handle(request: &Request) -> Result<Answer> {
    request.give(&DOCUMENT)
}
