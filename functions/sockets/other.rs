//! `$default`: refuses frames without a known type.

use shared::Result;
use shared::error::Error;
use shared::json;

use super::Event;

pub(super) fn handle(event: &Event) -> Result<()> {
    // API Gateway also sends frames here that are not JSON. They get an error of their own.
    json::parse::<serde::de::IgnoredAny>(event.frame())?;
    Err(Error::invalid_field("type", "must be one of auth, ping, chat, stop, resume, regenerate, typing"))
}
