//! Checkpoints of a running reply. Once a second its worker renews the lease and stores the text so far, the usage and
//! the number of the last chunk. The answer to this write tells the worker whether a client requested `stop` or
//! `resync`. If the worker dies, the lease expires, and the next request that sees the reply ends it with the text of
//! the last checkpoint.
//!
//! A short text is stored in the reply's own item. Rewriting a long text every second would become more and more
//! expensive, so a longer text is stored in parts: each checkpoint writes one part with the new text.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde_json::json;

use super::item::{Lease, ReplyItem, WorkerFlags};
use crate::domain::{Charge, Content, Millis, ReplyPlace};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::store::dynamo::{Packed, failed, from_item, integer, item_at, number, packed, text};
use crate::store::{Store, key};

/// The most bytes of a text that is stored in the reply's own item.
const MOST_BYTES_IN_ITEM: usize = 4096;
/// How long parts are kept after their checkpoint. When the reply ends, its text is stored in the message, and the
/// parts are no longer read.
const KEPT_SECONDS: u64 = 86_400;

impl Store {
    /// Renews the lease until `until` and stores the text so far, the number of the last chunk, and the usage. Returns
    /// whether a client requested `stop` or `resync`; `None` when the lease is lost. Then the worker must not push
    /// anything more.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn checkpoint_reply(
        &self,
        lease: &mut Lease,
        content: &str,
        seq: Option<u64>,
        charge: &Charge,
        until: Millis,
    ) -> Result<Option<WorkerFlags>> {
        let mut expression = lease
            .lease_condition()
            .set("lease_until", number(until.seconds()))
            .set("charge", serde_dynamo::to_attribute_value(charge).map_err(Error::internal)?)
            .set_or_remove("seq", seq.map(number));
        let mut parts = lease.parts;
        if content.len() <= MOST_BYTES_IN_ITEM {
            expression = expression.set("content", packed(&Content::of_reply(content)));
        } else {
            let new = content.get(lease.saved..).unwrap_or_default();
            if !new.is_empty() {
                self.put_part(&lease.place, parts, new, until).await?;
                parts += 1;
            }
            expression = expression.set("parts", number(parts)).remove("content");
        }
        let updated = self.update(key::reply_at(&lease.place), &expression, ReturnValue::AllNew).await?;
        if parts > lease.parts {
            (lease.parts, lease.saved) = (parts, content.len());
        }
        Ok(updated.map(|item| flags(&item)))
    }

    async fn put_part(&self, place: &ReplyPlace, part: u64, content: &str, now: Millis) -> Result<()> {
        let kept = now.plus_seconds(KEPT_SECONDS).seconds();
        let mut part =
            item_at(key::reply_part(&key::reply_at(place), part), "part", &json!({ "expires_at": kept }))?;
        part.insert("content".to_owned(), packed(&Content::of_reply(content)));
        self.put(&self.studio, part).await
    }

    /// The text that the last checkpoint stored.
    pub(in crate::store) async fn checkpointed_text(
        &self,
        place: &ReplyPlace,
        item: &ReplyItem,
    ) -> Result<Content> {
        if item.parts == 0 {
            return Ok(item.content.clone().map_or_else(|| Content::of_reply(""), |packed| packed.0));
        }
        let pages = self
            .client
            .query()
            .table_name(&self.studio)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(key::reply_at(place).pk))
            .expression_attribute_values(":first", text(key::reply_part(&key::reply_at(place), 0).sk))
            .expression_attribute_values(
                ":last",
                text(key::reply_part(&key::reply_at(place), item.parts - 1).sk),
            )
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(failed)?;
        let mut whole = String::new();
        for item in items {
            whole.push_str(from_item::<TextPart>(item)?.content.0.as_str());
        }
        Ok(Content::of_reply(&whole))
    }
}

#[derive(serde::Deserialize)]
struct TextPart {
    content: Packed,
}

fn flags(item: &HashMap<String, AttributeValue>) -> WorkerFlags {
    let resync = u64::try_from(integer(item, "resync")).unwrap_or_default();
    WorkerFlags { stop: integer(item, "stop") > 0, resync }
}
