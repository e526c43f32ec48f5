//! Requests about conversations that several tests make.
use serde_json::Value;

use super::User;

/// The path of a conversation, whatever its id holds.
pub(crate) fn path_of(id: &str) -> String {
    let mut url = reqwest::Url::parse("http://localhost/api/conversations").unwrap();
    url.path_segments_mut().unwrap().push(id);
    url.path().to_owned()
}

/// The ids of the items of a JSON array.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Reads a conversation with its messages.
pub(crate) async fn read(user: &User, id: &str) -> Value {
    user.get(&path_of(id)).await.expect(200).body
}

/// In a tree, the order of branches among each other means nothing.
pub(crate) fn sort_messages(conversation: &mut Value) {
    let messages = conversation["messages"].as_array_mut().unwrap();
    messages.sort_by_key(|message| message["id"].as_str().unwrap().to_owned());
}
