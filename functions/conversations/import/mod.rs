//! Conversations as they come from elsewhere: an export of ours, of ChatGPT, of Open WebUI, or of the old server.

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
pub(super) use own_export::ImportedConversation;

use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::Result;
use shared::domain::{ConversationId, Message, MessageId, Millis, Title};
use shared::error::{Code, Error};
use shared::http::fingerprint;
use shared::json;
use shared::store::Imported;

/// What errors call an entry.
const SUBJECT: &str = "The entry";

/// What an entry has tells whose it is.
#[derive(Deserialize)]
struct FormatMarkers {
    mapping: Option<IgnoredAny>,
    chat: Option<IgnoredAny>,
    history: Option<IgnoredAny>,
}

/// The conversation of an entry. `now` is its time if it tells none.
///
/// # Errors
/// [`Code::MalformedJson`], or [`Code::Invalid`] when it is no conversation, or has no messages that could be imported.
pub(super) fn imported(entry: &[u8], now: Millis) -> Result<Imported> {
    let no_text = |_| Error::new(Code::MalformedJson, format!("{SUBJECT} is not UTF-8"));
    let plain = json::without_non_numbers(str::from_utf8(entry).map_err(no_text)?);
    let text = plain.as_bytes();
    if !text.starts_with(b"{") {
        return Err(Error::invalid(format!("{SUBJECT} must be an object")));
    }
    let markers: FormatMarkers = json::parse_part(SUBJECT, text)?;
    if markers.mapping.is_some() {
        chatgpt::imported(text, now)
    } else if markers.chat.is_some() || markers.history.is_some() {
        open_webui::imported(text, now)
    } else {
        json::parse_part::<ImportedConversation>(SUBJECT, text)?.imported(now)
    }
}

/// A message, and the id of the one it follows.
type Following = (Message, Option<MessageId>);

/// The id of a conversation that comes without one: what says the same gets the same.
fn made_up_id(title: &Title, messages: &[Following]) -> Result<ConversationId> {
    let said = |message: &Message| {
        format!(
            "{} {} {}",
            message.id,
            message.role.as_str(),
            fingerprint(message.content.as_str().as_bytes())
        )
    };
    let all = messages.iter().fold(title.to_string(), |all, (message, _)| all + "\n" + &said(message));
    format!("imported-{}", fingerprint(all.as_bytes())).parse().map_err(Error::internal)
}
