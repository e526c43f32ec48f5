//! Imports conversations from exports of the studio, of ChatGPT, of Open WebUI and of the previous server.

mod chatgpt;
mod citations;
mod entries;
pub(super) mod handler;
mod lenient;
mod open_webui;
mod own_export;
mod tree;

pub(super) use chatgpt::ChatgptConversation;
pub(super) use entries::Entries;
pub(super) use open_webui::OpenWebUiChat;
pub(super) use own_export::ExportedConversation;

use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::Result;
use shared::domain::{ConversationId, Message, MessageId, Millis, Title};
use shared::error::{Code, Error};
use shared::http::fingerprint;
use shared::json;
use shared::store::ImportedConversation;

/// How error messages name an entry.
const SUBJECT: &str = "The entry";

/// The fields that tell the formats of entries apart.
#[derive(Deserialize)]
struct FormatMarkers {
    mapping: Option<IgnoredAny>,
    chat: Option<IgnoredAny>,
    history: Option<IgnoredAny>,
}

/// Parses an entry of any known format. `now` is its time if it has none.
///
/// # Errors
/// [`Code::MalformedJson`], or [`Code::Invalid`] if it is not a conversation, or has no messages that can be imported.
fn parse_entry(entry: &[u8], now: Millis) -> Result<ImportedConversation> {
    let no_text = |_| Error::new(Code::MalformedJson, format!("{SUBJECT} is not UTF-8"));
    let plain = json::without_non_numbers(str::from_utf8(entry).map_err(no_text)?);
    let text = plain.as_bytes();
    if !text.starts_with(b"{") {
        return Err(Error::invalid(format!("{SUBJECT} must be an object")));
    }
    let markers: FormatMarkers = json::parse_part(SUBJECT, text)?;
    if markers.mapping.is_some() {
        chatgpt::parse(text, now)
    } else if markers.chat.is_some() || markers.history.is_some() {
        open_webui::parse(text, now)
    } else {
        json::parse_part::<ExportedConversation>(SUBJECT, text)?.into_imported(now)
    }
}

/// A message, and the id of the message that it follows.
type MessageWithParent = (Message, Option<MessageId>);

/// The id of a conversation whose export has none. It is derived from the content, so that importing the conversation
/// again gives the same id.
fn derive_id(title: &Title, messages: &[MessageWithParent]) -> Result<ConversationId> {
    let line = |message: &Message| {
        format!(
            "{} {} {}",
            message.id,
            message.role.as_str(),
            fingerprint(message.content.as_str().as_bytes())
        )
    };
    let all = messages.iter().fold(title.to_string(), |all, (message, _)| all + "\n" + &line(message));
    format!("imported-{}", fingerprint(all.as_bytes())).parse().map_err(Error::internal)
}
