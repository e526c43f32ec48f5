//! Creates the tables of the template.

use dynoxide::{Database, DynoxideError};
use serde_json::{Value, json};

use crate::{error::Error, template::TableDefinition};

/// Creates the table if it does not exist. A table of an earlier run keeps its items, and missing indexes are added.
pub(super) fn provide(database: &Database, table: &TableDefinition) -> Result<(), Error> {
    let failed = |error: DynoxideError| Error::Database(format!("table {}: {error}", table.name));
    let described = database.describe_table(request(json!({ "TableName": table.name }), table)?);
    match described {
        Ok(description) => {
            let description = serde_json::to_value(&description).unwrap_or_default();
            for update in missing_indexes(table, &description) {
                database.update_table(request(update, table)?).map_err(failed)?;
            }
        }
        Err(DynoxideError::ResourceNotFoundException(_)) => {
            database.create_table(request(table.create.clone(), table)?).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    let Some(attribute) = &table.ttl_attribute else {
        return Ok(());
    };
    let ttl = database
        .describe_time_to_live(request(json!({ "TableName": table.name }), table)?)
        .map_err(failed)?;
    let ttl = serde_json::to_value(&ttl).unwrap_or_default();
    if ttl.pointer("/TimeToLiveDescription/AttributeName").and_then(Value::as_str) == Some(attribute) {
        return Ok(());
    }
    let specification = json!({ "AttributeName": attribute, "Enabled": true });
    let update = json!({ "TableName": table.name, "TimeToLiveSpecification": specification });
    database.update_time_to_live(request(update, table)?).map(drop).map_err(failed)
}

fn request<T: serde::de::DeserializeOwned>(body: Value, table: &TableDefinition) -> Result<T, Error> {
    serde_json::from_value(body).map_err(|error| Error::Database(format!("table {}: {error}", table.name)))
}

/// An `UpdateTable` request for each index of the template that an existing table does not have.
fn missing_indexes(table: &TableDefinition, description: &Value) -> Vec<Value> {
    let indexes = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let existing = indexes(description.pointer("/Table/GlobalSecondaryIndexes"));
    indexes(table.create.get("GlobalSecondaryIndexes"))
        .into_iter()
        .filter(|wanted| !existing.iter().any(|index| index.get("IndexName") == wanted.get("IndexName")))
        .map(|index| {
            json!({
                "TableName": table.name,
                "AttributeDefinitions": table.create.get("AttributeDefinitions"),
                "GlobalSecondaryIndexUpdates": [{ "Create": index }],
            })
        })
        .collect()
}
