//! Requests about conversations that several tests make.

use serde_json::{Value, json};

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

/// Sorts the messages of a conversation by id, since the order of branches is undefined.
pub(crate) fn sort_messages(conversation: &mut Value) {
    let messages = conversation["messages"].as_array_mut().unwrap();
    messages.sort_by_key(|message| message["id"].as_str().unwrap().to_owned());
}

/// The frame of a turn in a conversation.
pub(crate) fn chat_frame(conversation: &str, id: &str, content: &str) -> Value {
    json!({"type": "chat", "conversationId": conversation, "id": id, "content": content})
}

/// How many conversations, messages and tokens a user has, by the statistics.
pub(crate) async fn counted(user: &User) -> [u64; 3] {
    let basic = user.get("/api/stats").await.expect(200).body;
    ["total_conversations", "total_messages", "total_tokens"].map(|name| basic[name].as_u64().unwrap())
}
