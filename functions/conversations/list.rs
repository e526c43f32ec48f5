//! `GET /api/conversations`: lists the caller's conversations, the last changed first.

use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::value::RawValue;
use shared::Result;
use shared::clock;
use shared::domain::{ConversationId, Folder, Millis, ModelName, Tag, Title, UserId};
use shared::error::Code;
use shared::http::{Answer, Request};
use shared::store::{ConversationPart, ListFilter, ListItem, ListPage, ListPlace, PartRequest};

use super::Conversations;
use super::answers::{
    ConversationAnswer, FilingAnswer, MOST_LISTED_BYTES, MOST_WRAPPED_BYTES, raw, wrapped_length,
};
use super::paging::Paging;
use super::parameters::{Flag, Limit, View, parse_filter};
use crate::openapi::Cursor;
use utoipa::ToSchema;

/// How many conversations one query of the index reads, if the client sets no limit.
const PAGE: usize = 100;
/// How many conversations one request with a filter examines at most.
const MAX_EXAMINED: usize = 500;
/// How many conversations are read in parallel and held in memory.
const AT_ONCE: usize = 8;
/// Byte limit for a conversation read in parallel; a larger one is read again sequentially.
const MOST_BYTES_AT_ONCE: usize = 256 * 1024;
/// Message limit for a conversation read in parallel; a larger one is read sequentially at once.
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
    /// The beginning of the last message, in one line.
    #[schema(example = "Where shall we go?")]
    preview: String,
}

/// A conversation in a list: with its messages (`view=full`) or without (`view=summary`).
#[derive(ToSchema)]
#[schema(as = ListedConversation)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the OpenAPI document uses it")]
enum ListedAnswer {
    Full(ConversationAnswer),
    Summary(SummaryAnswer),
}

/// The list while it is put together.
#[derive(Default)]
struct List {
    entries: Vec<Box<RawValue>>,
    bytes: usize,
    wrapped_bytes: usize,
    /// The position after the last conversation that was examined.
    last: Option<ListPlace>,
    /// Whether a conversation did not fit.
    full: bool,
}

/// List conversations
///
/// Lists the caller's conversations, the last changed first. Each has its messages, or, with `view=summary`, their
/// number and a preview. Without `limit`, an answer has at most 4 MB. A `Link` leads to the next page. One request
/// with a filter examines at most 500 conversations, so a page may have fewer entries than `limit`, or none, and
/// still have a `Link`.
#[utoipa::path(
    get,
    path = "/api/conversations",
    operation_id = "list_conversations",
    tag = "conversations",
    params(
        ("limit" = Option<Limit>, Query, description = "The maximum number of conversations."),
        ("view" = Option<View>, Query, description = "With messages or without. Default: `full`."),
        ("archived" = Option<Flag>, Query, description = "True: only archived conversations. False: only others."),
        ("pinned" = Option<Flag>, Query, description = "True: only pinned conversations. False: only others."),
        ("tag" = Option<Tag>, Query, description = "Only conversations with this tag."),
        ("folder" = Option<Folder>, Query, description = "Only conversations in this folder."),
        Cursor
    ),
    responses((status = 200, description = "The conversations.", body = [ListedAnswer], headers(("Link")))),
)]
pub(super) async fn handle(group: &Conversations, request: &Request) -> Result<Answer> {
    let user = group.app.caller(request).await?.user;
    let (filter, view) = (parse_filter(request)?, request.query("view")?.unwrap_or(View::Full));
    let limit = request.query::<Limit>("limit")?.map(|Limit(limit)| limit);
    if view == View::Full && limit.is_none_or(|limit| limit > AT_ONCE) {
        group.check_reader(request, user).await?;
    }
    let names = ["limit", "view", "archived", "pinned", "tag", "folder"];
    let path = "/api/conversations".to_owned();
    let paging = Paging::new(path, &format!("conversations {user}"), request, &names)?;
    let mut list = List { last: paging.position(request)?, ..List::default() };
    let rest = loop {
        let ListPage { conversations, next } = read_page(group, user, &filter, &list, limit).await?;
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
    Ok(paging.link(Answer::ok(&list.entries)?, rest.as_ref()))
}

async fn read_page(
    group: &Conversations,
    user: UserId,
    filter: &ListFilter,
    list: &List,
    limit: Option<usize>,
) -> Result<ListPage> {
    let most = limit.unwrap_or(PAGE);
    group.app.store.list_filtered_conversations(user, filter, list.last.as_ref(), most, MAX_EXAMINED).await
}

impl List {
    /// Adds a conversation if it fits, or if it is the first.
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

    fn push_summaries(&mut self, user: UserId, conversations: Vec<ListItem>) -> Result<()> {
        for listed in conversations {
            if self.full {
                break;
            }
            let place = listed.place.clone();
            self.push(raw(&SummaryAnswer::new(user, listed))?, place);
        }
        Ok(())
    }

    /// Reads conversations and adds them in order. A conversation that was deleted since the index was read is
    /// skipped. A conversation that is too large for an answer is added with its newest messages.
    async fn push_conversations(
        &mut self,
        group: &Conversations,
        user: UserId,
        conversations: Vec<ListItem>,
    ) -> Result<()> {
        let reads = conversations.into_iter().map(|listed| read_small(group, user, listed));
        let mut reads = futures_util::stream::iter(reads).buffered(AT_ONCE);
        while let Some(read) = reads.next().await {
            let (outcome, listed) = read?;
            let part = match outcome {
                ReadOutcome::Part(part) => Some(*part),
                ReadOutcome::Large => read_part(group, user, &listed, MOST_LISTED_BYTES).await?,
                ReadOutcome::Deleted => None,
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

/// The outcome of reading a conversation in parallel with others.
enum ReadOutcome {
    Part(Box<ConversationPart>),
    /// It needs so much memory that it must be read alone.
    Large,
    Deleted,
}

async fn read_small(
    group: &Conversations,
    user: UserId,
    listed: ListItem,
) -> Result<(ReadOutcome, ListItem)> {
    if listed.message_count > MOST_MESSAGES_AT_ONCE {
        return Ok((ReadOutcome::Large, listed));
    }
    let outcome = match read_part(group, user, &listed, MOST_BYTES_AT_ONCE).await? {
        Some(part) if part.more => ReadOutcome::Large,
        Some(part) => ReadOutcome::Part(Box::new(part)),
        None => ReadOutcome::Deleted,
    };
    Ok((outcome, listed))
}

/// The newest messages of a conversation; `None` if it was deleted since the index was read.
async fn read_part(
    group: &Conversations,
    user: UserId,
    listed: &ListItem,
    most_bytes: usize,
) -> Result<Option<ConversationPart>> {
    match group
        .app
        .store
        .get_conversation_part(user, &listed.id, &PartRequest::whole(most_bytes), clock::now())
        .await
    {
        Ok(part) => Ok(Some(part)),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl SummaryAnswer {
    fn new(user_id: UserId, listed: ListItem) -> Self {
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
