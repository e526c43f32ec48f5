//! Turns a tree of nodes, each of which names its parent, into messages. Nodes without text are skipped, so their
//! children follow the nearest ancestor that has text.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;
use shared::Result;
use shared::domain::{Content, Message, MessageId, Millis, ModelName, Role};
use shared::error::Error;
use shared::http::fingerprint;

use super::lenient::Text;
use super::{MessageWithParent, SUBJECT};

/// The text of a node, and its author.
pub(super) struct Said {
    pub(super) role: Role,
    pub(super) text: String,
    pub(super) time: Option<Millis>,
    pub(super) model: Option<ModelName>,
}

/// A node of the tree.
pub(super) struct Node<'a> {
    pub(super) name: Text<'a>,
    /// The name of the node that it follows.
    pub(super) parent: Option<Text<'a>>,
    /// The names of its children. They matter for children that name no parent.
    pub(super) children: Option<&'a RawValue>,
    /// `None` if the node has no text.
    pub(super) said: Option<Box<Said>>,
}

/// All nodes of a conversation, in the order of the file.
pub(super) struct Tree<'a> {
    /// The field of the file that has the nodes, for error messages.
    pub(super) field: &'static str,
    pub(super) nodes: Vec<Node<'a>>,
    /// The name of the last node that the user saw.
    pub(super) current: Option<Text<'a>>,
    pub(super) created_at: Millis,
}

impl Tree<'_> {
    /// The messages in the order of their times, and the id of the last message of the current branch.
    ///
    /// # Errors
    /// [`shared::error::Code::Invalid`] if no node has text, or one has too much.
    pub(super) fn messages(self) -> Result<(Vec<MessageWithParent>, Option<MessageId>)> {
        let Self { field, mut nodes, current, created_at } = self;
        let links = Links::new(&nodes);
        let mut said: Vec<usize> = links.speaking().collect();
        if said.is_empty() {
            return Err(Error::invalid(format!("{SUBJECT} has no messages that can be imported")));
        }
        let times = links.times(&nodes, created_at);
        let time = |place: usize| times.get(place).copied().flatten().unwrap_or(created_at);
        said.sort_by_key(|place| (time(*place), *place));
        let current =
            current.and_then(|name| links.place(&name)).and_then(|place| links.nearest(Some(place)));
        let current = current.or_else(|| links.last_leaf(&said));
        let ids: HashMap<usize, MessageId> =
            said.iter().filter_map(|place| Some((*place, message_id(nodes.get(*place)?)?))).collect();
        let parents = links.parents;
        let mut messages = Vec::with_capacity(said.len());
        for place in said {
            let said = nodes.get_mut(place).and_then(|node| node.said.take());
            let (Some(said), Some(id)) = (said, ids.get(&place)) else { continue };
            let parent = parents.get(place).copied().flatten().and_then(|parent| ids.get(&parent));
            let field = || format!("{field}[{place}]");
            messages.push((said.into_message(id.clone(), time(place), field)?, parent.cloned()));
        }
        Ok((messages, current.and_then(|current| ids.get(&current)).cloned()))
    }
}

/// The id of a node's message: its name, or a hash of a name that is not a valid id.
fn message_id(node: &Node<'_>) -> Option<MessageId> {
    let name = node.name.0.as_ref();
    name.parse().or_else(|_no_id| format!("imported-{}", fingerprint(name.as_bytes())).parse()).ok()
}

impl Said {
    fn into_message(self, id: MessageId, timestamp: Millis, field: impl Fn() -> String) -> Result<Message> {
        let bad = |rule: shared::domain::RuleBroken| Error::invalid_field(field(), rule.to_string());
        let content =
            Content::try_from(self.text).and_then(|content| content.written_by(self.role)).map_err(bad)?;
        let model = self.model.filter(|_| self.role == Role::Assistant);
        Ok(Message { id, role: self.role, content, timestamp, model, tokens: None, status: None })
    }
}

/// How nodes follow each other. Nodes are named by their places in the list.
struct Links {
    /// The place of each name; the last one if several nodes have the name.
    places: HashMap<String, usize>,
    /// For each node, the node itself if it has text, or else its nearest ancestor with text.
    nearest: Vec<Option<usize>>,
    /// For each node, its nearest ancestor with text.
    parents: Vec<Option<usize>>,
}

impl Links {
    fn new(nodes: &[Node<'_>]) -> Self {
        let places: HashMap<String, usize> =
            nodes.iter().enumerate().map(|(place, node)| (node.name.0.as_ref().to_owned(), place)).collect();
        let place_of = |name: &Text<'_>| places.get(name.0.as_ref()).copied();
        // A node that names itself as its parent has none.
        let mut before: Vec<Option<usize>> = nodes
            .iter()
            .enumerate()
            .map(|(place, node)| node.parent.as_ref().and_then(place_of).filter(|parent| *parent != place))
            .collect();
        for (place, node) in nodes.iter().enumerate() {
            let children = node.children.and_then(|it| serde_json::from_str::<Vec<&RawValue>>(it.get()).ok());
            for child in children.iter().flatten() {
                let child = serde_json::from_str(child.get()).ok().and_then(|name: Text<'_>| place_of(&name));
                let before = child.filter(|child| *child != place).and_then(|child| before.get_mut(child));
                before.map(|before| before.get_or_insert(place));
            }
        }
        let speaks = |place: usize| {
            nodes
                .get(place)
                .is_some_and(|node| node.said.is_some() && places.get(node.name.0.as_ref()) == Some(&place))
        };
        let nearest = find_nearest(&before, speaks);
        let follows = |place: &usize| nearest.get(*place).copied().flatten();
        let parents = before.iter().map(|before| before.as_ref().and_then(follows)).collect();
        Self { places, nearest, parents }
    }

    fn place(&self, name: &Text<'_>) -> Option<usize> {
        self.places.get(name.0.as_ref()).copied()
    }

    fn nearest(&self, place: Option<usize>) -> Option<usize> {
        place.and_then(|place| self.nearest.get(place).copied().flatten())
    }

    /// The nodes with text.
    fn speaking(&self) -> impl Iterator<Item = usize> {
        self.nearest.iter().enumerate().filter(|(place, nearest)| **nearest == Some(*place)).map(|it| it.0)
    }

    /// The time of each node with text. A node without a time gets that of its nearest ancestor with one.
    fn times(&self, nodes: &[Node<'_>], created_at: Millis) -> Vec<Option<Millis>> {
        let own = |place: usize| nodes.get(place).and_then(|node| node.said.as_ref()).and_then(|it| it.time);
        let mut times: Vec<Option<Millis>> = (0..nodes.len()).map(own).collect();
        for place in self.speaking() {
            let (mut way, mut at) = (Vec::new(), Some(place));
            // Nodes that follow each other in a circle have no first node.
            let known = loop {
                let Some(place) = at else { break created_at };
                if let Some(time) = times.get(place).copied().flatten() {
                    break time;
                }
                if way.len() > nodes.len() {
                    break created_at;
                }
                way.push(place);
                at = self.parents.get(place).copied().flatten();
            };
            for place in way {
                if let Some(time) = times.get_mut(place) {
                    *time = Some(known);
                }
            }
        }
        times
    }

    /// The last node of `said` without children.
    fn last_leaf(&self, said: &[usize]) -> Option<usize> {
        let followed: HashSet<usize> =
            said.iter().filter_map(|place| self.parents.get(*place).copied().flatten()).collect();
        said.iter().rev().find(|place| !followed.contains(place)).copied()
    }
}

/// For each node, the node itself if it has text, or else its nearest ancestor with text. Results are kept for each
/// node on the way, because there may be thousands of nodes without text between two with text.
fn find_nearest(before: &[Option<usize>], speaks: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
    let mut found: Vec<Option<Option<usize>>> =
        (0..before.len()).map(|place| speaks(place).then_some(Some(place))).collect();
    for start in 0..before.len() {
        let (mut way, mut at) = (Vec::new(), Some(start));
        let nearest = loop {
            let Some(place) = at else { break None };
            if let Some(nearest) = found.get(place).copied().flatten() {
                break nearest;
            }
            // A preliminary result, which stays if the nodes follow each other in a circle.
            if let Some(found) = found.get_mut(place) {
                *found = Some(None);
            }
            way.push(place);
            at = before.get(place).copied().flatten();
        };
        for place in way {
            if let Some(found) = found.get_mut(place) {
                *found = Some(nearest);
            }
        }
    }
    found.into_iter().map(Option::flatten).collect()
}
