//! A conversation of ChatGPT's `conversations.json`: a tree of nodes, of which those count that say something.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use shared::Result;
use shared::domain::{
    Content, ConversationId, Filing, Message, MessageId, Millis, ModelName, Role, Summary, Title,
};
use shared::error::Error;
use shared::store::Imported;

use super::entry::id_of;

#[derive(Deserialize)]
pub(super) struct Chatgpt {
    #[serde(alias = "conversation_id")]
    id: Option<ConversationId>,
    title: Option<String>,
    create_time: Option<f64>,
    update_time: Option<f64>,
    mapping: HashMap<String, Node>,
    current_node: Option<String>,
    default_model_slug: Option<ModelName>,
    is_archived: Option<bool>,
}

#[derive(Deserialize)]
struct Node {
    message: Option<NodeMessage>,
    parent: Option<String>,
}

#[derive(Deserialize)]
struct NodeMessage {
    author: Author,
    create_time: Option<f64>,
    #[serde(default)]
    content: NodeContent,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Author {
    role: String,
}

#[derive(Default, Deserialize)]
struct NodeContent {
    parts: Option<Vec<Value>>,
    text: Option<String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    model_slug: Option<ModelName>,
    is_visually_hidden_from_conversation: Option<bool>,
}

impl Chatgpt {
    /// The conversation. `text` is what it was read from, `now` its time if it tells none.
    pub(super) fn imported(self, text: &str, now: Millis) -> Result<Imported> {
        let created_at = self.create_time.map_or(now, millis);
        let mut said: Vec<(&String, Role, String, &NodeMessage)> = Vec::new();
        for (key, node) in &self.mapping {
            if let Some((role, text, message)) = node.says() {
                said.push((key, role, text, message));
            }
        }
        // Of two versions of a message, the later one comes last.
        let time = |message: &NodeMessage| message.create_time.map_or(created_at, millis);
        said.sort_by_key(|(key, _, _, message)| (time(message), (*key).clone()));
        let mut messages = Vec::with_capacity(said.len());
        for (key, role, text, message) in said {
            let bad = |rule| Error::invalid_field("mapping", format!("a message {rule}"));
            let content: Content = text.parse().map_err(bad)?;
            if role != Role::Assistant {
                content.check_said().map_err(bad)?;
            }
            let model = message.metadata.model_slug.clone().filter(|_| role == Role::Assistant);
            let (id, timestamp) = (message_id(key)?, time(message));
            let message = Message { id, role, content, timestamp, model, tokens: None, status: None };
            let parent = self.mapping.get(key).and_then(|node| node.parent.as_ref());
            messages.push((message, self.nearest(parent).map(|key| message_id(key)).transpose()?));
        }
        let summary = Summary {
            id: match self.id.clone() {
                Some(id) => id,
                None => id_of(text)?,
            },
            title: title(self.title.as_deref()),
            created_at,
            updated_at: self.update_time.map_or(created_at, millis),
            model: self.default_model_slug.clone().unwrap_or_else(ModelName::default_of_contract),
            system_prompt: None,
            filing: Filing { archived: self.is_archived.unwrap_or_default(), ..Filing::default() },
        };
        let current = self.nearest(self.current_node.as_ref()).map(|key| message_id(key)).transpose()?;
        Ok(Imported { summary, messages, current })
    }

    /// The first node that says something, from this one towards the root.
    fn nearest<'a>(&'a self, from: Option<&'a String>) -> Option<&'a String> {
        let mut key = from;
        // Nodes that follow each other in a circle end this too.
        for _ in 0..=self.mapping.len() {
            let node = self.mapping.get(key?)?;
            if node.says().is_some() {
                return key;
            }
            key = node.parent.as_ref();
        }
        None
    }
}

impl Node {
    /// Who says what in this node; none for the root, for tools, and for what a user does not see.
    fn says(&self) -> Option<(Role, String, &NodeMessage)> {
        let message = self.message.as_ref()?;
        let role = Role::ALL.into_iter().find(|role| role.as_str() == message.author.role)?;
        let hidden = message.metadata.is_visually_hidden_from_conversation.unwrap_or_default();
        let parts = message.content.parts.iter().flatten().filter_map(Value::as_str);
        let mut text = parts.collect::<Vec<_>>().join("\n");
        if text.is_empty() {
            text = message.content.text.clone().unwrap_or_default();
        }
        (!hidden && !text.trim().is_empty()).then_some((role, text, message))
    }
}

fn message_id(key: &str) -> Result<MessageId> {
    key.parse().map_err(|rule| Error::invalid_field("mapping", format!("the name of a node {rule}")))
}

fn title(title: Option<&str>) -> Title {
    let plain = title.unwrap_or_default().chars().filter(|c| !c.is_control()).take(256);
    plain.collect::<String>().parse().unwrap_or_else(|_| Title::untitled())
}

/// From seconds with a fraction.
fn millis(seconds: f64) -> Millis {
    // A cast from a float saturates, and takes what is no number for 0.
    Millis::saturating((seconds * 1000.0).round() as u64)
}
