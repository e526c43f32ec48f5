//! `GET /api/stats/detailed`: how the caller uses the studio.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::Result;
use shared::clock;
use shared::domain::statistics::DayTally;
use shared::domain::{ConversationId, Day, Millis, ModelName, Role, Title};
use shared::http::{Answer, Request};
use shared::store::{ListItem, Statistics};
use utoipa::ToSchema;

use super::Stats;
use super::basic::{Basic, average};

/// The number of conversations in `active_conversations`.
const ACTIVE: i32 = 10;

/// How the caller uses the studio.
#[derive(Serialize, ToSchema)]
#[schema(as = DetailedStatistics)]
struct Detailed {
    basic: Basic,
    /// The number of conversations by model.
    model_usage: BTreeMap<ModelName, i64>,
    /// The number of messages by role.
    #[schema(value_type = BTreeMap<String, i64>)]
    role_distribution: BTreeMap<&'static str, i64>,
    /// The number of messages by hour of the day, `0` to `23`.
    #[schema(value_type = BTreeMap<String, i64>)]
    hourly_distribution: BTreeMap<usize, i64>,
    /// The number of messages by day, such as `2026-11-22`.
    daily_messages_last_30_days: BTreeMap<String, i64>,
    /// The number of tokens by day, such as `2026-11-22`.
    token_trend_last_7_days: BTreeMap<String, i64>,
    /// The ten conversations that changed last.
    active_conversations: Vec<Active>,
    insights: Insights,
}

/// A conversation that changed lately.
#[derive(Serialize, ToSchema)]
#[schema(as = ActiveConversation)]
struct Active {
    id: ConversationId,
    title: Title,
    message_count: u64,
    last_updated: Millis,
    model: ModelName,
}

/// Figures that are derived from the others.
#[derive(Serialize, ToSchema)]
struct Insights {
    /// The average length of replies in characters.
    average_response_length: f64,
    /// Null if there is no conversation.
    #[schema(required = true)]
    most_used_model: Option<ModelName>,
    /// The hour of the day with the most messages; null if there is no message.
    #[schema(required = true)]
    peak_hour: Option<usize>,
    /// The number of conversations that began today or in the six days before.
    total_conversations_this_week: i64,
}

/// Read detailed statistics
///
/// Returns how the caller uses the studio. Hours and days are UTC. If there are more than 1,000 models, the most used
/// ones are returned.
#[utoipa::path(
    get,
    path = "/api/stats/detailed",
    operation_id = "read_detailed_statistics",
    tag = "statistics",
    responses((status = 200, description = "The statistics.", body = Detailed)),
)]
pub(super) async fn handle(stats: &Stats, request: &Request) -> Result<Answer> {
    let caller = stats.app.caller(request).await?;
    stats.accounting.check_reader(&stats.app.store, request, caller.user).await?;
    let (store, today) = (&stats.app.store, clock::now().day());
    let counted = store.get_user_statistics(caller.user, today.minus(29), today);
    let active = store.list_conversations(caller.user, None, ACTIVE);
    let (counted, active) = tokio::try_join!(counted, active)?;
    Answer::ok(&detailed(&counted, active, today))
}

fn detailed(counted: &Statistics, active: Vec<ListItem>, today: Day) -> Detailed {
    let totals = &counted.totals;
    let count_of = |role: Role| totals.roles.get(&role).copied().unwrap_or_default();
    Detailed {
        basic: Basic::from(totals),
        model_usage: most_used(&totals.models),
        role_distribution: Role::ALL.into_iter().map(|role| (role.as_str(), count_of(role))).collect(),
        hourly_distribution: totals.hours.clone(),
        daily_messages_last_30_days: by_day(counted, today, 30, |day| day.messages),
        token_trend_last_7_days: by_day(counted, today, 7, |day| day.tokens),
        active_conversations: active.into_iter().map(Active::from).collect(),
        insights: Insights {
            average_response_length: average(totals.response_length, count_of(Role::Assistant)),
            most_used_model: most(&totals.models),
            peak_hour: most(&totals.hours),
            total_conversations_this_week: by_day(counted, today, 7, |day| day.conversations).values().sum(),
        },
    }
}

/// The most models in an answer. Clients choose the names of models, so there can be any number.
const MOST_MODELS: usize = 1000;

/// The models that the most conversations use.
fn most_used(models: &BTreeMap<ModelName, i64>) -> BTreeMap<ModelName, i64> {
    let mut by_use: Vec<(&ModelName, &i64)> = models.iter().filter(|(_, count)| **count > 0).collect();
    by_use.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    by_use.into_iter().take(MOST_MODELS).map(|(model, count)| (model.clone(), *count)).collect()
}

/// One figure for each of the last `days` days, including today.
fn by_day(counted: &Statistics, today: Day, days: u32, figure: fn(DayTally) -> i64) -> BTreeMap<String, i64> {
    let days = (0..days).map(|ago| today.minus(ago));
    days.map(|day| (day.to_string(), figure(counted.on(day)))).collect()
}

/// The first of the keys with the highest count; `None` if all counts are 0.
fn most<K: Clone + Ord>(counts: &BTreeMap<K, i64>) -> Option<K> {
    let first_most = counts.iter().rev().max_by_key(|(_, count)| **count)?;
    (*first_most.1 > 0).then(|| first_most.0.clone())
}

impl From<ListItem> for Active {
    fn from(listed: ListItem) -> Self {
        Self {
            id: listed.id,
            title: listed.title,
            message_count: listed.message_count,
            last_updated: listed.updated_at,
            model: listed.model,
        }
    }
}
