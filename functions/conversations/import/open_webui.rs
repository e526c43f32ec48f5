//! Imports a chat of Open WebUI: a tree of messages by their ids, and the current branch as a list. Old exports have
//! the chat itself in place of the entry.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::Result;
use shared::domain::{
    ConversationId, Filing, Millis, ModelName, Role, Summary, SystemPrompt, Tag, Tags, Title, is_visible,
};
use shared::error::Error;
use shared::json;
use shared::store::ImportedConversation;
use utoipa::ToSchema;

use super::lenient::{Text, Time, lenient, parse_fields, parse_model, parse_title, text_of};
use super::tree::{Node, Said, Tree};
use super::{SUBJECT, derive_id};

/// A chat of Open WebUI.
#[derive(ToSchema)]
#[schema(as = OpenWebUiChat)]
#[expect(dead_code, reason = "only the OpenAPI document uses it; WebUiEntry reads the fields leniently")]
pub(in crate::conversations) struct OpenWebUiChat {
    id: Option<ConversationId>,
    title: Option<String>,
    /// The messages: a tree in `history`, or a list in `messages`.
    #[schema(value_type = Object)]
    chat: HashMap<String, String>,
    created_at: Option<f64>,
    updated_at: Option<f64>,
    archived: Option<bool>,
    pinned: Option<bool>,
}

#[derive(Deserialize)]
struct WebUiEntry<'a> {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<ConversationId>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    chat: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "lenient")]
    updated_at: Option<Time>,
    #[serde(default, deserialize_with = "lenient")]
    archived: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pinned: Option<bool>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    meta: Option<WebUiMeta<'a>>,
}

#[derive(Deserialize)]
struct WebUiMeta<'a> {
    #[serde(default, borrow, deserialize_with = "lenient")]
    tags: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
struct WebUiChat<'a> {
    #[serde(default, borrow, deserialize_with = "lenient")]
    title: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    models: Option<Vec<Text<'a>>>,
    #[serde(default, borrow)]
    history: Option<&'a RawValue>,
    #[serde(default, borrow)]
    messages: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    timestamp: Option<Time>,
    #[serde(default, deserialize_with = "lenient")]
    system: Option<SystemPrompt>,
}

/// Parses an entry. `now` is its time if it has none.
pub(super) fn parse(text: &[u8], now: Millis) -> Result<ImportedConversation> {
    let entry: WebUiEntry<'_> = json::parse_part(SUBJECT, text)?;
    let chat: WebUiChat<'_> = match entry.chat {
        Some(chat) if chat.get().starts_with('{') => json::parse_part("The chat", chat.get().as_bytes())?,
        Some(_) => return Err(Error::invalid_field("chat", "must be an object")),
        None => json::parse_part(SUBJECT, text)?,
    };
    let created_at = entry.created_at.or(chat.timestamp).map_or(now, |time| time.0);
    let (messages, current) = chat.tree(created_at)?.messages()?;
    let titles = [&entry.title, &chat.title];
    let title = titles.into_iter().flatten().find_map(|text| parse_title(Some(text.0.as_ref())));
    let title = title.unwrap_or_else(Title::untitled);
    let first_model = chat.models.as_ref().and_then(|models| models.first());
    let summary = Summary {
        id: match entry.id {
            Some(id) => id,
            None => derive_id(&title, &messages)?,
        },
        title,
        created_at,
        updated_at: entry.updated_at.map_or(created_at, |time| time.0),
        model: parse_model(first_model.map(|model| model.0.as_ref()))
            .unwrap_or_else(ModelName::default_for_old_clients),
        system_prompt: chat.system,
        filing: Filing {
            pinned: entry.pinned.unwrap_or_default(),
            archived: entry.archived.unwrap_or_default(),
            tags: parse_tags(entry.meta),
            folder: None,
        },
    };
    Ok(ImportedConversation { summary, messages, current })
}

/// The tags that are valid here.
fn parse_tags(meta: Option<WebUiMeta<'_>>) -> Tags {
    let mut tags: Vec<Tag> = Vec::new();
    for tag in meta.and_then(|meta| meta.tags).unwrap_or_default() {
        if let Ok(tag) = tag.0.parse::<Tag>()
            && is_visible(tag.as_str())
            && !tags.contains(&tag)
            && tags.len() < 20
        {
            tags.push(tag);
        }
    }
    Tags::try_from(tags).unwrap_or_default()
}

impl<'a> WebUiChat<'a> {
    /// The tree of messages, or the list if the tree has no texts.
    fn tree(&self, created_at: Millis) -> Result<Tree<'a>> {
        if let Some(history) = self.history.filter(|history| history.get().starts_with('{')) {
            let WebUiHistory { messages, current } =
                json::parse_part("The history", history.get().as_bytes())?;
            let nodes = messages.map_or_else(Vec::new, |messages| messages.0);
            if nodes.iter().any(|node| node.said.is_some()) {
                return Ok(Tree { field: "chat.history.messages", nodes, current, created_at });
            }
        }
        let list = self.messages.filter(|messages| messages.get().starts_with('['));
        let nodes = match list {
            Some(list) => {
                json::parse_part::<WebUiNodes<'_>>("The list of messages", list.get().as_bytes())?.0
            }
            None => Vec::new(),
        };
        // The list ends with the last message of the current branch.
        let current = nodes.iter().rev().find(|node| node.said.is_some()).map(|node| node.name.clone());
        Ok(Tree { field: "chat.messages", nodes, current, created_at })
    }
}

#[derive(Deserialize)]
struct WebUiHistory<'a> {
    #[serde(default, borrow)]
    messages: Option<WebUiNodes<'a>>,
    #[serde(default, borrow, rename = "currentId", deserialize_with = "lenient")]
    current: Option<Text<'a>>,
}

/// Messages by their ids, or in a list, where a message without a parent follows the previous one.
struct WebUiNodes<'a>(Vec<Node<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for WebUiNodes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodesVisitor;

        impl<'de> Visitor<'de> for NodesVisitor {
            type Value = WebUiNodes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut nodes = Vec::new();
                while let Some((name, message)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    let (fields, said) = parse_message(message).map_err(|_half| unreadable(nodes.len()))?;
                    nodes.push(Node { name, parent: fields.parent, children: fields.children, said });
                }
                Ok(WebUiNodes(nodes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let (mut nodes, mut before, mut names) = (Vec::<Node<'de>>::new(), None, HashSet::new());
                while let Some(message) = list.next_element::<&'de RawValue>()? {
                    let (fields, said) = parse_message(message).map_err(|_half| unreadable(nodes.len()))?;
                    // A second message with the same id is another message.
                    let name = fields.id.filter(|id| names.insert(id.clone()));
                    let name = name.unwrap_or_else(|| Text(format!("imported-{}", nodes.len()).into()));
                    let parent = fields.parent.or(before);
                    before = Some(name.clone());
                    nodes.push(Node { name, parent, children: None, said });
                }
                Ok(WebUiNodes(nodes))
            }
        }

        deserializer.deserialize_any(NodesVisitor)
    }
}

fn unreadable<E: serde::de::Error>(place: usize) -> E {
    E::custom(format!("has a text at position {place} that cannot be read"))
}

#[derive(Default, Deserialize)]
struct WebUiMessage<'a> {
    #[serde(default, borrow, deserialize_with = "lenient")]
    id: Option<Text<'a>>,
    #[serde(default, borrow, rename = "parentId", deserialize_with = "lenient")]
    parent: Option<Text<'a>>,
    #[serde(default, borrow, rename = "childrenIds")]
    children: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    role: Option<Text<'a>>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    model: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    timestamp: Option<Time>,
}

fn parse_message(message: &RawValue) -> serde_json::Result<(WebUiMessage<'_>, Option<Box<Said>>)> {
    let fields: WebUiMessage<'_> = parse_fields(Some(message))?;
    let is = |role: &Role| fields.role.as_ref().is_some_and(|it| it.0 == role.as_str());
    let role = Role::ALL.into_iter().find(is);
    let text = fields.content.map(text_of).transpose()?.unwrap_or_default();
    let said = role.filter(|_| !text.trim().is_empty()).map(|role| {
        let model = parse_model(fields.model.as_ref().map(|model| model.0.as_ref()));
        Box::new(Said { role, text, time: fields.timestamp.map(|time| time.0), model })
    });
    Ok((fields, said))
}
