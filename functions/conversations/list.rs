//! `GET /api/conversations`: the caller's conversations, the last changed first. Without `limit` all of them, up to
//! 4 MB, with a `Link` to the rest.

use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::value::RawValue;
use shared::Result;
use shared::clock;
use shared::domain::{ConversationId, Folder, Millis, ModelName, Tag, Title, UserId};
use shared::error::Code;
use shared::http::{Answer, Request, cursor};
use shared::store::{ConversationPart, Filter, ListPage, ListPlace, Listed, PartRequest};

use super::Conversations;
use super::answers::{
    ConversationAnswer, FilingAnswer, MOST_LISTED_BYTES, MOST_WRAPPED_BYTES, raw, wrapped_length,
};
use super::parameters::{Flag, Limit, View, filter, repeated, with};
use crate::openapi::Cursor;
use utoipa::ToSchema;

/// Conversations that one request asks the index for, where there is no limit.
const PAGE: usize = 100;
/// Conversations that one request with a filter looks at.
const LOOKED_AT: usize = 500;
/// Conversations that are read, and held in memory, at once.
const AT_ONCE: usize = 8;
/// What is read of each of them. A larger one is read again, whole and alone.
const MOST_BYTES_AT_ONCE: usize = 256 * 1024;
/// One of more messages is read alone at once.
const MOST_MESSAGES_AT_ONCE: u64 = 500;

/// A conversation without its messages.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationSummary)]
#[serde(rename_all = "camelCase")]
struct SummaryAnswer {
    id: ConversationId,
    title: Title,
    created_at: Millis,
    updated_at: Millis,
    model: ModelName,
    user_id: UserId,
    #[serde(flatten)]
    filing: FilingAnswer,
    #[serde(rename = "message_count")]
    message_count: u64,
    /// The beginning of the last message, on one line.
    #[schema(example = "Where shall we go?")]
    preview: String,
}

/// An entry of the list: what `view` asks for.
#[derive(ToSchema)]
#[schema(as = ListedConversation)]
#[serde(untagged)]
#[expect(dead_code, reason = "it tells the document of both")]
enum ListedAnswer {
    Full(ConversationAnswer),
    Summary(SummaryAnswer),
}

/// What a list has so far.
#[derive(Default)]
struct List {
    entries: Vec<Box<RawValue>>,
    bytes: usize,
    wrapped_bytes: usize,
    /// The place of the last conversation that was looked at.
    last: Option<ListPlace>,
    /// Whether the next conversation did not fit.
    full: bool,
}

/// List conversations
///
/// The caller's conversations, the last changed first, each with its messages, or, with `view=summary`, with their number and a
/// preview. Without `limit`, all of them up to 4 MB. A `Link` leads to the rest. A filtered page may have fewer entries than
/// `limit`, or none, though there is a `Link`: one request looks at 500 conversations.
#[utoipa::path(
    get,
    path = "/api/conversations",
    operation_id = "list_conversations",
    tag = "conversations",
    params(
        ("limit" = Option<Limit>, Query, description = "How many at most."),
        ("view" = Option<View>, Query, description = "With their messages (`full`, unless something is said), or without."),
        ("archived" = Option<Flag>, Query, description = "Only those that are archived, or are not."),
        ("pinned" = Option<Flag>, Query, description = "Only those that are pinned, or are not."),
        ("tag" = Option<Tag>, Query, description = "Only those with this tag."),
        ("folder" = Option<Folder>, Query, description = "Only those in this folder."),
        Cursor
    ),
    responses((status = 200, description = "The conversations.", body = [ListedAnswer], headers(("Link")))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (filter, view) = (filter(request)?, request.query("view")?.unwrap_or(View::Full));
    let limit = request.query::<Limit>("limit")?.map(|Limit(limit)| limit);
    if view == View::Full && limit.is_none_or(|limit| limit > AT_ONCE) {
        group.check_reader(request, user).await?;
    }
    let repeat = repeated(request, &["limit", "view", "archived", "pinned", "tag", "folder"])?;
    let scope = format!("conversations {user} {repeat}");
    let mut list = List { last: request.cursor(&scope)?, ..List::default() };
    let rest = loop {
        let ListPage { conversations, next } = page(group, user, &filter, &list, limit).await?;
        match view {
            View::Summary => list.push_summaries(user, conversations)?,
            View::Full => list.push_conversations(group, user, conversations).await?,
        }
        if list.full {
            break list.last;
        }
        if next.is_none() || limit.is_some() {
            break next;
        }
        list.last = next;
    };
    let answer = Answer::ok(&list.entries)?;
    Ok(match rest {
        Some(rest) => {
            let query = with(repeat, "cursor", &cursor::seal(&scope, &rest));
            answer.with_next_page(&format!("/api/conversations{query}"))
        }
        None => answer,
    })
}

async fn page(
    group: &Conversations,
    user: UserId,
    filter: &Filter,
    list: &List,
    limit: Option<usize>,
) -> Result<ListPage> {
    let most = limit.unwrap_or(PAGE);
    group.app.store.list_filtered(user, filter, list.last.as_ref(), most, LOOKED_AT).await
}

impl List {
    /// Adds a conversation, unless the list is full.
    fn push(&mut self, json: Box<RawValue>, place: ListPlace) {
        let (bytes, wrapped) = (json.get().len() + 1, wrapped_length(json.get()) + 1);
        let fits =
            self.bytes + bytes <= MOST_LISTED_BYTES && self.wrapped_bytes + wrapped <= MOST_WRAPPED_BYTES;
        if !fits && !self.entries.is_empty() {
            self.full = true;
            return;
        }
        (self.bytes, self.wrapped_bytes) = (self.bytes + bytes, self.wrapped_bytes + wrapped);
        self.entries.push(json);
        self.last = Some(place);
    }

    fn push_summaries(&mut self, user: UserId, conversations: Vec<Listed>) -> Result<()> {
        for listed in conversations {
            if self.full {
                break;
            }
            let place = listed.place.clone();
            self.push(raw(&SummaryAnswer::new(user, listed))?, place);
        }
        Ok(())
    }

    /// Reads conversations and adds them, in their order. One that was deleted since the index was written is left out; of
    /// one that is too large for an answer, its newest messages are there.
    async fn push_conversations(
        &mut self,
        group: &Conversations,
        user: UserId,
        conversations: Vec<Listed>,
    ) -> Result<()> {
        let reads = conversations.into_iter().map(|listed| read_small(group, user, listed));
        let mut reads = futures_util::stream::iter(reads).buffered(AT_ONCE);
        while let Some(read) = reads.next().await {
            let (found, listed) = read?;
            let part = match found {
                Found::Part(part) => Some(*part),
                Found::Large => read_part(group, user, &listed, MOST_LISTED_BYTES).await?,
                Found::Gone => None,
            };
            match part {
                Some(part) => {
                    let (answer, _) = ConversationAnswer::part(user, part, MOST_LISTED_BYTES, false)?;
                    self.push(raw(&answer)?, listed.place);
                }
                None => self.last = Some(listed.place),
            }
            if self.full {
                break;
            }
        }
        Ok(())
    }
}

/// What came of reading a conversation beside others.
enum Found {
    Part(Box<ConversationPart>),
    /// It takes so much memory that it is read alone.
    Large,
    Gone,
}

async fn read_small(group: &Conversations, user: UserId, listed: Listed) -> Result<(Found, Listed)> {
    if listed.message_count > MOST_MESSAGES_AT_ONCE {
        return Ok((Found::Large, listed));
    }
    let found = match read_part(group, user, &listed, MOST_BYTES_AT_ONCE).await? {
        Some(part) if part.more => Found::Large,
        Some(part) => Found::Part(Box::new(part)),
        None => Found::Gone,
    };
    Ok((found, listed))
}

/// None when it was deleted since the index was written.
async fn read_part(
    group: &Conversations,
    user: UserId,
    listed: &Listed,
    most_bytes: usize,
) -> Result<Option<ConversationPart>> {
    match group.app.store.get_part(user, &listed.id, &PartRequest::whole(most_bytes), clock::now()).await {
        Ok(part) => Ok(Some(part)),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl SummaryAnswer {
    fn new(user_id: UserId, listed: Listed) -> Self {
        Self {
            id: listed.id,
            title: listed.title,
            created_at: listed.created_at,
            updated_at: listed.updated_at,
            model: listed.model,
            user_id,
            filing: FilingAnswer {
                pinned: listed.pinned,
                archived: listed.archived,
                tags: listed.tags.into(),
                folder: listed.folder,
            },
            message_count: listed.message_count,
            preview: listed.preview.unwrap_or_default(),
        }
    }
}
