//! Odd and long texts and ids are kept as they were sent.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::storage::{PAST, conversation, message};
use crate::support::{ids, path_of, shared_studio};

#[tokio::test]
async fn a_message_of_65536_characters_is_stored_and_a_longer_one_refused() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let texts = ["x", "é", "你", "🎉", "\"", "\n"].map(|character| character.repeat(65_536));
    let long: Vec<Value> = texts.iter().enumerate().map(|(number, text)| message(number, text)).collect();
    user.post("/api/conversations", &conversation("c", long)).await.expect(200);
    let read = user.get("/api/conversations/c").await.expect(200).body;
    for (number, text) in texts.iter().enumerate() {
        assert!(read["messages"][number]["content"] == *text, "message {number}");
        let longer = conversation("longer", vec![message(1, &format!("{text}x"))]);
        let refused = user.post("/api/conversations", &longer).await.expect(422);
        assert_eq!(refused.body["errors"][0]["field"], "messages[0].content");
        assert!(refused.text.len() < 1000, "the text is not repeated");
    }
}

#[tokio::test]
async fn every_character_is_stored_unchanged() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let texts = [
        "\0",
        "a\0b\u{1}\u{1f}\u{7f}\u{85}",
        "\r\n\t\u{2028}\u{2029}",
        "\u{feff}\u{200b}\u{200d}\u{202e}abc\u{202c}",
        "e\u{301} é \u{212b} Å ﬁ",
        "👩‍👩‍👧‍👦🏳️‍🌈🇪🇺",
        "\u{ffff}\u{fffe}\u{fffd}\u{10ffff}\u{e000}",
        "\\ \" \\u0000 </script> ${x} {{y}} %00",
        " blanks around ",
        "",
        "\u{3000}",
        "नमस्ते עברית عربى ไทย",
    ];
    let sent: Vec<Value> = texts.iter().enumerate().map(|(number, text)| message(number, text)).collect();
    let mut body = conversation("c", sent);
    body["systemPrompt"] = json!(texts.concat());
    body["title"] = json!(" ﬁ e\u{301} \u{200f}👩‍👩‍👧 \\\" ");
    let created = user.post("/api/conversations", &body).await.expect(200).body;
    let read = user.get("/api/conversations/c").await.expect(200).body;
    body["userId"] = json!(user.id);
    assert_eq!(created, body);
    assert_eq!(read, body);
}

#[tokio::test]
async fn ids_with_odd_characters_are_found_in_the_path() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let long = "长".repeat(128);
    let odd = [
        "with blank",
        "日本語 🎉",
        "#",
        "+",
        "a+b",
        "%",
        "%41",
        "%2F",
        "100%",
        "a/b",
        "?x=1&y",
        "'\"",
        "\\",
        "{id}",
        "é",
        "e\u{301}",
        "CONVERSATION#1",
        "MESSAGE#00000000",
        "a#b",
        "0",
        "null",
        "Ⅷ",
        &long,
    ];
    for id in odd {
        let mut body =
            conversation(id, vec![json!({"id": id, "content": id, "role": "user", "timestamp": PAST})]);
        user.post("/api/conversations", &body).await.expect(200);
        assert_eq!(user.get(&path_of(id)).await.expect(200).body["id"], id);
        body["title"] = json!("New");
        assert_eq!(user.put(&path_of(id), &body).await.expect(200).body["messages"][0]["id"], id);
    }
    let list = user.get("/api/conversations").await.expect(200).body;
    assert_eq!(ids(&list).into_iter().collect::<HashSet<_>>(), odd.map(str::to_owned).into_iter().collect());
    for (gone, id) in odd.iter().enumerate() {
        user.delete(&path_of(id)).await.expect(200);
        assert_eq!(user.get("/api/stats").await.body["total_conversations"], odd.len() - gone - 1, "{id}");
    }
}
