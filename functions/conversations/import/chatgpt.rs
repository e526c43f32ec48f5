//! Imports a conversation of ChatGPT's `conversations.json`: a tree of nodes. Nodes without text for a reader are
//! skipped.

use std::collections::HashMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::Result;
use shared::domain::{ConversationId, Filing, Millis, ModelName, Role, Summary, Title};
use shared::json;
use shared::store::ImportedConversation;
use utoipa::ToSchema;

use super::citations::without_marks;
use super::lenient::{Text, Time, lenient, parse_fields, parse_model, parse_title, text_of};
use super::tree::{Node, Said, Tree};
use super::{SUBJECT, derive_id};

/// A conversation of ChatGPT's `conversations.json`. The format has changed over the years, so only `mapping` is
/// required.
#[derive(ToSchema)]
#[schema(as = ChatgptConversation)]
#[expect(dead_code, reason = "only the OpenAPI document uses it; ChatgptEntry reads the fields leniently")]
pub(in crate::conversations) struct ChatgptConversation {
    conversation_id: Option<ConversationId>,
    id: Option<ConversationId>,
    title: Option<String>,
    create_time: Option<f64>,
    update_time: Option<f64>,
    /// The messages: nodes of a tree by their names.
    #[schema(value_type = HashMap<String, Object>)]
    mapping: HashMap<String, String>,
    current_node: Option<String>,
    default_model_slug: Option<String>,
    is_archived: Option<bool>,
}

#[derive(Deserialize)]
struct ChatgptEntry<'a> {
    #[serde(default, deserialize_with = "lenient")]
    conversation_id: Option<ConversationId>,
    #[serde(default, deserialize_with = "lenient")]
    id: Option<ConversationId>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    title: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    create_time: Option<Time>,
    #[serde(default, deserialize_with = "lenient")]
    update_time: Option<Time>,
    #[serde(borrow)]
    mapping: Mapping<'a>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    current_node: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    default_model_slug: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    is_archived: Option<bool>,
}

/// Parses an entry. `now` is its time if it has none.
pub(super) fn parse(text: &[u8], now: Millis) -> Result<ImportedConversation> {
    let entry: ChatgptEntry<'_> = json::parse_part(SUBJECT, text)?;
    let created_at = entry.create_time.map_or(now, |time| time.0);
    let tree = Tree { field: "mapping", nodes: entry.mapping.0, current: entry.current_node, created_at };
    let (messages, current) = tree.messages()?;
    let title =
        parse_title(entry.title.as_ref().map(|title| title.0.as_ref())).unwrap_or_else(Title::untitled);
    let summary = Summary {
        id: match entry.conversation_id.or(entry.id) {
            Some(id) => id,
            None => derive_id(&title, &messages)?,
        },
        title,
        created_at,
        updated_at: entry.update_time.map_or(created_at, |time| time.0),
        model: parse_model(entry.default_model_slug.as_ref().map(|slug| slug.0.as_ref()))
            .unwrap_or_else(ModelName::default_for_old_clients),
        system_prompt: None,
        filing: Filing { archived: entry.is_archived.unwrap_or_default(), ..Filing::default() },
    };
    Ok(ImportedConversation { summary, messages, current })
}

/// The nodes of the tree, in the order of the file.
struct Mapping<'a>(Vec<Node<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Mapping<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MappingVisitor;

        impl<'de> Visitor<'de> for MappingVisitor {
            type Value = Mapping<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut nodes = Vec::new();
                while let Some((name, node)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    let place = nodes.len();
                    let unreadable = |_error| {
                        serde::de::Error::custom(format!(
                            "has a text at position {place} that cannot be read"
                        ))
                    };
                    nodes.push(parse_node(name, node).map_err(unreadable)?);
                }
                Ok(Mapping(nodes))
            }
        }

        deserializer.deserialize_map(MappingVisitor)
    }
}

#[derive(Default, Deserialize)]
struct NodeFields<'a> {
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    parent: Option<Text<'a>>,
    #[serde(default, borrow)]
    children: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct MessageFields<'a> {
    #[serde(default, borrow)]
    author: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    create_time: Option<Time>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    metadata: Option<&'a RawValue>,
    /// The recipient: the name of a tool that is called, or `all`.
    #[serde(default, borrow, deserialize_with = "lenient")]
    recipient: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct Author<'a> {
    #[serde(default, borrow, deserialize_with = "lenient")]
    role: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct ContentFields<'a> {
    #[serde(default, borrow)]
    parts: Option<&'a RawValue>,
    #[serde(default, borrow)]
    text: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(default, borrow, deserialize_with = "lenient")]
    model_slug: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    is_visually_hidden_from_conversation: Option<bool>,
}

fn parse_node<'a>(name: Text<'a>, node: &'a RawValue) -> serde_json::Result<Node<'a>> {
    let NodeFields { message, parent, children } = parse_fields(Some(node))?;
    let said = parse_fields::<MessageFields<'_>>(message)?.said()?;
    Ok(Node { name, parent, children, said: said.map(Box::new) })
}

impl MessageFields<'_> {
    /// The text and its author. `None` for the root, for tool calls and their results, and for hidden messages.
    fn said(self) -> serde_json::Result<Option<Said>> {
        let author: Author<'_> = parse_fields(self.author)?;
        let is = |role: &Role| author.role.as_ref().is_some_and(|it| it.0 == role.as_str());
        let Some(role) = Role::ALL.into_iter().find(is) else { return Ok(None) };
        let metadata: Metadata<'_> = parse_fields(self.metadata)?;
        let is_for_tool = self.recipient.is_some_and(|recipient| recipient.0 != "all");
        if is_for_tool || metadata.is_visually_hidden_from_conversation.unwrap_or_default() {
            return Ok(None);
        }
        let text = without_marks(parse_content(self.content)?);
        let model = parse_model(metadata.model_slug.as_ref().map(|slug| slug.0.as_ref()));
        let time = self.create_time.map(|time| time.0);
        Ok((!text.trim().is_empty()).then_some(Said { role, text, time, model }))
    }
}

/// The text of a content: its parts, or else its `text`, or else the content itself.
fn parse_content(content: Option<&RawValue>) -> serde_json::Result<String> {
    let ContentFields { parts, text } = parse_fields(content)?;
    for form in [parts, text, content.filter(|content| content.get().starts_with('"'))] {
        let text = form.map(text_of).transpose()?.unwrap_or_default();
        if !text.is_empty() {
            return Ok(text);
        }
    }
    Ok(String::new())
}
