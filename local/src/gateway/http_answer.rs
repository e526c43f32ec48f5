//! Converts the answer of a function to an HTTP answer.

use std::{borrow::Cow, collections::HashMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING, UPGRADE},
};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;

use crate::http1::Answer;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionAnswer<'a> {
    status_code: Option<Value>,
    headers: Option<HashMap<String, Value>>,
    multi_value_headers: Option<HashMap<String, Vec<Value>>>,
    cookies: Option<Vec<String>>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// The HTTP answer for the answer of a function, or `None` if the function's answer is invalid.
pub(super) fn read(bytes: &Bytes) -> Option<Answer> {
    let document = match serde_json::from_slice::<FunctionAnswer<'_>>(bytes) {
        Ok(document) => document,
        Err(error) if error.is_syntax() || error.is_eof() => return None,
        // The answer is JSON, but not an object of this form.
        Err(_) => return inferred(bytes),
    };
    let Some(status) = document.status_code else {
        return inferred(bytes);
    };
    let mut answer = Response::new(Full::new(body(document.body, document.is_base64_encoded == Some(true))?));
    *answer.status_mut() = status_of(&status)?;
    let to = answer.headers_mut();
    for (name, value) in document.headers.unwrap_or_default() {
        append(to, &name, &value)?;
    }
    for (name, values) in document.multi_value_headers.unwrap_or_default() {
        for value in values {
            append(to, &name, &value)?;
        }
    }
    for cookie in document.cookies.unwrap_or_default() {
        to.append(SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
    }
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE] {
        to.remove(name);
    }
    if !to.contains_key(CONTENT_TYPE) {
        to.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    Some(answer)
}

/// The HTTP answer for JSON without a valid status code: the JSON is the body. `None` if there is an invalid status
/// code.
fn inferred(bytes: &Bytes) -> Option<Answer> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    if value.get("statusCode").is_some() {
        return None;
    }
    let body = match value {
        Value::String(text) => Bytes::from(text),
        _ => bytes.clone(),
    };
    Some(crate::http1::json(StatusCode::OK, body))
}

fn status_of(status: &Value) -> Option<StatusCode> {
    let number = match status {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    StatusCode::from_u16(u16::try_from(number).ok()?).ok().filter(|status| !status.is_informational())
}

fn body(text: Option<Cow<'_, str>>, is_base64: bool) -> Option<Bytes> {
    let text = text.unwrap_or_default();
    if is_base64 {
        return STANDARD.decode(text.as_bytes()).ok().map(Bytes::from);
    }
    Some(Bytes::from(text.into_owned()))
}

fn append(to: &mut HeaderMap, name: &str, value: &Value) -> Option<()> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(_) | Value::Bool(_) => Cow::Owned(value.to_string()),
        _ => return None,
    };
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    to.append(name, HeaderValue::from_str(&text).ok()?);
    Some(())
}
