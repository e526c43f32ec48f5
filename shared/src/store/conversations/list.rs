//! The list of a user's conversations, the most recently changed first. It is read from an index, so it may lag behind
//! a change by a moment.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use serde::Deserialize;

use crate::domain::{ConversationId, Folder, Millis, ModelName, RuleBroken, Tag, Tags, Title, UserId};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{failed, from_item, text};
use crate::store::{Store, key};

/// A position in a user's list of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPlace(String);

impl FromStr for ListPlace {
    type Err = RuleBroken;

    fn from_str(text: &str) -> Result<Self, RuleBroken> {
        let parse = || {
            let (time, id) = text.split_once('#')?;
            let well_formed = time.len() == 15 && time.bytes().all(|b| b.is_ascii_digit());
            id.parse::<ConversationId>().ok().filter(|_| well_formed)?;
            Some(Self(text.to_owned()))
        };
        parse().ok_or_else(|| RuleBroken("must be a position in the list".to_owned()))
    }
}

impl fmt::Display for ListPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Selects conversations. All conditions that are set must hold.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Whether the conversation must be archived.
    pub archived: Option<bool>,
    /// Whether the conversation must be pinned.
    pub pinned: Option<bool>,
    /// A tag that the conversation must have.
    pub tag: Option<Tag>,
    /// The folder in which the conversation must be.
    pub folder: Option<Folder>,
}

/// A conversation in the list.
#[derive(Clone, Debug, Deserialize)]
pub struct ListItem {
    /// Its id.
    pub id: ConversationId,
    /// The title.
    pub title: Title,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
    /// The AI model that replies in it.
    pub model: ModelName,
    /// How many messages its current branch has.
    pub message_count: u64,
    /// The beginning of the last message.
    pub preview: Option<String>,
    /// Whether it is pinned to the top.
    #[serde(default)]
    pub pinned: bool,
    /// Whether it is archived.
    #[serde(default)]
    pub archived: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// Its folder, if it is in one.
    pub folder: Option<Folder>,
    /// Its position in the list. The next page begins after it.
    #[serde(rename = "updated", deserialize_with = "place")]
    pub place: ListPlace,
}

fn place<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ListPlace, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl ListFilter {
    /// Whether all conversations are selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.archived.is_none() && self.pinned.is_none() && self.tag.is_none() && self.folder.is_none()
    }

    fn selects(&self, listed: &ListItem) -> bool {
        self.archived.is_none_or(|archived| archived == listed.archived)
            && self.pinned.is_none_or(|pinned| pinned == listed.pinned)
            && self.tag.as_ref().is_none_or(|tag| listed.tags.as_slice().contains(tag))
            && self.folder.as_ref().is_none_or(|folder| Some(folder) == listed.folder.as_ref())
    }
}

/// A page of the list.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// The selected conversations.
    pub conversations: Vec<ListItem>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<ListPlace>,
}

impl Store {
    /// Lists at most `limit` conversations of `user` after the position `after`, the most recently changed first.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn list_conversations(
        &self,
        user: UserId,
        after: Option<&ListPlace>,
        limit: i32,
    ) -> Result<Vec<ListItem>> {
        Ok(self.list_page(user, after, limit).await?.0)
    }

    /// Lists the conversations that `filter` selects, `limit` at most. Two requests read at most about `examined`
    /// conversations, however many there are. So a page may have fewer than `limit` conversations, or none, although
    /// the list continues.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn list_filtered_conversations(
        &self,
        user: UserId,
        filter: &ListFilter,
        after: Option<&ListPlace>,
        limit: usize,
        examined: usize,
    ) -> Result<ListPage> {
        let mut page = self.list_some(user, filter, after, limit, limit).await?;
        if filter.is_empty() || page.conversations.len() == limit {
            return Ok(page);
        }
        if let Some(next) = &page.next {
            let wanted = limit - page.conversations.len();
            let more = self.list_some(user, filter, Some(next), wanted, examined).await?;
            page.conversations.extend(more.conversations);
            page.next = more.next;
        }
        Ok(page)
    }

    /// Lists the selected ones of `most` conversations with one request.
    async fn list_some(
        &self,
        user: UserId,
        filter: &ListFilter,
        after: Option<&ListPlace>,
        limit: usize,
        most: usize,
    ) -> Result<ListPage> {
        // One more than needed shows whether the list continues.
        let requested = i32::try_from(most + 1).unwrap_or(i32::MAX);
        let (mut listed, has_more) = self.list_page(user, after, requested).await?;
        let continues = has_more || listed.len() > most;
        listed.truncate(most);
        let mut next = listed.last().filter(|_| continues).map(|last| last.place.clone());
        let mut wanted = listed.into_iter().filter(|listed| filter.selects(listed));
        let conversations: Vec<ListItem> = wanted.by_ref().take(limit).collect();
        if wanted.next().is_some() {
            next = conversations.last().map(|last| last.place.clone());
        }
        Ok(ListPage { conversations, next })
    }

    /// One page of the index, and whether the index continues after it. A page also ends after one megabyte.
    async fn list_page(
        &self,
        user: UserId,
        after: Option<&ListPlace>,
        limit: i32,
    ) -> Result<(Vec<ListItem>, bool)> {
        let owner = text(key::user_partition(user));
        let request = self
            .client
            .query()
            .table_name(&self.studio)
            .index_name(key::BY_UPDATE)
            .scan_index_forward(false)
            .limit(limit)
            .key_condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", owner.clone())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(after.and_then(|after| start(user, owner, after)));
        let answer = request.send().await.map_err(failed)?;
        Box::pin(self.account_read(answer.consumed_capacity.as_ref())).await?;
        let has_more = answer.last_evaluated_key.is_some();
        let listed: Result<Vec<ListItem>> =
            answer.items.unwrap_or_default().into_iter().map(from_item).collect();
        Ok((listed?, has_more))
    }
}

fn start(user: UserId, owner: AttributeValue, after: &ListPlace) -> Option<HashMap<String, AttributeValue>> {
    let (_, id) = after.0.split_once('#')?;
    let mut start = key::conversation(user, &id.parse().ok()?).attributes();
    start.insert("owner".to_owned(), owner);
    start.insert("updated".to_owned(), text(after.0.clone()));
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_position_is_refused() {
        assert!("001795300000000#conv_1".parse::<ListPlace>().is_ok());
        for forged in ["", "#", "1#x", "00179530000000x#x", "001795300000000#", "001795300000000"] {
            assert!(forged.parse::<ListPlace>().is_err(), "{forged}");
        }
    }
}
