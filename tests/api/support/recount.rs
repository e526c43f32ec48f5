//! Statistics, recounted from the conversations themselves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::User;
use super::conversations::path_of;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// The number of a day since the epoch, from `YYYY-MM-DD`.
fn day_number(date: &str) -> u64 {
    let parts: Vec<u64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = |month: u64| match month {
        2 => 28 + u64::from(is_leap(parts[0])),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let years: u64 = (1970..parts[0]).map(|year| 365 + u64::from(is_leap(year))).sum();
    years + (1..parts[1]).map(length).sum::<u64>() + parts[2] - 1
}

/// The average with two decimals; 0 if there is nothing.
fn average(total: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { (total as f64 / count as f64 * 100.0).round() / 100.0 }
}

/// The first of the most frequent keys.
fn most<K: Clone>(counts: impl IntoIterator<Item = (K, u64)>) -> Option<K> {
    let first = |best: Option<(K, u64)>, next: (K, u64)| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    };
    counts.into_iter().filter(|(_, count)| *count > 0).fold(None, first).map(|(key, _)| key)
}

/// Statistics counted from the conversations of a user.
#[derive(Default)]
struct Recount {
    conversations: u64,
    messages: u64,
    tokens: u64,
    response_length: u64,
    models: BTreeMap<String, u64>,
    roles: BTreeMap<String, u64>,
    hours: BTreeMap<u64, u64>,
    /// Conversations begun, messages and tokens by day.
    days: BTreeMap<u64, [u64; 3]>,
    active: Vec<Value>,
}

impl Recount {
    /// Counts the conversations of a list, with all branches.
    async fn of(user: &User, list: &Value) -> Self {
        let mut recount = Self::default();
        for conversation in list.as_array().unwrap() {
            let path = path_of(conversation["id"].as_str().unwrap());
            let whole = user.get(&format!("{path}?branch=all")).await.expect(200).body;
            recount.count(conversation, whole["messages"].as_array().unwrap());
        }
        recount
    }

    fn count(&mut self, conversation: &Value, messages: &[Value]) {
        self.conversations += 1;
        *self.models.entry(conversation["model"].as_str().unwrap().to_owned()).or_default() += 1;
        self.days.entry(conversation["createdAt"].as_u64().unwrap() / DAY).or_default()[0] += 1;
        for message in messages {
            let (time, tokens) =
                (message["timestamp"].as_u64().unwrap(), message["tokens"].as_u64().unwrap_or(0));
            let (role, content) = (message["role"].as_str().unwrap(), message["content"].as_str().unwrap());
            self.messages += 1;
            self.tokens += tokens;
            *self.roles.entry(role.to_owned()).or_default() += 1;
            *self.hours.entry(time % DAY / HOUR).or_default() += 1;
            let day = self.days.entry(time / DAY).or_default();
            (day[1], day[2]) = (day[1] + 1, day[2] + tokens);
            if role == "assistant" {
                self.response_length += content.chars().count() as u64;
            }
        }
        if self.active.len() < 10 {
            // The list shows only the newest messages of a very long conversation, and its message count.
            let shown = json!(conversation["messages"].as_array().unwrap().len());
            let message_count = conversation.get("message_count").unwrap_or(&shown);
            self.active.push(json!({
                "id": conversation["id"], "title": conversation["title"], "model": conversation["model"],
                "message_count": message_count, "last_updated": conversation["updatedAt"],
            }));
        }
    }

    fn basic(&self) -> Value {
        json!({
            "total_conversations": self.conversations, "total_messages": self.messages, "total_tokens": self.tokens,
            "average_messages_per_conversation": average(self.messages, self.conversations),
        })
    }

    /// The expected answer of `/api/stats/detailed` on the last of these days.
    fn detailed(&self, days: &[String]) -> Value {
        let figure = |days: &[String], which: usize| -> BTreeMap<String, u64> {
            let of = |date: &String| self.days.get(&day_number(date)).map_or(0, |day| day[which]);
            days.iter().map(|date| (date.clone(), of(date))).collect()
        };
        let (_, week) = days.split_at(days.len() - 7);
        let hour = |hour: u64| self.hours.get(&hour).copied().unwrap_or_default();
        let role = |role: &str| self.roles.get(role).copied().unwrap_or_default();
        json!({
            "basic": self.basic(),
            "model_usage": self.models,
            "role_distribution": {"user": role("user"), "assistant": role("assistant"), "system": role("system")},
            "hourly_distribution": (0..24).map(|h| (h.to_string(), hour(h))).collect::<BTreeMap<_, _>>(),
            "daily_messages_last_30_days": figure(days, 1),
            "token_trend_last_7_days": figure(week, 2),
            "active_conversations": self.active,
            "insights": {
                "average_response_length": average(self.response_length, role("assistant")),
                "most_used_model": most(self.models.clone()),
                "peak_hour": most((0..24).map(|h| (h, hour(h)))),
                "total_conversations_this_week": figure(week, 0).values().sum::<u64>(),
            },
        })
    }
}

/// Checks both statistics routes of a user against a recount.
pub(crate) async fn assert_statistics_match(user: &User, what: &str) {
    let list = user.get("/api/conversations").await.expect(200);
    assert_eq!(list.header("link"), "", "{what}: the whole list is there");
    let recount = Recount::of(user, &list.body).await;
    let detailed = user.get("/api/stats/detailed").await.expect(200).body;
    let mut days: Vec<String> =
        detailed["daily_messages_last_30_days"].as_object().unwrap().keys().cloned().collect();
    days.sort();
    assert_eq!(days.len(), 30);
    assert_eq!(day_number(&days[29]) - day_number(&days[0]), 29, "30 days without a gap");
    let expected = recount.detailed(&days);
    for (part, value) in expected.as_object().unwrap() {
        assert_eq!(&detailed[part], value, "{what}: {part}");
    }
    assert_eq!(detailed, expected, "{what}");
    assert_eq!(user.get("/api/stats").await.expect(200).body, recount.basic(), "{what}");
}
