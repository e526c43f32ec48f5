//! Conversations.

use super::text::{check_length, check_printable, checked_text, escaped_length};
use super::{Content, ConversationId, Message, Millis, ModelName, RuleBroken, SystemPrompt, Title};

checked_text!(
    /// A word that a user files conversations under: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "travel")]
    Tag,
    |text| check_length(text, 1, 64).and_then(|()| check_printable(text))
);

checked_text!(
    /// The folder that a user keeps a conversation in: 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Private")]
    Folder,
    |text| check_length(text, 1, 128).and_then(|()| check_printable(text))
);

/// The tags of a conversation: at most 20, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(max_items = 20)]
#[serde(try_from = "Vec<Tag>", into = "Vec<Tag>")]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// In the order the user gave them.
    #[must_use]
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<Tag>> for Tags {
    type Error = RuleBroken;

    fn try_from(tags: Vec<Tag>) -> Result<Self, RuleBroken> {
        if tags.len() > 20 {
            return Err(RuleBroken("must be at most 20".to_owned()));
        }
        let twice = tags.iter().enumerate().any(|(place, tag)| tags.iter().skip(place + 1).any(|t| t == tag));
        if twice { Err(RuleBroken("must not repeat one".to_owned())) } else { Ok(Self(tags)) }
    }
}

impl From<Tags> for Vec<Tag> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

/// Where a user keeps a conversation. Old clients know nothing of it, and leave it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filing {
    /// Kept at the top.
    pub pinned: bool,
    /// Put away.
    pub archived: bool,
    /// What it is filed under.
    pub tags: Tags,
    /// What it is kept in.
    pub folder: Option<Folder>,
}

/// A conversation without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Unique within the owner's.
    pub id: ConversationId,
    /// What it is called.
    pub title: Title,
    /// When it began, as the client says.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// The AI model that answers in it.
    pub model: ModelName,
    /// Instructions that stand before all messages.
    pub system_prompt: Option<SystemPrompt>,
    /// Where the user keeps it.
    pub filing: Filing,
}

/// More than everything else of a summary takes in an answer: ids, times, model, title, tags and folder.
const BYTES_OF_SUMMARY: usize = 16 * 1024;

impl Summary {
    /// An upper bound of the bytes that the summary takes in an answer, as [`Message::answer_length`] for messages.
    #[must_use]
    pub fn answer_length(&self) -> usize {
        let prompt = self.system_prompt.as_ref();
        BYTES_OF_SUMMARY + prompt.map_or(0, |prompt| escaped_length(prompt.as_str()))
    }
}

/// A conversation with its messages, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// All but the messages.
    pub summary: Summary,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// The beginning of a conversation's last message, for lists.
#[must_use]
pub fn preview(message: &Message) -> String {
    preview_of(&message.content)
}

/// The beginning of a text on one line.
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
    fn a_tag_is_given_once() {
        let tags =
            |words: &[&str]| Tags::try_from(words.iter().map(|w| w.parse().unwrap()).collect::<Vec<Tag>>());
        assert!(tags(&["a", "b"]).is_ok());
        assert!(tags(&["a", "b", "a"]).is_err());
    }
}
