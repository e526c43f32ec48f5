//! Turns the OpenAPI schemas of types into schemas of frames, each of which is one flat object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// The schemas that frames refer to, by name.
#[derive(Default)]
pub(super) struct Schemas(BTreeMap<String, Value>);

/// The fields of an object.
#[derive(Default)]
struct Fields {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

const PREFIX: &str = "#/components/schemas/";

impl Schemas {
    /// The schema of `T`. Keeps the schemas that it refers to.
    pub(super) fn of<T: ToSchema>(&mut self) -> Value {
        let mut found = Vec::new();
        T::schemas(&mut found);
        for (name, schema) in found {
            self.0.insert(name, serde_json::to_value(schema).unwrap());
        }
        serde_json::to_value(T::schema()).unwrap()
    }

    /// The schema of a frame of this type, with the fields of `schema`.
    pub(super) fn frame(&self, kind: &str, description: &str, schema: &Value) -> Value {
        let mut fields = Fields::default();
        self.gather(schema, true, &mut fields);
        fields.properties.insert("type".to_owned(), json!({"type": "string", "enum": [kind]}));
        let mut required = fields.required;
        required.retain(|name| name != "type");
        required.insert(0, "type".into());
        tidied(json!({
            "type": "object", "description": description, "required": required, "properties": fields.properties,
        }))
    }

    /// Collects the fields of an object and of the objects flattened into it. Fields of an optional object are
    /// optional.
    fn gather(&self, schema: &Value, required: bool, fields: &mut Fields) {
        if let Some(name) = schema["$ref"].as_str() {
            return self.gather(&self.0[name.trim_start_matches(PREFIX)], required, fields);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.gather(part, required, fields);
        }
        for part in schema["oneOf"].as_array().into_iter().flatten() {
            self.gather(part, false, fields);
        }
        fields.properties.extend(schema["properties"].as_object().cloned().unwrap_or_default());
        if required {
            fields.required.extend(schema["required"].as_array().cloned().unwrap_or_default());
        }
    }

    /// The schemas that `users` refer to, directly or through other schemas.
    pub(super) fn used_by(&self, users: &Value) -> Map<String, Value> {
        let mut used = Map::new();
        let mut texts = vec![users.to_string()];
        while let Some(text) = texts.pop() {
            for part in text.split(PREFIX).skip(1) {
                let name = part.split('"').next().unwrap();
                if !used.contains_key(name) {
                    texts.push(self.0[name].to_string());
                    used.insert(name.to_owned(), tidied(self.0[name].clone()));
                }
            }
        }
        used
    }
}

/// `schema` with `examples`, the JSON Schema keyword, in place of OpenAPI's `example`.
fn tidied(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            if let Some(example) = fields.remove("example") {
                fields.insert("examples".to_owned(), json!([example]));
            }
            fields.values_mut().for_each(|value| *value = tidied(value.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = tidied(value.take())),
        _ => {}
    }
    schema
}

/// `schema` without null as a value, for frames that omit a field instead of setting it to null.
pub(super) fn without_null(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| *value = without_null(value.take()));
            if let Some([one]) = fields.get("oneOf").and_then(Value::as_array).map(Vec::as_slice) {
                return one.clone();
            }
            if let Some([one]) = fields.get("type").and_then(Value::as_array).map(Vec::as_slice) {
                let one = one.clone();
                fields.insert("type".to_owned(), one);
            }
        }
        Value::Array(values) => {
            values.retain(|value| value != "null" && value["type"] != "null");
            values.iter_mut().for_each(|value| *value = without_null(value.take()));
        }
        _ => {}
    }
    schema
}
