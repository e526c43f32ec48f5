//! Conversations: the summary, tags and folder, and the preview for lists.

use crate::domain::text::{check_length, check_printable, checked_text, escaped_length};
use crate::domain::{Content, ConversationId, Message, Millis, ModelName, RuleBroken, SystemPrompt, Title};

checked_text!(
    /// A tag of a conversation: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "travel")]
    Tag,
    |text| check_length(text, 1, 64).and_then(|()| check_printable(text))
);

checked_text!(
    /// The folder of a conversation: 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Private")]
    Folder,
    |text| check_length(text, 1, 128).and_then(|()| check_printable(text))
);

/// The tags of a conversation: at most 20, all different.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(max_items = 20)]
#[serde(try_from = "Vec<Tag>", into = "Vec<Tag>")]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// The tags in the order in which the user gave them.
    #[must_use]
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    /// Whether there are no tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<Tag>> for Tags {
    type Error = RuleBroken;

    fn try_from(tags: Vec<Tag>) -> Result<Self, RuleBroken> {
        if tags.len() > 20 {
            return Err(RuleBroken("must have at most 20 tags".to_owned()));
        }
        let has_duplicate =
            tags.iter().enumerate().any(|(place, tag)| tags.iter().skip(place + 1).any(|t| t == tag));
        if has_duplicate {
            Err(RuleBroken("must not contain a tag twice".to_owned()))
        } else {
            Ok(Self(tags))
        }
    }
}

impl From<Tags> for Vec<Tag> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

/// How a user has filed a conversation: pinned, archived, tags, folder. Clients of the old interface do not know these
/// fields, so their updates leave them unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filing {
    /// Whether the conversation is pinned to the top.
    pub pinned: bool,
    /// Whether the conversation is archived.
    pub archived: bool,
    /// Its tags.
    pub tags: Tags,
    /// Its folder, if it is in one.
    pub folder: Option<Folder>,
}

/// A conversation without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The id, unique among the conversations of its owner.
    pub id: ConversationId,
    /// The title.
    pub title: Title,
    /// When it was created, as the client says.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
    /// The AI model that replies in it.
    pub model: ModelName,
    /// Instructions to the model, sent before all messages.
    pub system_prompt: Option<SystemPrompt>,
    /// How the user has filed it.
    pub filing: Filing,
}

/// An upper bound of the bytes of a summary in an answer, without the system prompt.
const BYTES_OF_SUMMARY: usize = 16 * 1024;

impl Summary {
    /// An upper bound of the bytes that the summary takes in an HTTP answer; see [`Message::answer_length`].
    #[must_use]
    pub fn answer_length(&self) -> usize {
        let prompt = self.system_prompt.as_ref();
        BYTES_OF_SUMMARY + prompt.map_or(0, |prompt| escaped_length(prompt.as_str()))
    }
}

/// A conversation with its messages, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Everything but the messages.
    pub summary: Summary,
    /// The messages, oldest first.
    pub messages: Vec<Message>,
}

/// The beginning of a message on one line, for lists of conversations.
#[must_use]
pub fn preview(message: &Message) -> String {
    preview_of(&message.content)
}

/// The beginning of a text on one line: at most 100 characters, then `…`.
#[must_use]
pub fn preview_of(content: &Content) -> String {
    const MOST: usize = 100;
    let mut preview = String::new();
    for word in content.as_str().split_whitespace() {
        if !preview.is_empty() {
            preview.push(' ');
        }
        preview.extend(word.chars().take(MOST + 1));
        if preview.chars().nth(MOST).is_some() {
            return preview.chars().take(MOST).chain(['…']).collect();
        }
    }
    preview
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str) -> Message {
        Message {
            id: "m".parse().unwrap(),
            role: crate::domain::Role::User,
            content: content.parse().unwrap(),
            timestamp: Millis::default(),
            model: None,
            tokens: None,
            status: None,
        }
    }

    #[test]
    fn a_preview_is_the_first_hundred_characters_on_one_line() {
        assert_eq!(preview(&message(" one\n\ttwo ")), "one two");
        assert_eq!(preview(&message("")), "");
        let long = preview(&message(&"好".repeat(5000)));
        assert_eq!(long, format!("{}…", "好".repeat(100)));
        assert_eq!(preview(&message(&"x".repeat(100))), "x".repeat(100));
    }

    #[test]
    fn a_tag_must_not_occur_twice() {
        let tags =
            |words: &[&str]| Tags::try_from(words.iter().map(|w| w.parse().unwrap()).collect::<Vec<Tag>>());
        assert!(tags(&["a", "b"]).is_ok());
        assert!(tags(&["a", "b", "a"]).is_err());
    }
}
