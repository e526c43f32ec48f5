//! A conversation in an export of ours, or as the old server had it.

use serde::Deserialize;
use shared::Result;
use shared::domain::{
    Content, ConversationId, Filing, Folder, Message, MessageId, Millis, ModelName, ReplyStatus, Role,
    Summary, SystemPrompt, Tags, Title, TokenCount, Visible, is_visible,
};
use shared::error::Error;
use shared::json::given;
use shared::store::Imported;
use utoipa::ToSchema;

use super::lenient::title;
use super::made_up_id;

/// What else it has is ignored. Exports of other programs have messages under other names, so it must have `messages`.
#[derive(Deserialize, ToSchema)]
#[schema(as = ImportedConversation)]
#[serde(rename_all = "camelCase")]
pub(in crate::conversations) struct ImportedConversation {
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
    /// Null for a first message; left out, it is the message before in the list.
    #[serde(default, deserialize_with = "given")]
    parent_id: Option<Option<MessageId>>,
}

impl ImportedConversation {
    /// The conversation. What is left out is made up, always the same for the same messages.
    pub(super) fn imported(self, now: Millis) -> Result<Imported> {
        let created_at = self.created_at.unwrap_or(now);
        let mut messages = Vec::with_capacity(self.messages.len());
        let mut before = None;
        for (message, number) in self.messages.into_iter().zip(0..) {
            let (message, parent) = message.message(number, created_at)?;
            let id = message.id.clone();
            messages.push((message, parent.unwrap_or(before)));
            before = Some(id);
        }
        // What was exported may have been stored before names had to be visible.
        let title = title(Some(self.title.as_str())).unwrap_or_else(Title::untitled);
        let tags = Visible::new(self.tags.unwrap_or_default()).map(Visible::into_inner);
        let summary = Summary {
            id: match self.id {
                Some(id) => id,
                None => made_up_id(&title, &messages)?,
            },
            title,
            created_at,
            updated_at: self.updated_at.unwrap_or(created_at),
            model: self.model.unwrap_or_else(ModelName::default_of_contract),
            system_prompt: self.system_prompt,
            filing: Filing {
                pinned: self.pinned.unwrap_or_default(),
                archived: self.archived.unwrap_or_default(),
                tags: tags.unwrap_or_default(),
                folder: self.folder.filter(|folder| is_visible(folder.as_str())),
            },
        };
        Ok(Imported { summary, messages, current: self.current_message_id })
    }
}

impl ImportedMessage {
    fn message(self, number: usize, created_at: Millis) -> Result<(Message, Option<Option<MessageId>>)> {
        let id = match self.id {
            Some(id) => id,
            None => format!("imported-{number}").parse().map_err(Error::internal)?,
        };
        if self.role != Role::Assistant {
            let field = || format!("messages[{number}].content");
            self.content.check_said().map_err(|rule| Error::invalid_field(field(), rule.to_string()))?;
        }
        // A reply that was being made when it was exported is not made here.
        let status =
            self.status.map(|status| if status.is_end() { status } else { ReplyStatus::Interrupted });
        let message = Message {
            id,
            role: self.role,
            content: self.content,
            timestamp: self.timestamp.unwrap_or(created_at),
            model: self.model,
            tokens: self.tokens,
            status,
        };
        Ok((message, self.parent_id))
    }
}
