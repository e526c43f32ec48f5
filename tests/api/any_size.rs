//! Conversations of more messages than one request writes: read, changed, replaced, exported and imported all the same.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::actors::{Answer, User, send, studio};
use crate::statistics::assert_statistics_match;
use crate::transfer::sort_messages;

const PATH: &str = "/api/conversations/c";
const COUNT: usize = 10_100;

fn message(number: usize) -> Value {
    let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
    json!({"id": format!("m{number}"), "role": role, "content": format!("{number}"), "timestamp": 1_795_300_000_000_u64})
}

async fn patiently(user: &User, method: Method, path: &str, body: &Value) -> Answer {
    send(user.request(method, path).json(body).timeout(Duration::from_secs(60))).await
}

/// Imports until nothing is left to be sent again: in how many requests.
async fn import(user: &User, export: &Value) -> usize {
    for requests in 1..100 {
        let report = patiently(user, Method::POST, "/api/import", export).await.expect(200).body;
        assert_eq!(report["errors"], json!([]), "{report}");
        if report.get("next").is_none() {
            return requests;
        }
    }
    panic!("the import has no end");
}

#[tokio::test]
async fn more_messages_than_one_request_writes_are_imported_replaced_and_exported() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    let messages: Vec<Value> = (0..COUNT).map(message).collect();
    let whole = json!({"id": "c", "title": "Long", "messages": messages, "createdAt": 1_795_300_000_000_u64});
    let refused = patiently(&user, Method::POST, "/api/conversations", &whole).await.expect(422);
    assert_eq!(refused.body["errors"][0]["field"], "messages");
    import(&user, &json!([whole])).await;
    let read = user.get(PATH).await.expect(200).body;
    assert_eq!(read["messages"], whole["messages"], "all of it, in its order");
    // An old client sends all of it, with a word changed and one message more, or one less.
    let mut changed = read.clone();
    let list = changed["messages"].as_array_mut().unwrap();
    list[17]["content"] = json!("Changed");
    list.remove(5000);
    list.push(message(COUNT));
    let stored = patiently(&user, Method::PUT, PATH, &changed).await.expect(200).body;
    assert!(stored["messages"] == changed["messages"], "it is stored");
    // What would have to be written anew is refused, and nothing lost.
    let mut turned = changed.clone();
    turned["messages"].as_array_mut().unwrap().reverse();
    let refused = patiently(&user, Method::PUT, PATH, &turned).await.expect(422);
    assert_eq!(refused.body["errors"][0]["field"], "messages");
    assert!(user.get(PATH).await.expect(200).body["messages"] == changed["messages"], "nothing is lost");
    let sibling = json!({"id": "sibling", "role": "user", "content": "Other", "parentId": "m9000"});
    user.post(&format!("{PATH}/messages"), &sibling).await.expect(200);
    let exported = user.get(&format!("{PATH}/export")).await.expect(200);
    assert_eq!(exported.header("link"), "", "one part");
    let other = studio.user("bob").await;
    import(&other, &exported.body).await;
    for branch in ["current", "all"] {
        let path = format!("{PATH}?branch={branch}");
        let mut copies = [user.get(&path).await.expect(200).body, other.get(&path).await.expect(200).body];
        if branch == "all" {
            copies.iter_mut().for_each(sort_messages);
        }
        let [one, two] = copies;
        assert!(one["messages"] == two["messages"], "the copy is the same: {branch}");
        assert_eq!(one["currentMessageId"], two["currentMessageId"]);
    }
    for user in [&user, &other] {
        assert_statistics_match(user, "after a long conversation").await;
    }
}

#[tokio::test]
async fn what_an_import_cannot_finish_in_time_goes_on_with_the_same_request() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &json!({"id": "c", "title": "C", "messages": [message(0)]}))
        .await
        .expect(200);
    let messages: Vec<Value> = (0..500).map(message).collect();
    // Each of the transactions takes two seconds.
    let slow = local::DynamoDbFault::Delay(Duration::from_secs(2));
    studio.faults().dynamodb(slow, local::Target::operation("TransactWriteItems"), local::When::Always);
    let requests = import(&user, &json!([{"id": "c", "title": "C", "messages": messages}])).await;
    studio.faults().clear();
    assert!(requests > 1, "{requests} requests");
    assert_eq!(user.get(PATH).await.expect(200).body["messages"].as_array().unwrap().len(), 500);
    assert_statistics_match(&user, "after an import in parts").await;
}

#[tokio::test]
async fn trees_that_are_made_to_cost_time_take_none() {
    let studio = studio().await;
    let user = studio.user("alice").await;
    // Each message before the one that it follows, and two that follow each other.
    let count = 20_000;
    let said =
        |id: String, parent: Value| json!({"id": id, "role": "user", "content": "", "parentId": parent});
    let mut backwards = vec![said("x".to_owned(), json!("y")), said("y".to_owned(), json!("x"))];
    backwards.extend((1..count).map(|number| said(number.to_string(), json!((number + 1).to_string()))));
    backwards.push(said(count.to_string(), Value::Null));
    let entry = json!([{"id": "b", "title": "T", "messages": backwards}]);
    let report = patiently(&user, Method::POST, "/api/import", &entry).await.expect(200).body;
    assert_eq!(report["errors"][0]["detail"], "messages: must not follow themselves", "{report}");
    // Nodes that say nothing, and below them many that all look for the nearest that does.
    let mut mapping = serde_json::Map::new();
    for number in 0..60_000 {
        mapping.insert(format!("s{number}"), json!({"parent": format!("s{}", (number + 1) % 60_000)}));
    }
    for number in 0..2_000 {
        let said = json!({"author": {"role": "user"}, "content": {"parts": ["x"]}});
        mapping.insert(format!("u{number}"), json!({"message": said, "parent": format!("s{number}")}));
    }
    import(&user, &json!([{"id": "g", "title": "T", "mapping": mapping}])).await;
    let tree = user.get("/api/conversations/g?branch=all").await.expect(200).body;
    assert_eq!(tree["messages"].as_array().unwrap().len(), 2_000);
}
