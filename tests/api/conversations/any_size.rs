//! Conversations with more messages than one request can write.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, User, assert_statistics_match, busy_studio, own_studio, send, sort_messages};

const LIST: &str = "/api/conversations";
const PATH: &str = "/api/conversations/c";
const COUNT: usize = 10_100;

fn new_message(number: usize) -> Value {
    let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
    json!({"id": format!("m{number}"), "role": role, "content": format!("{number}"), "timestamp": 1_795_300_000_000_u64})
}

/// Sends a request that may take longer than the usual limit of a test.
async fn patiently(user: &User, method: Method, path: &str, body: &Value) -> Answer {
    let request = user.request(method, path).timeout(Duration::from_secs(60));
    send(if body.is_null() { request } else { request.json(body) }).await
}

async fn read(user: &User, path: &str) -> Value {
    patiently(user, Method::GET, path, &Value::Null).await.expect(200).body
}

/// Repeats an import until it is complete, and returns the number of requests.
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
async fn thousands_of_messages_are_imported_replaced_and_exported() {
    let studio = busy_studio().await;
    let user = studio.user("alice").await;
    let messages: Vec<Value> = (0..COUNT).map(new_message).collect();
    let whole = json!({"id": "c", "title": "Long", "messages": messages, "createdAt": 1_795_300_000_000_u64});
    let refused = patiently(&user, Method::POST, "/api/conversations", &whole).await.expect(422);
    assert_eq!(refused.body["errors"][0]["field"], "messages");
    import(&user, &json!([whole])).await;
    let stored = read(&user, PATH).await;
    assert!(stored["messages"] == whole["messages"], "all of it, in its order");
    // An old client replaces the whole conversation with one message changed, one removed and one added.
    let mut changed = stored.clone();
    let list = changed["messages"].as_array_mut().unwrap();
    list[17]["content"] = json!("Changed");
    list.remove(5000);
    list.push(new_message(COUNT));
    let stored = patiently(&user, Method::PUT, PATH, &changed).await.expect(200).body;
    assert!(stored["messages"] == changed["messages"], "it is stored");
    // Reversing the order would rewrite every message, so it is refused.
    let mut turned = changed.clone();
    turned["messages"].as_array_mut().unwrap().reverse();
    let refused = patiently(&user, Method::PUT, PATH, &turned).await.expect(422);
    assert_eq!(refused.body["errors"][0]["field"], "messages");
    assert!(read(&user, PATH).await["messages"] == changed["messages"], "nothing is lost");
    let sibling = json!({"id": "sibling", "role": "user", "content": "Other", "parentId": "m9000"});
    user.post(&format!("{PATH}/messages"), &sibling).await.expect(200);
    let exported = patiently(&user, Method::GET, &format!("{PATH}/export"), &Value::Null).await.expect(200);
    assert_eq!(exported.header("link"), "", "one part");
    let other = studio.user("bob").await;
    import(&other, &exported.body).await;
    for branch in ["current", "all"] {
        let path = format!("{PATH}?branch={branch}");
        let mut copies = [read(&user, &path).await, read(&other, &path).await];
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
async fn an_import_that_runs_out_of_time_continues_with_the_same_request() {
    let studio = own_studio().await;
    let user = studio.user("alice").await;
    user.post("/api/conversations", &json!({"id": "c", "title": "C", "messages": [new_message(0)]}))
        .await
        .expect(200);
    let messages: Vec<Value> = (0..500).map(new_message).collect();
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
async fn trees_made_to_be_slow_are_handled_fast() {
    let studio = busy_studio().await;
    let user = studio.user("alice").await;
    // Messages listed before their parents, and two that are each other's parent.
    let count = 20_000;
    let said =
        |id: String, parent: Value| json!({"id": id, "role": "user", "content": "", "parentId": parent});
    let mut backwards = vec![said("x".to_owned(), json!("y")), said("y".to_owned(), json!("x"))];
    backwards.extend((1..count).map(|number| said(number.to_string(), json!((number + 1).to_string()))));
    backwards.push(said(count.to_string(), Value::Null));
    let entry = json!([{"id": "b", "title": "T", "messages": backwards}]);
    let report = patiently(&user, Method::POST, "/api/import", &entry).await.expect(200).body;
    assert_eq!(report["errors"][0]["detail"], "messages: must not follow each other in a circle", "{report}");
    // A chain of empty nodes with many children, each of which needs the nearest node with text.
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

/// Messages so long that a list holds at most 17 and a single answer at most 24. Quotes are escaped twice.
fn long(numbers: impl IntoIterator<Item = usize>) -> Vec<Value> {
    let content = "\"".repeat(60_000);
    let long = |number| {
        let mut message = new_message(number);
        (message["content"], message["tokens"]) = (json!(content), json!(number));
        message
    };
    numbers.into_iter().map(long).collect()
}

/// Creates a conversation with `count` long messages.
async fn create_long_conversation(user: &User, count: usize) {
    let begun = json!({"id": "c", "title": "Long", "model": "m", "messages": long(0..16)});
    user.post(LIST, &begun).await.expect(200);
    for message in long(16..count) {
        user.post(&format!("{PATH}/messages"), &message).await.expect(200);
    }
}

/// The beginnings of messages, which identify them.
fn beginning(message: &Value) -> String {
    let content = message["content"].as_str().unwrap();
    format!("{}: {}", message["id"].as_str().unwrap(), &content[..content.len().min(3)])
}

fn beginnings(messages: &[Value]) -> Vec<String> {
    messages.iter().map(beginning).collect()
}

/// The beginnings of all messages of the conversation, read by the page.
async fn all(user: &User) -> Vec<String> {
    let (mut all, mut next) = (Vec::new(), Some(format!("{PATH}/messages")));
    while let Some(path) = next {
        let page = user.get(&path).await.expect(200);
        all.extend(beginnings(page.body.as_array().unwrap()));
        let link = page.header("link").strip_suffix(">; rel=\"next\"");
        next = link.and_then(|link| link.strip_prefix('<')).map(str::to_owned);
    }
    all
}

#[tokio::test]
async fn an_old_client_that_saw_only_the_newest_messages_deletes_no_older_ones_by_a_put() {
    let studio = busy_studio().await;
    for (count, reading, shown) in [(22, LIST, 17), (28, PATH, 24)] {
        let user = studio.user(&format!("has{count}and{shown}")).await;
        create_long_conversation(&user, count).await;
        let mut read = user.get(reading).await.expect(200).body;
        read = if reading == LIST { read[0].take() } else { read };
        let messages = read["messages"].as_array_mut().unwrap();
        assert_eq!(messages.len(), shown, "{count} by {reading}");
        messages[1]["content"] = json!("Changed");
        messages.push(json!({"id": "new", "role": "user", "content": "New"}));
        let mut expected = beginnings(&long(0..count - shown));
        expected.extend(beginnings(messages));
        read["title"] = json!("Another");
        let stored = patiently(&user, Method::PUT, PATH, &read).await.expect(200).body;
        assert_eq!(stored["title"], "Another");
        assert_eq!(all(&user).await, expected, "{count} by {reading}");
        let stats = user.get("/api/stats").await.expect(200).body;
        assert_eq!(stats["total_messages"], count + 1);
        assert_eq!(stats["total_tokens"], (0..count).sum::<usize>());
        let listed = user.get("/api/conversations?view=summary").await.expect(200).body;
        assert_eq!((&listed[0]["message_count"], &listed[0]["preview"]), (&json!(count + 1), &json!("New")));
        if count == 22 {
            assert_statistics_match(&user, reading).await;
        }
    }
}

#[tokio::test]
async fn messages_that_a_client_may_not_have_seen_survive_a_put() {
    let studio = busy_studio().await;
    for turned in [false, true] {
        let user = studio.user(&format!("turned{turned}")).await;
        create_long_conversation(&user, 22).await;
        let mut read = user.get(LIST).await.expect(200).body[0].take();
        // The client removes all but two messages, and then one of these. Reordered messages are rewritten.
        let mut two = long([6, 21]);
        if turned {
            two.reverse();
        }
        let before = beginnings(&long(0..6));
        for left in [&two[..], &two[..1]] {
            read["messages"] = json!(left);
            user.put(PATH, &read).await.expect(200);
            assert_eq!(all(&user).await, [before.clone(), beginnings(left)].concat(), "turned: {turned}");
            assert_statistics_match(&user, "after a removal").await;
        }
        for strange in [json!([]), json!(long([50]))] {
            read["messages"] = strange;
            let refused = user.put(PATH, &read).await.expect(422);
            assert_eq!(refused.body["errors"][0]["field"], "messages");
        }
        assert_eq!(all(&user).await, [before.clone(), beginnings(&two[..1])].concat(), "nothing is lost");
        user.delete(&format!("{PATH}/messages/m0")).await.expect(200);
        assert_eq!(all(&user).await, [&before[1..], &beginnings(&two[..1])].concat(), "one by one, they go");
    }
}
