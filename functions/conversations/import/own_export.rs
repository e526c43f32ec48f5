//! Imports a conversation from an export of the studio or of the previous server.

use serde::Deserialize;
use shared::Result;
use shared::domain::{
    Content, ConversationId, Filing, Folder, Message, MessageId, Millis, ModelName, ReplyStatus, Role,
    Summary, SystemPrompt, Tags, Title, TokenCount, Visible, is_visible,
};
use shared::error::Error;
use shared::json::given;
use shared::store::ImportedConversation;
use utoipa::ToSchema;

use super::derive_id;
use super::lenient::parse_title;

/// A conversation in an export of the studio. Extra fields are ignored. `messages` is required, because exports of
/// other programs keep their messages elsewhere.
#[derive(Deserialize, ToSchema)]
#[schema(as = ImportedConversation)]
#[serde(rename_all = "camelCase")]
pub(in crate::conversations) struct ExportedConversation {
    id: Option<ConversationId>,
    title: Title,
    messages: Vec<ImportedMessage>,
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
    model: Option<ModelName>,
    system_prompt: Option<SystemPrompt>,
    pinned: Option<bool>,
    archived: Option<bool>,
    tags: Option<Tags>,
    folder: Option<Folder>,
    current_message_id: Option<MessageId>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ImportedMessage)]
#[serde(rename_all = "camelCase")]
struct ImportedMessage {
    id: Option<MessageId>,
    content: Content,
    role: Role,
    timestamp: Option<Millis>,
    model: Option<ModelName>,
    tokens: Option<TokenCount>,
    status: Option<ReplyStatus>,
    /// The message that this one follows; null for a first message. Default: the previous message in the list.
    #[serde(default, deserialize_with = "given")]
    parent_id: Option<Option<MessageId>>,
}

impl ExportedConversation {
    /// The conversation. Missing values are derived from the others, so that importing it again gives the same result.
    pub(super) fn into_imported(self, now: Millis) -> Result<ImportedConversation> {
        let created_at = self.created_at.unwrap_or(now);
        let mut messages = Vec::with_capacity(self.messages.len());
        let mut before = None;
        for (message, number) in self.messages.into_iter().zip(0..) {
            let (message, parent) = message.into_message(number, created_at)?;
            let id = message.id.clone();
            messages.push((message, parent.unwrap_or(before)));
            before = Some(id);
        }
        // The conversation may have been stored before names were required to be visible.
        let title = parse_title(Some(self.title.as_str())).unwrap_or_else(Title::untitled);
        let tags = Visible::new(self.tags.unwrap_or_default()).map(Visible::into_inner);
        let summary = Summary {
            id: match self.id {
                Some(id) => id,
                None => derive_id(&title, &messages)?,
            },
            title,
            created_at,
            updated_at: self.updated_at.unwrap_or(created_at),
            model: self.model.unwrap_or_else(ModelName::default_for_old_clients),
            system_prompt: self.system_prompt,
            filing: Filing {
                pinned: self.pinned.unwrap_or_default(),
                archived: self.archived.unwrap_or_default(),
                tags: tags.unwrap_or_default(),
                folder: self.folder.filter(|folder| is_visible(folder.as_str())),
            },
        };
        Ok(ImportedConversation { summary, messages, current: self.current_message_id })
    }
}

impl ImportedMessage {
    /// The message, and the parent that it names.
    fn into_message(self, number: usize, created_at: Millis) -> Result<(Message, Option<Option<MessageId>>)> {
        let id = match self.id {
            Some(id) => id,
            None => format!("imported-{number}").parse().map_err(Error::internal)?,
        };
        let content = self.content.written_by(self.role);
        let content = content
            .map_err(|rule| Error::invalid_field(format!("messages[{number}].content"), rule.to_string()))?;
        // A reply that was incomplete when it was exported stays incomplete.
        let status =
            self.status.map(|status| if status.is_end() { status } else { ReplyStatus::Interrupted });
        let message = Message {
            id,
            role: self.role,
            content,
            timestamp: self.timestamp.unwrap_or(created_at),
            model: self.model,
            tokens: self.tokens,
            status,
        };
        Ok((message, self.parent_id))
    }
}
