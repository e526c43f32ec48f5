//! Reads `AWS::DynamoDB::Table` as `CreateTable` requests.

use serde_json::{Map, Value, json};

use super::{TableDefinition, TemplateError, node::Node, resolve::Resolver, resources};

/// All tables of the template. Backups, encryption and deletion protection are ignored.
pub(super) fn read(template: &Node, resolver: &Resolver) -> Result<Vec<TableDefinition>, TemplateError> {
    resources(template, "AWS::DynamoDB::Table")
        .map(|(id, resource)| table(id, resource, resolver).map_err(|error| error.within(id)))
        .collect()
}

fn table(id: &str, resource: &Node, resolver: &Resolver) -> Result<TableDefinition, TemplateError> {
    let mut create = Map::from_iter([
        ("TableName".to_owned(), json!(id)),
        // The local database only meters capacity.
        ("BillingMode".to_owned(), json!("PAY_PER_REQUEST")),
    ]);
    for key in ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(node) = resource.at(&["Properties", key]) {
            create.insert(key.to_owned(), json_of(node, resolver)?);
        }
    }
    if !create.contains_key("KeySchema") {
        return Err(TemplateError("KeySchema is missing".to_owned()));
    }
    let ttl = resource.at(&["Properties", "TimeToLiveSpecification"]);
    let enabled = ttl.and_then(|ttl| ttl.get("Enabled")).map_or(Ok(false), |node| resolver.boolean(node))?;
    let ttl_attribute = match ttl.and_then(|ttl| ttl.get("AttributeName")) {
        Some(node) if enabled => Some(resolver.text(node)?),
        _ => None,
    };
    Ok(TableDefinition { name: id.to_owned(), create: Value::Object(create), ttl_attribute })
}

fn json_of(node: &Node, resolver: &Resolver) -> Result<Value, TemplateError> {
    match node {
        Node::List(items) => {
            items.iter().map(|item| json_of(item, resolver)).collect::<Result<_, _>>().map(Value::Array)
        }
        Node::Map(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                object.insert(key.clone(), json_of(value, resolver)?);
            }
            Ok(Value::Object(object))
        }
        Node::Text(_) | Node::Call(..) => resolver.text(node).map(Value::String),
    }
}
