//! `$default`: frames of no type that we know.

use shared::Result;
use shared::error::Error;
use shared::json;

use super::Event;

pub(super) fn handle(event: &Event) -> Result<()> {
    // API Gateway sends here what is not JSON too; that is told apart.
    json::parse::<serde::de::IgnoredAny>(event.frame())?;
    Err(Error::invalid_field("type", "must be one of auth, ping, chat, stop, resume, regenerate, typing"))
}
