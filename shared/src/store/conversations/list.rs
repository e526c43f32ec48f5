//! The list of a user's conversations, the last changed first.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use serde::Deserialize;

use crate::domain::{ConversationId, Folder, Millis, ModelName, RuleBroken, Tag, Tags, Title, UserId};
use crate::error::Result;
use crate::store::dynamo::{failed, from_item, text};
use crate::store::{Store, key};

/// A place in a user's list of conversations.
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
        parse().ok_or_else(|| RuleBroken("must be a place in the list".to_owned()))
    }
}

impl fmt::Display for ListPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which conversations are wanted: those that fulfil all that is given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Put away, or not.
    pub archived: Option<bool>,
    /// Kept at the top, or not.
    pub pinned: Option<bool>,
    /// With this tag.
    pub tag: Option<Tag>,
    /// In this folder.
    pub folder: Option<Folder>,
}

/// A conversation as the list knows it, and where the list goes on behind it.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: ConversationId,
    /// What it is called.
    pub title: Title,
    /// When it began.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// The AI model that answers in it.
    pub model: ModelName,
    /// How many messages it has.
    pub message_count: u64,
    /// How the last of them begins.
    pub preview: Option<String>,
    /// Kept at the top.
    #[serde(default)]
    pub pinned: bool,
    /// Put away.
    #[serde(default)]
    pub archived: bool,
    /// What it is filed under.
    #[serde(default)]
    pub tags: Tags,
    /// What it is kept in.
    pub folder: Option<Folder>,
    /// The place just behind it.
    #[serde(rename = "updated", deserialize_with = "place")]
    pub place: ListPlace,
}

fn place<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ListPlace, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Filter {
    /// Whether all conversations are wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.archived.is_none() && self.pinned.is_none() && self.tag.is_none() && self.folder.is_none()
    }

    fn admits(&self, listed: &Listed) -> bool {
        self.archived.is_none_or(|archived| archived == listed.archived)
            && self.pinned.is_none_or(|pinned| pinned == listed.pinned)
            && self.tag.as_ref().is_none_or(|tag| listed.tags.as_slice().contains(tag))
            && self.folder.as_ref().is_none_or(|folder| Some(folder) == listed.folder.as_ref())
    }
}

/// A page of the list.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// Those that are wanted.
    pub conversations: Vec<Listed>,
    /// Where the list goes on; none at its end.
    pub next: Option<ListPlace>,
}

impl Store {
    /// The conversations of `user`, the last changed first: at most `limit` of those behind `after`. The list may
    /// lag behind a change by a moment.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn list_conversations(
        &self,
        user: UserId,
        after: Option<&ListPlace>,
        limit: i32,
    ) -> Result<Vec<Listed>> {
        Ok(self.list_page(user, after, limit).await?.0)
    }

    /// The same for those that `filter` admits. At most about `looked_at` conversations are looked at, in two requests,
    /// however many there are, so a page may have fewer than `limit`, or none, though the list goes on.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn list_filtered(
        &self,
        user: UserId,
        filter: &Filter,
        after: Option<&ListPlace>,
        limit: usize,
        looked_at: usize,
    ) -> Result<ListPage> {
        let mut page = self.list_some(user, filter, after, limit, limit).await?;
        if filter.is_empty() || page.conversations.len() == limit {
            return Ok(page);
        }
        if let Some(next) = &page.next {
            let wanted = limit - page.conversations.len();
            let more = self.list_some(user, filter, Some(next), wanted, looked_at).await?;
            page.conversations.extend(more.conversations);
            page.next = more.next;
        }
        Ok(page)
    }

    /// One request's worth of it.
    async fn list_some(
        &self,
        user: UserId,
        filter: &Filter,
        after: Option<&ListPlace>,
        limit: usize,
        most: usize,
    ) -> Result<ListPage> {
        // One more tells whether there is one.
        let asked = i32::try_from(most + 1).unwrap_or(i32::MAX);
        let (mut seen, cut) = self.list_page(user, after, asked).await?;
        let goes_on = cut || seen.len() > most;
        seen.truncate(most);
        let mut next = seen.last().filter(|_| goes_on).map(|last| last.place.clone());
        let mut wanted = seen.into_iter().filter(|listed| filter.admits(listed));
        let conversations: Vec<Listed> = wanted.by_ref().take(limit).collect();
        if wanted.next().is_some() {
            next = conversations.last().map(|last| last.place.clone());
        }
        Ok(ListPage { conversations, next })
    }

    /// A page, and whether the index goes on behind it; a page ends after a megabyte too.
    async fn list_page(
        &self,
        user: UserId,
        after: Option<&ListPlace>,
        limit: i32,
    ) -> Result<(Vec<Listed>, bool)> {
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
        let cut = answer.last_evaluated_key.is_some();
        let listed: Result<Vec<Listed>> =
            answer.items.unwrap_or_default().into_iter().map(from_item).collect();
        Ok((listed?, cut))
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
    fn a_place_that_is_none_is_refused() {
        assert!("001795300000000#conv_1".parse::<ListPlace>().is_ok());
        for forged in ["", "#", "1#x", "00179530000000x#x", "001795300000000#", "001795300000000"] {
            assert!(forged.parse::<ListPlace>().is_err(), "{forged}");
        }
    }
}
