//! The IAM actions of a DynamoDB call.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};

use crate::permissions;

/// The parts of a request that name tables.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Call {
    table_name: String,
    index_name: Option<String>,
    /// The requests of a batch, by table.
    request_items: BTreeMap<String, IgnoredAny>,
    /// The members of a transaction, each by its kind.
    transact_items: Vec<BTreeMap<String, Member>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    table_name: String,
}

/// The actions of a call, each with the ARN of its table or index.
pub(super) fn of(operation: &str, body: &[u8]) -> Vec<(String, String)> {
    let call: Call = serde_json::from_slice(body).unwrap_or_default();
    let action = |name: &str| format!("dynamodb:{name}");
    if !call.transact_items.is_empty() {
        let members = call.transact_items.iter().flatten();
        return members
            .map(|(kind, member)| {
                // `ConditionCheck`, `Delete`, `Get`, `Put` or `Update`.
                (action(&format!("{kind}Item")), permissions::table(&member.table_name, None))
            })
            .collect();
    }
    if !call.request_items.is_empty() {
        let tables = call.request_items.keys();
        return tables.map(|table| (action(operation), permissions::table(table, None))).collect();
    }
    vec![(action(operation), permissions::table(&call.table_name, call.index_name.as_deref()))]
}
