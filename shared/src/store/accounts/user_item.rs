//! The item of a user in the table, and its conversion to and from [`User`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::usage::OwnBudget;
use crate::domain::{DisplayName, Email, Failures, KeyId, Millis, SessionId, Totp, User, UserId, Username};

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct UserItem {
    id: UserId,
    username: Username,
    email: Email,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<DisplayName>,
    created_at: Millis,
    token_version: u64,
    /// Absent when there are no sessions, because DynamoDB does not allow empty sets.
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "BTreeSet::is_empty")]
    sessions: BTreeSet<SessionId>,
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "BTreeSet::is_empty")]
    keys: BTreeSet<KeyId>,
    password_hash: String,
    /// The operator may set this limit and the next one in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_micro_dollars: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero_count")]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_at: Option<Millis>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    email_verified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp_secret: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero_step")]
    totp_step: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp_pending: Option<String>,
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "BTreeSet::is_empty")]
    recovery: BTreeSet<String>,
    /// Set while the account is being deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) leaving: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero_step(step: &u64) -> bool {
    *step == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero_count(count: &u32) -> bool {
    *count == 0
}

impl From<User> for UserItem {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            display_name: user.display_name,
            created_at: user.created_at,
            token_version: user.token_version,
            sessions: user.sessions,
            keys: user.keys,
            password_hash: user.password_hash,
            daily_tokens: user.own_budget.tokens,
            daily_micro_dollars: user.own_budget.micro_dollars,
            failures: user.failures.count,
            failed_at: (user.failures.count > 0).then_some(user.failures.last_at),
            email_verified: user.email_verified,
            totp_step: user.totp.as_ref().map_or(0, |totp| totp.last_step),
            totp_secret: user.totp.map(|totp| totp.secret),
            totp_pending: user.totp_pending,
            recovery: user.recovery_hashes,
            leaving: false,
        }
    }
}

impl From<UserItem> for User {
    fn from(item: UserItem) -> Self {
        Self {
            id: item.id,
            username: item.username,
            email: item.email,
            display_name: item.display_name,
            created_at: item.created_at,
            token_version: item.token_version,
            sessions: item.sessions,
            keys: item.keys,
            password_hash: item.password_hash,
            own_budget: OwnBudget { tokens: item.daily_tokens, micro_dollars: item.daily_micro_dollars },
            failures: Failures { count: item.failures, last_at: item.failed_at.unwrap_or_default() },
            email_verified: item.email_verified,
            totp: item.totp_secret.map(|secret| Totp { secret, last_step: item.totp_step }),
            totp_pending: item.totp_pending,
            recovery_hashes: item.recovery,
        }
    }
}
