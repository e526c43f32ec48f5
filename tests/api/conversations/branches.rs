//! Branches of a conversation: no message is lost, and old clients see a plain list.

use serde_json::{Value, json};

use crate::support::{User, assert_statistics_match, ids, shared_studio};

const PATH: &str = "/api/conversations/c";

/// The ids of the current branch.
async fn line(user: &User) -> Vec<String> {
    ids(&user.get(PATH).await.expect(200).body["messages"])
}

async fn say(user: &User, id: &str, parent: Option<&str>) -> Value {
    let mut body = json!({"id": id, "role": "user", "content": format!("I am {id}"), "timestamp": 1_795_300_000_000_u64});
    if let Some(parent) = parent {
        body["parentId"] = if parent == "-" { Value::Null } else { json!(parent) };
    }
    user.post(&format!("{PATH}/messages"), &body).await.expect(200).body
}

/// The tree as `id<parent`, sorted.
async fn tree(user: &User) -> Vec<String> {
    let whole = user.get(&format!("{PATH}?branch=all")).await.expect(200).body;
    let of = |message: &Value| {
        format!("{}<{}", message["id"].as_str().unwrap(), message["parentId"].as_str().unwrap_or("-"))
    };
    let mut tree: Vec<String> = whole["messages"].as_array().unwrap().iter().map(of).collect();
    tree.sort_unstable();
    tree
}

#[tokio::test]
async fn a_second_reply_to_a_message_begins_a_branch_and_nothing_is_lost() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["zero", "one", "two", "three"]).await;
    let sibling = say(&user, "b2", Some("m1")).await;
    assert_eq!(sibling["parentId"], "m1");
    say(&user, "b3", None).await;
    assert_eq!(line(&user).await, ["m0", "m1", "b2", "b3"]);
    assert_eq!(tree(&user).await, ["b2<m1", "b3<b2", "m0<-", "m1<m0", "m2<m1", "m3<m2"]);
    let whole = user.get(&format!("{PATH}?branch=all")).await.expect(200).body;
    assert_eq!(whole["currentMessageId"], "b3");
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    assert_eq!((&list[0]["message_count"], &list[0]["preview"]), (&json!(4), &json!("I am b3")));
    assert_eq!(user.get("/api/stats").await.body["total_messages"], 6, "all branches are counted");
    // Pages of the current branch hold no messages of other branches.
    for (order, expected) in [("asc", ["m0", "m1", "b2", "b3"]), ("desc", ["b3", "b2", "m1", "m0"])] {
        let page = user.get(&format!("{PATH}/messages?order={order}")).await.expect(200).body;
        assert_eq!(ids(&page), expected);
    }
    let newest = user.get(&format!("{PATH}?messages=3")).await.expect(200).body;
    assert_eq!(ids(&newest["messages"]), ["m1", "b2", "b3"]);
    user.patch(PATH, &json!({"currentMessageId": "m2"})).await.expect(200);
    assert_eq!(line(&user).await, ["m0", "m1", "m2", "m3"], "with what follows it");
    say(&user, "m4", None).await;
    assert_eq!(line(&user).await, ["m0", "m1", "m2", "m3", "m4"]);
    say(&user, "root", Some("-")).await;
    assert_eq!(line(&user).await, ["root"]);
    let other = json!({"currentMessageId": "b2"});
    assert_eq!(user.patch(PATH, &other).await.expect(200).body["message_count"], 4);
    assert_eq!(line(&user).await, ["m0", "m1", "b2", "b3"]);
    assert_eq!(tree(&user).await.len(), 8);
}

#[tokio::test]
async fn deleting_a_message_keeps_its_replies() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["zero", "one", "two"]).await;
    say(&user, "b2", Some("m1")).await;
    user.delete(&format!("{PATH}/messages/m1")).await.expect(200);
    assert_eq!(line(&user).await, ["m0", "b2"]);
    assert_eq!(tree(&user).await, ["b2<m0", "m0<-", "m2<m0"]);
    user.delete(&format!("{PATH}/messages/m2")).await.expect(200);
    user.delete(&format!("{PATH}/messages/b2")).await.expect(200);
    assert_eq!(line(&user).await, ["m0"]);
    say(&user, "m9", None).await;
    assert_eq!(tree(&user).await, ["m0<-", "m9<m0"]);
    assert_statistics_match(&user, "without branches again").await;
}

#[tokio::test]
async fn an_old_client_that_replaces_the_list_leaves_other_branches() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let mut list = user.conversation("c", &["zero", "one", "two", "three"]).await;
    say(&user, "b2", Some("m1")).await;
    // The old client puts the list it read before the branch existed: m2 and m3 are current again, b2 is not.
    user.put(PATH, &list).await.expect(200);
    assert_eq!(line(&user).await, ["m0", "m1", "m2", "m3"]);
    assert_eq!(tree(&user).await, ["m0<-", "m1<m0", "m2<m1", "m3<m2"]);
    say(&user, "b3", Some("m2")).await;
    list = user.get(PATH).await.expect(200).body;
    assert_eq!(ids(&list["messages"]), ["m0", "m1", "m2", "b3"]);
    for (keep, tree_then) in [
        (vec![0, 1, 2, 3], vec!["b3<m2", "m0<-", "m1<m0", "m2<m1", "m3<m2"]),
        (vec![0, 1, 3], vec!["b3<m1", "m0<-", "m1<m0", "m3<m1"]),
        (vec![3, 0], vec!["b3<-", "m0<b3", "m3<m0"]),
    ] {
        let all = list["messages"].clone();
        let mut body = list.clone();
        body["messages"] = keep.iter().map(|place: &usize| all[*place].clone()).collect();
        user.put(PATH, &body).await.expect(200);
        assert_eq!(line(&user).await, ids(&body["messages"]));
        assert_eq!(tree(&user).await, tree_then);
    }
}

#[tokio::test]
async fn a_fork_is_a_copy_up_to_a_message_of_any_branch() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["zero", "one", "two", "three"]).await;
    say(&user, "b2", Some("m1")).await;
    for (message, expected) in
        [("m2", vec!["m0", "m1", "m2"]), ("b2", vec!["m0", "m1", "b2"]), ("m0", vec!["m0"])]
    {
        let fork = user.post(&format!("{PATH}/fork"), &json!({"messageId": message})).await.expect(200).body;
        assert_eq!(ids(&fork["messages"]), expected);
        assert_ne!(fork["id"], "c");
        let path = format!("/api/conversations/{}", fork["id"].as_str().unwrap());
        assert_eq!(user.get(&path).await.expect(200).body, fork);
        user.post(&format!("{path}/messages"), &json!({"role": "user", "content": "On"})).await.expect(200);
    }
    assert_eq!(line(&user).await, ["m0", "m1", "b2"]);
    let taken = json!({"messageId": "m0", "id": "c"});
    user.post(&format!("{PATH}/fork"), &taken).await.expect(409);
    user.post(&format!("{PATH}/fork"), &json!({"messageId": "none"})).await.expect(422);
    assert_eq!(user.get("/api/stats").await.body["total_messages"], 5 + 7 + 3);
}

#[tokio::test]
async fn a_turn_continues_the_current_branch() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    user.conversation("c", &["zero", "one", "two", "three"]).await;
    say(&user, "b2", Some("m1")).await;
    let mut connection = user.connect().await;
    let (text, complete) = connection
        .chat(&json!({"type": "chat", "conversationId": "c", "id": "turn", "content": "and now?"}))
        .await;
    let reply = complete["messageId"].as_str().unwrap();
    assert_eq!(line(&user).await, ["m0", "m1", "b2", "turn", reply]);
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    assert!(text.starts_with(list[0]["preview"].as_str().unwrap().trim_end_matches('…')), "{list}");
    assert_eq!(list[0]["message_count"], 5);
}

#[tokio::test]
async fn a_message_or_turn_on_another_branch_makes_that_branch_current() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let said = |id: &str| json!({"id": id, "role": "user", "content": id});
    let messages: Vec<Value> = ["m1", "m2", "m3", "m4"].map(said).into();
    let body = json!({"id": "c", "title": "Two ways", "messages": messages});
    user.post("/api/conversations", &body).await.expect(200);
    let shown = async || {
        let read = user.get("/api/conversations/c").await.expect(200).body;
        let ids = read["messages"].as_array().unwrap().iter().map(|message| message["id"].clone());
        ids.collect::<Vec<Value>>()
    };
    let append = async |parent: &str, id: &str| {
        let mut message = said(id);
        message["parentId"] = json!(parent);
        user.post("/api/conversations/c/messages", &message).await.expect(200)
    };
    append("m2", "x1").await;
    assert_eq!(shown().await, ["m1", "m2", "x1"]);
    append("m4", "y1").await;
    assert_eq!(shown().await, ["m1", "m2", "m3", "m4", "y1"]);
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    assert_eq!(list[0]["message_count"], 5);
    let mut connection = user.connect().await;
    let turn =
        json!({"type": "chat", "conversationId": "c", "id": "q", "parentId": "x1", "content": "hello"});
    let (_, end) = connection.chat(&turn).await;
    let reply = end["messageId"].as_str().unwrap();
    assert_eq!(shown().await, ["m1", "m2", "x1", "q", reply]);
    append("m3", "z1").await;
    assert_eq!(shown().await, ["m1", "m2", "m3", "z1"]);
    // Regenerating a reply on another branch makes that branch current.
    connection.send(&json!({"type": "regenerate", "conversationId": "c", "messageId": reply})).await;
    let again = connection.next("chat_complete").await;
    assert_eq!(shown().await, ["m1", "m2", "x1", "q", again["messageId"].as_str().unwrap()]);
}
