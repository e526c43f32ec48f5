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
use utoipa::ToSchema;

use super::entry::id_of;

/// An entry of ChatGPT's `conversations.json`. What it writes has changed over the years, so nothing is expected that is not
/// needed.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChatgptConversation)]
pub(super) struct Chatgpt {
    conversation_id: Option<ConversationId>,
    id: Option<ConversationId>,
    title: Option<String>,
    create_time: Option<f64>,
    update_time: Option<f64>,
    /// Nodes of a tree by their names.
    #[schema(value_type = HashMap<String, Object>)]
    mapping: HashMap<String, Node>,
    current_node: Option<String>,
    default_model_slug: Option<String>,
    is_archived: Option<bool>,
}

#[derive(Deserialize)]
struct Node {
    message: Option<NodeMessage>,
    parent: Option<String>,
}

#[derive(Deserialize)]
struct NodeMessage {
    author: Option<Author>,
    create_time: Option<f64>,
    content: Option<NodeContent>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Author {
    role: Option<String>,
}

#[derive(Deserialize)]
struct NodeContent {
    parts: Option<Vec<Value>>,
    text: Option<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    model_slug: Option<String>,
    is_visually_hidden_from_conversation: Option<bool>,
}

/// What a node says.
struct Saying<'a> {
    key: &'a str,
    role: Role,
    text: String,
    node: &'a Node,
    message: &'a NodeMessage,
}

impl Chatgpt {
    /// The conversation. `text` is what it was read from, `now` its time if it tells none.
    pub(super) fn imported(self, text: &str, now: Millis) -> Result<Imported> {
        let created_at = self.create_time.map_or(now, millis);
        let time = |message: &NodeMessage| message.create_time.map_or(created_at, millis);
        let mut said: Vec<Saying<'_>> =
            self.mapping.iter().filter_map(|(key, node)| node.says(key)).collect();
        // Of two versions of a message, the later one comes last.
        said.sort_by_key(|saying| (time(saying.message), saying.key));
        let mut nearest = Nearest::new(&self.mapping, &said);
        let mut messages = Vec::with_capacity(said.len());
        for saying in &said {
            let parent = nearest.from(saying.node.parent.as_deref());
            messages.push((saying.message(time(saying.message))?, parent.map(message_id).transpose()?));
        }
        let current = nearest.from(self.current_node.as_deref()).map(message_id).transpose()?;
        let summary = Summary {
            id: match self.conversation_id.clone().or(self.id.clone()) {
                Some(id) => id,
                None => id_of(text)?,
            },
            title: title(self.title.as_deref()),
            created_at,
            updated_at: self.update_time.map_or(created_at, millis),
            model: model(self.default_model_slug.as_deref()).unwrap_or_else(ModelName::default_of_contract),
            system_prompt: None,
            filing: Filing { archived: self.is_archived.unwrap_or_default(), ..Filing::default() },
        };
        Ok(Imported { summary, messages, current })
    }
}

/// Finds the first node that says something, from one of them towards the root; what was found once is not looked for
/// again, since between two that say something there may be thousands that do not.
struct Nearest<'a> {
    mapping: &'a HashMap<String, Node>,
    found: HashMap<&'a str, Option<&'a str>>,
}

impl<'a> Nearest<'a> {
    fn new(mapping: &'a HashMap<String, Node>, said: &[Saying<'a>]) -> Self {
        Self { mapping, found: said.iter().map(|saying| (saying.key, Some(saying.key))).collect() }
    }

    fn from(&mut self, from: Option<&'a str>) -> Option<&'a str> {
        let (mut way, mut at) = (Vec::new(), from);
        let found = loop {
            let Some(key) = at else { break None };
            if let Some(found) = self.found.get(key) {
                break *found;
            }
            // Until more is known: nodes that follow each other in a circle lead nowhere.
            self.found.insert(key, None);
            way.push(key);
            at = self.mapping.get(key).and_then(|node| node.parent.as_deref());
        };
        self.found.extend(way.into_iter().map(|key| (key, found)));
        found
    }
}

impl Node {
    /// Who says what in this node; none for the root, for tools, and for what a user does not see.
    fn says<'a>(&'a self, key: &'a str) -> Option<Saying<'a>> {
        let message = self.message.as_ref()?;
        let author = message.author.as_ref()?.role.as_deref()?;
        let role = Role::ALL.into_iter().find(|role| role.as_str() == author)?;
        let metadata = message.metadata.as_ref();
        let hidden = metadata.and_then(|it| it.is_visually_hidden_from_conversation).unwrap_or_default();
        let content = message.content.as_ref()?;
        let parts = content.parts.iter().flatten().filter_map(text_of).collect::<Vec<_>>();
        let text = if parts.is_empty() { content.text.as_ref().and_then(text_of) } else { None };
        let text = text.map_or_else(|| parts.join("\n"), str::to_owned);
        (!hidden && !text.trim().is_empty()).then_some(Saying { key, role, text, node: self, message })
    }
}

impl Saying<'_> {
    fn message(&self, timestamp: Millis) -> Result<Message> {
        let bad = |rule| Error::invalid_field("mapping", format!("a message {rule}"));
        let content: Content = self.text.parse().map_err(bad)?;
        if self.role != Role::Assistant {
            content.check_said().map_err(bad)?;
        }
        let slug = self.message.metadata.as_ref().and_then(|metadata| metadata.model_slug.as_deref());
        let model = model(slug).filter(|_| self.role == Role::Assistant);
        let (id, role) = (message_id(self.key)?, self.role);
        Ok(Message { id, role, content, timestamp, model, tokens: None, status: None })
    }
}

/// The text of a part, or of one that was spoken; a picture has none.
fn text_of(part: &Value) -> Option<&str> {
    part.as_str().or_else(|| part.get("text")?.as_str()).filter(|text| !text.is_empty())
}

/// A name that none of ours can be is none.
fn model(slug: Option<&str>) -> Option<ModelName> {
    slug?.parse().ok()
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
