//! Sends requests, and checks every answer against the OpenAPI document: the status is documented, and the body has
//! exactly the documented fields.

use std::sync::OnceLock;

use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value};

use crate::support::Answer;

/// The OpenAPI document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/functions/site/openapi.json"));
        serde_json::from_str(text).expect("the document is JSON")
    })
}

/// Sends a request, and fails the test unless the answer is documented.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let asked = (request.method().clone(), request.url().path().to_owned());
    let response = client.execute(request).await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    let answer = Answer { status, headers, text, body };
    assert_documented(&asked, &answer);
    answer
}

/// Fails unless the document describes this answer. Unknown routes and answers that consist of a `message` come from
/// the gateway, which is not documented.
#[track_caller]
fn assert_documented((method, path): &(Method, String), answer: &Answer) {
    let Some((template, operation)) = operation(&method.as_str().to_lowercase(), path) else { return };
    let (status, body) = (answer.status, &answer.body);
    let route = format!("{method} {template}");
    if is_gateways_own(status, body) {
        return;
    }
    let response = &operation["responses"][status.to_string()];
    let response =
        resolve(response).unwrap_or_else(|| panic!("{route} is not documented to answer {status}: {body}"));
    let essence = answer.header("content-type").split(';').next().unwrap_or_default();
    match response["content"].as_object() {
        Some(content) => {
            let media = content.get(essence);
            let media = media.unwrap_or_else(|| panic!("{route} is not documented to answer {essence}"));
            if essence.ends_with("json") {
                check(&media["schema"], body, "")
                    .unwrap_or_else(|error| panic!("{route} {status}: {error}: {body}"));
            }
        }
        None => assert_eq!(*body, Value::Null, "{route} {status} is documented without a body"),
    }
}

fn is_gateways_own(status: u16, body: &Value) -> bool {
    let fields = body.as_object().map(Map::len);
    matches!(status, 404 | 413 | 429 | 500 | 503) && fields == Some(1) && body["message"].is_string()
}

/// The operation of a path. Literal segments win over parameters, as in the gateway.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = document()["paths"].as_object().expect("paths");
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let fitting = paths.iter().filter(|(template, item)| fits(template) && item.get(method).is_some());
    let (template, item) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    Some((template, &item[method]))
}

/// The value, or the target of its `$ref`.
fn resolve(value: &'static Value) -> Option<&'static Value> {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')),
        None => Some(value).filter(|value| !value.is_null()),
    }
}

/// Checks a value against a schema.
pub(crate) fn check(schema: &'static Value, value: &Value, place: &str) -> Result<(), String> {
    let mut known = Vec::new();
    check_part(schema, value, place, &mut known)?;
    let Some(fields) = value.as_object() else { return Ok(()) };
    if known.contains(&"*") {
        return Ok(());
    }
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(format!("{place}/{field} is not documented")),
        None => Ok(()),
    }
}

/// Checks a value against one of its schemas, and adds the fields that the schema knows.
fn check_part(
    schema: &'static Value,
    value: &Value,
    place: &str,
    known: &mut Vec<&'static str>,
) -> Result<(), String> {
    let schema = resolve(schema).ok_or_else(|| format!("{place}: the schema is missing"))?;
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check_part(part, value, place, known)?;
    }
    if let Some(forms) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let tried: Vec<_> = forms.iter().map(|form| check(form, value, place)).collect();
        known.push("*");
        if tried.iter().all(Result::is_err) {
            return Err(format!("{place} has none of its forms: {tried:?}"));
        }
    }
    check_type(schema, value, place)?;
    check_bounds(schema, value, place)?;
    if let Some(items) = value.as_array() {
        for (position, item) in items.iter().enumerate().filter(|_| schema.get("items").is_some()) {
            check(&schema["items"], item, &format!("{place}/{position}"))?;
        }
    }
    check_fields(schema, value, place, known)
}

fn check_type(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let fits = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the document has the type {other}"),
    };
    if types.is_empty() || types.iter().any(fits) { Ok(()) } else { Err(format!("{place} is not {types:?}")) }
}

fn check_bounds(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let outside = |least: &str, most: &str, count: f64| {
        schema[least].as_f64().is_some_and(|least| count < least)
            || schema[most].as_f64().is_some_and(|most| count > most)
    };
    let length = value.as_str().map(|text| text.chars().count() as f64);
    let wrong = schema["enum"].as_array().is_some_and(|all| !all.contains(value))
        || length.is_some_and(|length| outside("minLength", "maxLength", length))
        || value.as_f64().is_some_and(|number| outside("minimum", "maximum", number))
        || value.as_array().is_some_and(|items| outside("minItems", "maxItems", items.len() as f64));
    if wrong { Err(format!("{place} is outside its bounds")) } else { Ok(()) }
}

fn check_fields(
    schema: &'static Value,
    value: &Value,
    place: &str,
    known: &mut Vec<&'static str>,
) -> Result<(), String> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{place}/{name} is missing"));
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        known.push(name);
        if let Some(value) = fields.get(name) {
            check(inner, value, &format!("{place}/{name}"))?;
        }
    }
    let says_nothing = schema["type"] == "object" && schema.get("properties").is_none();
    match schema.get("additionalProperties") {
        Some(inner) if inner.is_object() => {
            known.push("*");
            fields.iter().try_for_each(|(name, value)| check(inner, value, &format!("{place}/{name}")))
        }
        _ => {
            known.extend(says_nothing.then_some("*"));
            Ok(())
        }
    }
}
