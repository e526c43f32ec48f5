//! The list of conversations.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::storage::{PAST, conversation, message, messages};
use crate::support::{Client, ids, shared_studio};

/// The items of all pages of the list, and the number of pages.
async fn whole_list(client: &Client) -> (Vec<Value>, usize) {
    let (mut list, mut pages) = (Vec::new(), 0);
    let mut next = Some("/api/conversations".to_owned());
    while let Some(path) = next {
        let answer = client.get(&path).await.expect(200);
        assert!(answer.text.len() <= 4 * 1024 * 1024, "a page has at most 4 MB");
        list.extend(answer.body.as_array().unwrap().iter().cloned());
        pages += 1;
        let link = answer.header("link").strip_suffix(">; rel=\"next\"");
        next = link.map(|link| link.strip_prefix('<').unwrap().to_owned());
    }
    (list, pages)
}

#[tokio::test]
async fn the_list_begins_with_the_conversation_changed_last() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    assert_eq!(user.get("/api/conversations").await.expect(200).body, json!([]));
    for (id, updated) in [("b", 2), ("d", 4), ("a", 1), ("c", 3), ("far", 13_000_000_000_000)] {
        let mut body = conversation(id, messages([1]));
        body["updatedAt"] = json!(PAST + updated);
        user.post("/api/conversations", &body).await.expect(200);
    }
    assert_eq!(ids(&user.get("/api/conversations").await.body), ["far", "d", "c", "b", "a"]);
    let mut body = conversation("a", messages([1]));
    body["updatedAt"] = json!(PAST + 5);
    user.put("/api/conversations/a", &body).await.expect(200);
    assert_eq!(ids(&user.get("/api/conversations").await.body), ["far", "a", "d", "c", "b"]);
}

#[tokio::test]
async fn a_list_too_large_for_one_answer_continues_at_a_link() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    // Quotes count twice when the answer is wrapped for the gateway, so fewer of the second kind fit.
    let large = [("plain", "x".repeat(60_000), 8, PAST), ("quoted", "\"".repeat(60_000), 4, PAST + 10)];
    for (name, text, count, updated) in large {
        for number in 0..count {
            let parts = (1..=7).map(|part| message(part, &text)).collect();
            let mut body = conversation(&format!("{name}{number}"), parts);
            body["updatedAt"] = json!(updated + number % 3);
            user.post("/api/conversations", &body).await.expect(200);
        }
    }
    let (list, pages) = whole_list(&user).await;
    assert!(pages >= 3, "{pages} pages");
    let list = Value::from(list);
    let seen = ids(&list);
    assert_eq!(
        (seen.len(), seen.iter().collect::<HashSet<_>>().len()),
        (12, 12),
        "nothing is lost or doubled"
    );
    let times: Vec<u64> = list.as_array().unwrap().iter().map(|c| c["updatedAt"].as_u64().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    assert!(list.as_array().unwrap().iter().all(|c| c["messages"].as_array().unwrap().len() == 7));
    for cursor in ["", "x", "MQ", "%00", "MDAxNzk1MzAwMDAwMDAwI2NvbnZfMQ=="] {
        let answer = user.get(&format!("/api/conversations?cursor={cursor}")).await.expect(422);
        assert_eq!(answer.body["errors"][0]["field"], "cursor");
    }
}
