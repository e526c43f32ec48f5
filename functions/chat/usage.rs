//! `GET /api/usage`: what the caller's replies used, by day and by model, and the limits.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::http::{Answer, Request};
use shared::store::{DayUsage, ModelUsage};
use utoipa::ToSchema;

use super::Chat;

/// The number of days in the answer.
const DAYS: u32 = 30;

/// What the caller's replies used, and the limits.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
struct UsageAnswer {
    today: Today,
    limits: UsageLimits,
    storage: Storage,
    /// The usage of each day, by date, such as `2026-11-22`.
    daily: BTreeMap<String, Used>,
    /// The usage of each model.
    models: BTreeMap<String, Used>,
}

/// The usage of the current day.
#[derive(Serialize, ToSchema)]
struct Today {
    #[schema(format = Date, example = "2026-11-22")]
    day: String,
    #[serde(flatten)]
    used: Used,
    /// Tokens that are reserved for replies that are being made.
    reserved_tokens: u64,
    /// The reserved cost of replies that are being made, in millionths of a dollar.
    reserved_micro_dollars: u64,
    /// The number of replies that are being made.
    running: u64,
    /// The number of seconds until the next day begins.
    resets_in: u64,
}

/// The limits. Null means that there is no limit.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageLimits)]
struct UsageLimits {
    /// Tokens that may be used in a day.
    #[schema(required = true)]
    daily_tokens: Option<u64>,
    /// Millionths of a dollar that may be spent in a day.
    #[schema(required = true)]
    daily_micro_dollars: Option<u64>,
    /// Replies that may be made at the same time.
    replies_at_once: u64,
}

/// The storage that conversations take.
#[derive(Serialize, ToSchema)]
struct Storage {
    /// The approximate size of all texts and of what is stored with them, in bytes.
    bytes: u64,
    /// The number of bytes that may be used; null if there is no limit.
    #[schema(required = true)]
    quota: Option<u64>,
}

/// What some replies used.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
struct Used {
    replies: u64,
    input_tokens: u64,
    output_tokens: u64,
    /// The cost in millionths of a dollar.
    micro_dollars: u64,
}

impl Used {
    fn plus(self, booked: &ModelUsage) -> Self {
        Self {
            replies: self.replies + booked.replies,
            input_tokens: self.input_tokens + booked.input,
            output_tokens: self.output_tokens + booked.output,
            micro_dollars: self.micro_dollars + booked.micro_dollars,
        }
    }

    fn on(day: &DayUsage) -> Self {
        day.models.values().fold(Self::default(), Self::plus)
    }
}

/// Read your usage
///
/// Returns what the caller's replies used today, on each of the last 30 days and by model, and the limits. Days are
/// UTC.
#[utoipa::path(
    get,
    path = "/api/usage",
    operation_id = "read_usage",
    tag = "chat",
    responses((status = 200, description = "The usage.", body = UsageAnswer)),
)]
pub(super) async fn handle(chat: &Chat, request: &Request) -> Result<Answer> {
    let (caller, user) = chat.app.admit(request).await?;
    let now = clock::now();
    // Releases reservations of replies whose function died.
    chat.app.store.end_abandoned_replies(caller.user, now).await?;
    let days = chat.app.store.get_user_usage(caller.user, now.day().minus(DAYS - 1), now.day()).await?;
    let stored = chat.app.store.get_user_totals(caller.user).await?.bytes;
    let mut models: BTreeMap<String, Used> = BTreeMap::new();
    for (model, booked) in days.values().flat_map(|day| &day.models) {
        let used = models.entry(model.clone()).or_default();
        *used = used.plus(booked);
    }
    let name = now.day().to_string();
    let today = days.get(&name).cloned().unwrap_or_default();
    let used = Used::on(&today);
    let budget = chat.turns.budget_of(&user);
    Answer::ok(&UsageAnswer {
        today: Today {
            day: name,
            used,
            reserved_tokens: today.held.tokens.saturating_sub(used.input_tokens + used.output_tokens),
            reserved_micro_dollars: today.held.micro_dollars.saturating_sub(used.micro_dollars),
            running: today.running,
            resets_in: now.seconds_left_in_day(),
        },
        limits: UsageLimits {
            daily_tokens: budget.tokens,
            daily_micro_dollars: budget.micro_dollars,
            replies_at_once: budget.replies,
        },
        storage: Storage { bytes: u64::try_from(stored).unwrap_or_default(), quota: chat.app.quota },
        daily: days.iter().map(|(day, usage)| (day.clone(), Used::on(usage))).collect(),
        models,
    })
}
