//! Pages of lists and long conversations: nothing is missing or repeated, and no answer is too large for Lambda.

use serde_json::{Value, json};

use crate::support::{Answer, Client, User, busy_studio, ids, shared_studio};

const PAST: u64 = 1_795_300_000_000;

/// Lambda's limit on a response. The JSON of the body is a string within it.
const LAMBDA: usize = 6 * 1024 * 1024;

fn message(id: &str, content: &str) -> Value {
    json!({"id": id, "content": content, "role": "user", "timestamp": PAST})
}

/// The path and query of the next page.
fn next_page(answer: &Answer) -> Option<String> {
    let link = answer.header("link").strip_suffix(">; rel=\"next\"")?;
    Some(link.strip_prefix('<').expect("a link").to_owned())
}

/// All pages from this one on. Fails if one is too large.
async fn all_pages(client: &Client, path: &str) -> Vec<Answer> {
    let (mut pages, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let answer = client.get(&path).await.expect(200);
        let wrapped = serde_json::to_string(&answer.text).unwrap().len();
        assert!(wrapped < LAMBDA, "{wrapped} bytes");
        next = next_page(&answer);
        pages.push(answer);
        assert!(pages.len() < 200, "the pages have no end");
    }
    pages
}

/// The ids on all pages.
async fn ids_of_pages(client: &Client, path: &str) -> Vec<String> {
    all_pages(client, path).await.iter().flat_map(|page| ids(&page.body)).collect()
}

/// Creates `count` conversations, `c0` and so on, the last being the newest.
async fn conversations(user: &User, count: u64) {
    for number in 0..count {
        let body = json!({"id": format!("c{number}"), "title": format!("Number {number}"), "updatedAt": PAST + number,
            "messages": [message("m", &format!("First of {number}")), message("n", &format!("Last of\n {number}"))]});
        user.post("/api/conversations", &body).await.expect(200);
    }
}

#[tokio::test]
async fn all_pages_together_list_every_conversation_once_in_order() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    conversations(&user, 23).await;
    let newest_first: Vec<String> = (0..23).rev().map(|number| format!("c{number}")).collect();
    for path in [
        "/api/conversations",
        "/api/conversations?limit=5",
        "/api/conversations?limit=23&view=full",
        "/api/conversations?limit=1&view=summary",
        "/api/conversations?view=summary",
    ] {
        assert_eq!(ids_of_pages(&user, path).await, newest_first, "{path}");
    }
    let first = user.get("/api/conversations?limit=5").await.expect(200);
    assert_eq!(first.body.as_array().unwrap().len(), 5);
    let summaries = user.get("/api/conversations?limit=2&view=summary").await.expect(200).body;
    let expected = json!({"id": "c22", "title": "Number 22", "createdAt": summaries[0]["createdAt"],
        "updatedAt": PAST + 22, "model": "gpt-3.5-turbo", "userId": user.id, "message_count": 2,
        "preview": "Last of 22"});
    assert_eq!(summaries[0], expected);
    assert_eq!(first.body[0]["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_cursor_works_only_for_its_own_list_and_user() {
    let studio = shared_studio().await;
    let (owner, stranger) = (studio.user("owner").await, studio.user("stranger").await);
    conversations(&owner, 5).await;
    conversations(&stranger, 5).await;
    let list = next_page(&owner.get("/api/conversations?limit=2").await).unwrap();
    let messages = next_page(&owner.get("/api/conversations/c1/messages?limit=1").await).unwrap();
    let newest = next_page(&owner.get("/api/conversations/c1?messages=1").await).unwrap();
    for path in [&list, &messages, &newest] {
        owner.get(path).await.expect(200);
        let refused = stranger.get(path).await.expect(422);
        assert_eq!(refused.body["errors"][0]["field"], "cursor", "{path}");
    }
    let cursor = |path: &str| path.rsplit("cursor=").next().unwrap().to_owned();
    for path in [
        format!("/api/conversations?cursor={}", cursor(&messages)),
        format!("/api/conversations?limit=3&cursor={}", cursor(&list)),
        format!("/api/conversations?limit=2&pinned=true&cursor={}", cursor(&list)),
        format!("/api/conversations/c2/messages?limit=1&cursor={}", cursor(&messages)),
        format!("/api/conversations/c1/messages?limit=1&order=desc&cursor={}", cursor(&messages)),
        format!("/api/conversations/c1?messages=1&cursor={}", cursor(&messages)),
        "/api/conversations?cursor=".to_owned(),
        format!("/api/conversations?limit=2&cursor={}x", cursor(&list)),
    ] {
        owner.get(&path).await.expect(422);
    }
}

#[tokio::test]
async fn query_parameters_are_checked() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    conversations(&user, 1).await;
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=-1",
        "limit=",
        "view=all",
        "archived=yes",
        "pinned=1",
        "tag=",
        "folder=%00",
    ] {
        let refused = user.get(&format!("/api/conversations?{query}")).await.expect(422);
        let field = query.split('=').next().unwrap();
        assert_eq!(refused.body["errors"][0]["field"], field, "{query}");
    }
    for query in ["messages=0", "messages=x", "branch=none", "cursor=%F0%9F"] {
        user.get(&format!("/api/conversations/c0?{query}")).await.expect(422);
    }
    for query in ["limit=101", "order=up", "branch=", "cursor=AAAA"] {
        user.get(&format!("/api/conversations/c0/messages?{query}")).await.expect(422);
    }
    user.get("/api/conversations/absent/messages").await.expect(404);
}

#[tokio::test]
async fn a_conversation_is_paged_from_either_end() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let messages: Vec<Value> = (0..57).map(|n| message(&format!("m{n}"), &format!("Text {n}"))).collect();
    user.post("/api/conversations", &json!({"id": "c", "title": "T", "messages": messages}))
        .await
        .expect(200);
    let in_order: Vec<String> = (0..57).map(|n| format!("m{n}")).collect();
    let path = "/api/conversations/c/messages";
    assert_eq!(ids_of_pages(&user, path).await, in_order);
    assert_eq!(ids_of_pages(&user, &format!("{path}?limit=7")).await, in_order);
    let mut backwards = ids_of_pages(&user, &format!("{path}?limit=10&order=desc")).await;
    assert_eq!(backwards[0], "m56");
    backwards.reverse();
    assert_eq!(backwards, in_order);
    let listed = user.get(&format!("{path}?limit=2")).await.expect(200).body;
    assert_eq!((&listed[0]["parentId"], &listed[1]["parentId"]), (&Value::Null, &json!("m0")));
    // Reading the conversation begins with the newest page. Messages on a page are in order.
    let pages = all_pages(&user, "/api/conversations/c?messages=20").await;
    let parts: Vec<Vec<String>> = pages.iter().map(|page| ids(&page.body["messages"])).collect();
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 17]);
    assert_eq!(parts.iter().rev().flatten().cloned().collect::<Vec<_>>(), in_order);
    assert!(pages.iter().all(|page| page.body["message_count"] == 57 && page.body["title"] == "T"));
    // The cursor of a conversation that was rewritten meanwhile begins at the first page.
    let next = next_page(&user.get(&format!("{path}?limit=7")).await).unwrap();
    let reversed: Vec<Value> = messages.iter().rev().cloned().collect();
    user.put("/api/conversations/c", &json!({"title": "T", "messages": reversed})).await.expect(200);
    assert_eq!(user.get(&next).await.expect(409).body["code"], "conflict");
}

#[tokio::test]
async fn a_conversation_larger_than_any_answer_is_read_in_parts_and_still_listed() {
    let studio = busy_studio().await;
    let user = studio.user("alice").await;
    conversations(&user, 3).await;
    // Each of these takes three times its bytes in an answer.
    let text = "\u{1}".repeat(65_536);
    let first: Vec<Value> = (0..9).map(|n| message(&format!("m{n}"), &text)).collect();
    let body = json!({"id": "long", "title": "Long", "updatedAt": PAST + 100, "messages": first});
    user.post("/api/conversations", &body).await.expect(200);
    let plain = "plain ".repeat(10_922);
    let mut count = 9;
    while count < 110 {
        let new = message(&format!("m{count}"), &plain);
        user.post(
            "/api/conversations/long/messages",
            &json!({"id": new["id"], "content": plain, "role": "user"}),
        )
        .await
        .expect(200);
        count += 1;
    }
    let in_order: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
    let pages = all_pages(&user, "/api/conversations/long").await;
    assert!(pages.len() > 1, "{} pages", pages.len());
    let parts: Vec<Vec<String>> = pages.iter().map(|page| ids(&page.body["messages"])).collect();
    assert_eq!(parts.into_iter().rev().flatten().collect::<Vec<_>>(), in_order);
    assert_eq!(pages[0].body["message_count"], count);
    assert_eq!(ids_of_pages(&user, "/api/conversations/long/messages?limit=100").await, in_order);
    assert_eq!(ids_of_pages(&user, "/api/conversations").await, ["long", "c2", "c1", "c0"]);
    assert_eq!(ids_of_pages(&user, "/api/conversations?limit=2").await, ["long", "c2", "c1", "c0"]);
    user.delete("/api/conversations/long").await.expect(200);
    assert_eq!(user.get("/api/stats").await.body["total_messages"], 6);
}
