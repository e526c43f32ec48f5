//! `GET /asyncapi.json`: the AsyncAPI document. `functions/asyncapi` makes it, and this folder holds a copy.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::carried;

const DOCUMENT: Asset = Asset::new("application/json", carried!("asyncapi.json"));

pub(super) fn handle(request: &Request) -> Result<Answer> {
    request.give(&DOCUMENT)
}
