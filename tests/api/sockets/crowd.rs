//! Many windows of many users at once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{TestStudio, User, Window, studio_with};

const USERS: usize = 5;
const WINDOWS: usize = 10;
/// How many of a user's windows ask something.
const ASKING: usize = 2;

/// A reply as one window saw it.
#[derive(Default)]
struct Seen {
    text: String,
    chunks: u64,
    complete: Option<Value>,
}

/// Takes frames until all the user's replies are complete. Chunks must come in order, and be about this user alone.
async fn watch(window: &mut Window, user: usize) -> BTreeMap<String, Seen> {
    let mut replies: BTreeMap<String, Seen> = BTreeMap::new();
    while replies.values().filter(|seen| seen.complete.is_some()).count() < ASKING {
        let frame = window.next_any().await;
        if frame["type"] == "chat_accepted" {
            continue;
        }
        let seen = replies.entry(frame["messageId"].as_str().unwrap().to_owned()).or_default();
        assert!(seen.complete.is_none(), "something came behind the end: {frame}");
        if frame["type"] == "chat_chunk" {
            assert_eq!(frame["seq"], seen.chunks, "{frame}");
            seen.chunks += 1;
            seen.text.push_str(frame["content"].as_str().unwrap());
        } else {
            assert_eq!(frame["type"], "chat_complete", "{frame}");
            assert_eq!(frame["content"], seen.text);
            seen.complete = Some(frame);
        }
    }
    let (mine, marker) = (format!("<user {user}>"), "<user ");
    for seen in replies.values() {
        assert!(seen.text.contains(&mine), "{}", seen.text);
        assert_eq!(seen.text.matches(marker).count(), seen.text.matches(&mine).count(), "{}", seen.text);
        assert!(seen.chunks > 1, "a reply came in one piece: {}", seen.text);
    }
    replies
}

async fn enter(studio: &TestStudio, number: usize) -> (User, Vec<Window>) {
    let user = studio.user(&format!("user{number}")).await;
    let windows = join_all((0..WINDOWS).map(|_| user.window())).await;
    (user, windows)
}

#[tokio::test]
async fn every_window_sees_all_replies_of_its_user_in_order_and_no_others() {
    let studio = studio_with(|options| options.variable("OFFLINE_TOKEN_DELAY_MS", "4")).await;
    let mut crowd = join_all((0..USERS).map(|number| enter(&studio, number))).await;
    assert_eq!(studio.connections(), USERS * WINDOWS);
    for (number, (_, windows)) in crowd.iter_mut().enumerate() {
        for (asking, window) in windows.iter_mut().take(ASKING).enumerate() {
            let content = format!("<user {number}> ").repeat(30 + asking);
            window.send(&json!({"type": "chat", "content": content})).await;
        }
    }
    let watching = crowd.iter_mut().enumerate().flat_map(|(number, (_, windows))| {
        windows.iter_mut().map(move |window| async move { (number, watch(window, number).await) })
    });
    let mut ids: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (number, replies) in join_all(watching).await {
        ids.entry(number).or_default().extend(replies.into_keys());
    }
    // All windows of a user saw the same replies, and no two users the same one.
    assert!(ids.values().all(|ids| ids.len() == ASKING), "{ids:?}");
    assert_eq!(ids.values().flatten().collect::<BTreeSet<_>>().len(), USERS * ASKING);
    for (_, windows) in &mut crowd {
        windows[WINDOWS - 1].is_quiet().await;
    }
    let health = studio.visitor().get("/health").await.expect(200);
    assert_eq!(health.body["total_users"], USERS, "{}", health.text);
}
