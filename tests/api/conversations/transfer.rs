//! Export and import. Importing a file again changes nothing.

use serde_json::{Value, json};

use crate::support::{Answer, User, assert_statistics_match, busy_studio, shared_studio, sort_messages};

const PAST: u64 = 1_795_300_000_000;

fn next_page(answer: &Answer) -> Option<String> {
    let link = answer.header("link").strip_suffix(">; rel=\"next\"")?;
    Some(link.strip_prefix('<').expect("a link").to_owned())
}

/// All parts of an export.
async fn parts(user: &User, path: &str) -> Vec<Value> {
    let (mut parts, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let answer = user.get(&path).await.expect(200);
        assert!(answer.text.len() <= 4 * 1024 * 1024, "{} bytes", answer.text.len());
        next = next_page(&answer);
        parts.push(answer.body);
        assert!(parts.len() < 100, "the parts have no end");
    }
    parts
}

async fn import(user: &User, part: &Value) -> [u64; 3] {
    let report = user.post("/api/import", part).await.expect(200).body;
    assert_eq!((&report["errors"], report.get("next")), (&json!([]), None), "{report}");
    ["imported", "completed", "unchanged"].map(|name| report[name].as_u64().unwrap())
}

/// Every conversation with all branches, by its id.
async fn everything(user: &User) -> Vec<Value> {
    let list = user.get("/api/conversations?view=summary").await.expect(200).body;
    let mut all = Vec::new();
    for entry in list.as_array().unwrap() {
        let path = format!("/api/conversations/{}?branch=all", entry["id"].as_str().unwrap());
        let mut conversation = user.get(&path).await.expect(200).body;
        conversation["userId"] = Value::Null;
        sort_messages(&mut conversation);
        all.push(conversation);
    }
    all
}

#[tokio::test]
async fn an_export_imported_by_another_account_loses_nothing() {
    let studio = busy_studio().await;
    let (user, other) = (studio.user("alice").await, studio.user("bob").await);
    user.conversation("branched", &["zero", "one", "two"]).await;
    let sibling = json!({"id": "b2", "role": "user", "content": "Another", "parentId": "m1", "tokens": 7});
    user.post("/api/conversations/branched/messages", &sibling).await.expect(200);
    let filed =
        json!({"pinned": true, "archived": true, "tags": ["x", "好"], "folder": "F", "systemPrompt": "P"});
    user.patch("/api/conversations/branched", &filed).await.expect(200);
    // Larger than a part, with messages that one transaction does not take.
    let large: Vec<Value> = (0..130)
        .map(|n| json!({"id": format!("l{n}"), "role": "assistant", "model": "m", "tokens": n, "timestamp": PAST + n,
            "content": "\"quoted\" ".repeat(2500)}))
        .collect();
    for (id, messages) in [("large", &large[..]), ("large2", &large[..100])] {
        let body =
            json!({"id": id, "title": "Large", "messages": messages, "createdAt": PAST, "updatedAt": PAST});
        user.post("/api/conversations", &body).await.expect(200);
    }
    let mut connection = user.connect().await;
    connection.chat(&json!({"type": "chat", "conversationId": "said", "content": "hello"})).await;
    let exported = parts(&user, "/api/export").await;
    assert!(exported.len() > 2, "{} parts", exported.len());
    for part in &exported {
        import(&other, part).await;
    }
    let (theirs, ours) = (everything(&other).await, everything(&user).await);
    assert!(theirs == ours, "all is the same");
    assert_eq!(other.get("/api/stats").await.body, user.get("/api/stats").await.body);
    for part in &exported {
        let [imported, completed, unchanged] = import(&other, part).await;
        assert_eq!((imported, completed), (0, 0), "twice is once");
        assert!(unchanged > 0);
    }
    // A deleted conversation can be imported again.
    user.post("/api/conversations/delete", &json!({"all": true})).await.expect(200);
    for part in &exported {
        import(&user, part).await;
    }
    assert!(everything(&user).await == ours, "all is there again");
    let lone = parts(&user, "/api/conversations/branched/export?format=json").await;
    assert_eq!(import(&other, &lone[0]).await, [0, 0, 1]);
}

#[tokio::test]
async fn one_conversation_is_exported_as_markdown() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let body = json!({"id": "c", "title": "Lisbon", "systemPrompt": "You are\na guide.", "messages": [
        {"role": "user", "content": "Where to?", "timestamp": PAST},
        {"role": "assistant", "content": "To *Alfama*.", "timestamp": PAST + 1}]});
    user.post("/api/conversations", &body).await.expect(200);
    let answer = user.get("/api/conversations/c/export?format=markdown").await.expect(200);
    assert_eq!(answer.header("content-type"), "text/markdown; charset=utf-8");
    let expected = "# Lisbon\n\n> You are\n> a guide.\n\n## User · 2026-11-21T22:26:40.000Z\n\nWhere to?\n\n\
        ## Assistant · 2026-11-21T22:26:40.001Z\n\nTo *Alfama*.\n";
    assert_eq!(answer.text, expected);
    user.get("/api/conversations/c/export?format=pdf").await.expect(422);
    user.get("/api/conversations/none/export").await.expect(404);
}

#[tokio::test]
async fn exports_of_chatgpt_and_of_the_old_server_are_imported() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let said = |role: &str, text: &str, time: f64| {
        json!({"author": {"role": role}, "create_time": time, "content": {"content_type": "text", "parts": [text]},
            "metadata": {"model_slug": "gpt-4o"}})
    };
    let chatgpt = json!({"title": "From afar", "create_time": 1_700_000_000.25, "update_time": 1_700_000_100.0,
        "conversation_id": "chatgpt-1", "current_node": "a2", "default_model_slug": "gpt-4o", "mapping": {
        "root": {"id": "root", "message": null, "parent": null, "children": ["s"]},
        "s": {"message": said("system", "", 1.0), "parent": "root"},
        "u": {"message": said("user", "Question", 1_700_000_001.0), "parent": "s"},
        "t": {"message": said("tool", "noise", 1_700_000_002.0), "parent": "u"},
        "a1": {"message": said("assistant", "First", 1_700_000_003.0), "parent": "t"},
        "a2": {"message": said("assistant", "Second", 1_700_000_004.5), "parent": "t"}}});
    let old = json!({"id": "old", "title": "Old", "createdAt": PAST, "updatedAt": PAST, "model": "gpt-4",
        "userId": "somebody", "messages": [{"id": "1", "role": "user", "content": "x", "timestamp": PAST}]});
    let nameless = json!({"title": "Nameless", "messages": [{"role": "user", "content": "y"}, {"role": "user", "content": "z"}]});
    let list = json!([chatgpt, old, nameless]);
    assert_eq!(import(&user, &list).await, [3, 0, 0]);
    assert_eq!(import(&user, &list).await, [0, 0, 3]);
    let read = user.get("/api/conversations/chatgpt-1").await.expect(200).body;
    let contents: Vec<&Value> = read["messages"].as_array().unwrap().iter().map(|m| &m["content"]).collect();
    assert_eq!(contents, ["Question", "Second"]);
    assert_eq!((&read["createdAt"], &read["model"]), (&json!(1_700_000_000_250_u64), &json!("gpt-4o")));
    assert_eq!(read["messages"][1]["model"], "gpt-4o");
    let tree = user.get("/api/conversations/chatgpt-1?branch=all").await.expect(200).body;
    assert_eq!(tree["messages"].as_array().unwrap().len(), 3, "{tree}");
    let read = user.get("/api/conversations/old").await.expect(200).body;
    assert_eq!((&read["messages"], &read["userId"]), (&old["messages"], &json!(user.id)));
    assert_eq!(user.get("/api/stats").await.body["total_messages"], 6);
}

#[tokio::test]
async fn chatgpt_exports_with_missing_and_extra_fields_are_imported() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let said = |parts: Value| json!({"author": {"role": "user"}, "create_time": null, "content": {"parts": parts}, "metadata": null});
    let heard = json!({"content_type": "audio_transcription", "text": "and listen"});
    let entry = json!({"id": "g", "conversation_id": "g", "title": null, "create_time": -7.5, "update_time": 1e300,
        "current_node": "nowhere", "default_model_slug": "", "is_archived": null, "safe_urls": [], "mapping": {
        "root": {"id": "root", "message": null, "parent": null},
        "pictures": {"message": said(json!([{"asset_pointer": "file://x"}, "Look 🎉", heard])), "parent": "root"},
        "nothing": {"message": {"author": {"role": "assistant"}, "content": null}, "parent": "pictures"},
        "nobody": {"message": {"author": null, "content": {"parts": ["x"]}}, "parent": "nothing"},
        "code": {"message": {"author": {"role": "assistant"}, "content": {"content_type": "code", "text": "print()"},
            "metadata": {"model_slug": ""}}, "parent": "nobody"},
        "hidden": {"message": {"author": {"role": "system"}, "content": {"parts": ["x"]},
            "metadata": {"is_visually_hidden_from_conversation": true}}, "parent": "code"},
        "odd": {"message": said(json!([null, 7, [], {}])), "parent": "missing"}}});
    assert_eq!(import(&user, &json!([entry])).await, [1, 0, 0]);
    assert_eq!(import(&user, &json!([entry])).await, [0, 0, 1]);
    let read = user.get("/api/conversations/g?branch=all").await.expect(200).body;
    let contents: Vec<(&Value, &Value)> =
        read["messages"].as_array().unwrap().iter().map(|m| (&m["content"], &m["parentId"])).collect();
    assert!(contents.contains(&(&json!("Look 🎉\nand listen"), &Value::Null)), "{read}");
    assert!(contents.contains(&(&json!("print()"), &json!("pictures"))), "{read}");
    assert_eq!(contents.len(), 2);
    assert_statistics_match(&user, "after an odd import").await;
}

#[tokio::test]
async fn a_bad_entry_is_reported_by_position_and_the_rest_imported() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let good =
        |id: &str| json!({"id": id, "title": "T", "messages": [{"id": "m", "role": "user", "content": "x"}]});
    let message =
        |id: &str, parent: &str| json!({"id": id, "role": "user", "content": "x", "parentId": parent});
    let bad = [
        json!("text"),
        json!({"id": "no-title"}),
        json!({"id": "b", "title": "T", "messages": [{"role": "robot", "content": "x"}]}),
        json!({"id": "b", "title": "T", "messages": [message("1", "none")]}),
        json!({"id": "b", "title": "T", "messages": [message("1", "2"), message("2", "1")]}),
        json!({"id": "b", "title": "T", "messages": [message("1", "1")]}),
        json!({"id": "b", "title": "T", "messages": [{"id": "1", "role": "user", "content": "x"}, {"id": "1", "role": "user", "content": "y"}]}),
        json!({"title": "T", "mapping": {"n": {"message": {"author": {"role": "user"}, "content": {"parts": ["x".repeat(70_000)]}}}}}),
        json!({"title": "T", "mapping": 7}),
        json!(null),
    ];
    let mut entries = vec![good("first")];
    entries.extend(bad.iter().cloned());
    entries.push(good("last"));
    let report = user.post("/api/import", &json!({"conversations": entries})).await.expect(200).body;
    assert_eq!(report["imported"], 2, "{report}");
    let positions: Vec<u64> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["position"].as_u64().unwrap())
        .collect();
    assert_eq!(positions, (1..=10).collect::<Vec<_>>(), "{report}");
    for body in [json!({}), json!(7), json!({"conversations": 7}), json!("x"), json!(null)] {
        user.post("/api/import", &body).await.expect(422);
    }
    assert_eq!(user.get("/api/stats").await.body["total_conversations"], 2);
    assert_statistics_match(&user, "after a bad import").await;
}

#[tokio::test]
async fn the_export_of_an_account_is_complete_paged_and_free_of_secrets() {
    let studio = busy_studio().await;
    let user = studio.user("alice").await;
    user.post("/api/auth/keys", &json!({"name": "nightly report"})).await.expect(200);
    // Ten thousand messages, of four megabytes and more in all.
    let messages: Vec<Value> = (0..2000)
        .map(|number| json!({"id": format!("m{number}"), "role": "user", "content": format!("{number} {}", "\u{7}\"x".repeat(60))}))
        .collect();
    for number in 0..5 {
        let body = json!({"id": format!("c{number}"), "title": "Long", "messages": messages});
        user.post("/api/conversations", &body).await.expect(200);
    }
    let (mut records, mut seen, mut count, mut next) =
        (Vec::new(), 0, 0, Some("/api/auth/me/export".to_owned()));
    while let Some(path) = next {
        let answer = user.get(&path).await.expect(200);
        assert!(answer.text.len() < 5 * 1024 * 1024, "{} bytes", answer.text.len());
        for secret in ["password_hash", "refresh_hash", "$argon2id", "\"hash\"", "totp_secret"] {
            assert!(!answer.text.contains(secret), "{secret}");
        }
        records.extend(answer.body["records"].as_array().unwrap().clone());
        let conversations = answer.body["conversations"].as_array().unwrap();
        seen += conversations.iter().map(|it| it["messages"].as_array().unwrap().len()).sum::<usize>();
        (count, next) = (count + 1, next_page(&answer));
    }
    println!("10,000 messages and {} records came in {count} parts", records.len());
    assert_eq!(seen, 10_000);
    assert!(count > 1);
    let kinds: Vec<&str> = records.iter().filter_map(|record| record["kind"].as_str()).collect();
    for kind in ["user", "session", "key", "statistics"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let foreign = user.get("/api/auth/me/export?cursor=made-up").await;
    foreign.expect(422);
}
