//! Exports of other programs: messages are imported as their users saw them, and unreadable entries are reported by
//! position. No import creates an empty conversation.

use std::fs;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, User, send, shared_studio};

/// Sends a file as it is.
async fn import(user: &User, file: impl Into<String>) -> Answer {
    let request = user.request(Method::POST, "/api/import");
    send(request.header(CONTENT_TYPE, "application/json").body(file.into())).await.expect(200)
}

fn case(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/conversations/exports");
    fs::read_to_string(format!("{folder}/{name}.json")).unwrap()
}

/// The number of imported conversations, and the positions of those that failed.
fn outcome(answer: &Answer) -> (u64, Vec<u64>) {
    let errors = answer.body["errors"].as_array().unwrap().iter();
    let positions = errors.map(|error| error["position"].as_u64().unwrap()).collect();
    (answer.body["imported"].as_u64().unwrap(), positions)
}

/// The times and texts of the user's only conversation.
async fn shown(user: &User) -> Vec<(u64, String)> {
    let list = user.get("/api/conversations").await.expect(200).body;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let messages = list[0]["messages"].as_array().unwrap().iter();
    messages
        .map(|it| (it["timestamp"].as_u64().unwrap(), it["content"].as_str().unwrap().to_owned()))
        .collect()
}

async fn texts(user: &User) -> Vec<String> {
    shown(user).await.into_iter().map(|(_, text)| text).collect()
}

#[tokio::test]
async fn real_exports_are_imported_as_their_users_saw_them() {
    let studio = shared_studio().await;
    let expected: [(&str, u64, &[u64], &[&str]); 6] = [
        ("toolcall", 1, &[], &["Draw a cat", "Here it is."]),
        ("code", 1, &[], &["Sum", "Two."]),
        ("owui", 1, &[], &["Hi"]),
        ("surrogate", 1, &[1], &["Hi"]),
        ("bom", 1, &[], &["Hi"]),
        ("nulltime3", 1, &[], &["Question", "Answer"]),
    ];
    for (name, imported, refused, said) in expected {
        let user = studio.user(name).await;
        let answer = import(&user, case(name)).await;
        assert_eq!(outcome(&answer), (imported, refused.to_vec()), "{name}: {}", answer.text);
        assert_eq!(texts(&user).await, said, "{name}");
        let again = import(&user, case(name)).await;
        assert_eq!(outcome(&again), (0, refused.to_vec()), "{name}, again: {}", again.text);
        assert_eq!(again.body["unchanged"], 1, "{name}, again: {}", again.text);
    }
}

/// A node of a ChatGPT export with text.
fn node(parent: &str, role: &str, parts: &Value, more: &Value) -> Value {
    let mut message =
        json!({"author": {"role": role}, "create_time": 1_700_000_000.0, "content": {"parts": parts}});
    for (name, value) in more.as_object().unwrap() {
        message[name] = value.clone();
    }
    json!({"message": message, "parent": parent})
}

#[tokio::test]
async fn citation_marks_and_tool_calls_are_not_imported() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let said = "Paris\u{e200}cite\u{e202}turn0search0\u{e202}turn0news3\u{e201}, says \
        \u{e200}entity\u{e202}[\"people\",\"Ada\",1]\u{e201}. \u{e200}cite\u{e202}turn1view0\u{e201}";
    let file = json!([{"id": "c", "title": "T", "current_node": "a3", "mapping": {
        "u": node("", "user", &json!(["Capital?"]), &json!({"recipient": null})),
        "a1": node("u", "assistant", &json!(["search(\"capital\")"]), &json!({"recipient": "web"})),
        "t1": node("a1", "tool", &json!(["Paris"]), &json!({"recipient": "all"})),
        "a2": node("t1", "assistant", &json!(["{}"]), &json!({"recipient": "a.b"})),
        "a3": node("a2", "assistant", &json!([said]), &json!({"recipient": "all"})),
        "only": node("u", "assistant", &json!(["\u{e200}cite\u{e202}turn0search0\u{e201}"]), &json!({})),
    }}]);
    assert_eq!(outcome(&import(&user, file.to_string()).await), (1, Vec::new()));
    assert_eq!(texts(&user).await, ["Capital?", "Paris, says Ada."]);
    let all = user.get("/api/conversations/c?branch=all").await.expect(200).body;
    assert_eq!(all["messages"].as_array().unwrap().len(), 2, "{all}");
}

#[tokio::test]
async fn an_export_of_open_webui_keeps_its_branches_and_times() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let message = |role: &str, parent: Value, text: &str, time: u64| {
        json!({"id": "ignored", "role": role, "parentId": parent, "childrenIds": [], "content": text,
            "timestamp": time, "model": "llama3", "done": true})
    };
    let history = json!({"currentId": "a2", "messages": {
        "q": message("user", Value::Null, "Question", 1_700_000_001),
        "a1": message("assistant", json!("q"), "First", 1_700_000_002),
        "a2": message("assistant", json!("q"), "Second", 1_700_000_003),
        "broken": message("assistant", json!("q"), "", 1_700_000_009)}});
    let chat = json!({"title": "Inner", "models": ["llama3"], "history": history, "messages": [], "timestamp": 1_700_000_000_500_u64});
    let file = json!([{"id": "w", "user_id": "x", "title": "Outer", "chat": chat, "created_at": 1_700_000_000, "updated_at": 1_700_000_050,
        "pinned": true, "archived": false, "meta": {"tags": ["home", " ", "home"]}, "share_id": null}]);
    assert_eq!(outcome(&import(&user, file.to_string()).await), (1, Vec::new()));
    let expected = [(1_700_000_001_000, "Question".to_owned()), (1_700_000_003_000, "Second".to_owned())];
    assert_eq!(shown(&user).await, expected);
    let all = user.get("/api/conversations/w?branch=all").await.expect(200).body;
    assert_eq!(all["messages"].as_array().unwrap().len(), 3, "{all}");
    assert_eq!(
        (&all["title"], &all["model"], &all["pinned"]),
        (&json!("Outer"), &json!("llama3"), &json!(true))
    );
    assert_eq!((&all["createdAt"], &all["tags"]), (&json!(1_700_000_000_000_u64), &json!(["home"])));
    // Old exports contain the chat without a wrapper.
    let other = studio.user("bob").await;
    assert_eq!(outcome(&import(&other, json!([chat]).to_string()).await), (1, Vec::new()));
    assert_eq!(texts(&other).await, ["Question", "Second"]);
}

#[tokio::test]
async fn without_a_current_node_the_newest_leaf_is_shown() {
    let studio = shared_studio().await;
    let text = |text: &str| json!([text]);
    let at = |time: Value| json!({ "create_time": time });
    let trees = [
        // A reply older than its question, and one without a time.
        (
            "late",
            json!({"u": node("", "user", &text("q"), &at(json!(9))), "a": node("u", "assistant", &text("a"), &at(json!(1)))}),
        ),
        (
            "none",
            json!({"a": node("u", "assistant", &text("a"), &at(Value::Null)), "u": node("r", "user", &text("q"), &at(json!("x"))),
            "r": {"message": null, "parent": null}}),
        ),
        // Several roots, and a circle of empty nodes.
        (
            "roots",
            json!({"o": node("", "user", &text("other"), &at(json!(1))), "u": node("x", "user", &text("q"), &at(json!(2))),
            "a": node("u", "assistant", &text("a"), &at(json!(3))), "x": {"parent": "y"}, "y": {"parent": "x"}}),
        ),
        // Nodes that only their parents name.
        (
            "children",
            json!({"u": {"message": node("", "user", &text("q"), &json!({}))["message"], "children": ["a", 7]},
            "o": node("", "user", &text("other"), &json!({})), "a": {"message": node("", "assistant", &text("a"), &at(json!(1_700_000_009)))["message"]},
            "r": {"children": ["u"]}, "x": {"children": ["a"], "parent": "x"}}),
        ),
    ];
    for (name, mapping) in trees {
        for current in [json!(null), json!(7), json!("nowhere")] {
            let user = studio.user(&format!("{name}{}", current.to_string().len())).await;
            let file = json!([{"title": "T", "mapping": mapping, "current_node": current}]);
            assert_eq!(outcome(&import(&user, file.to_string()).await), (1, Vec::new()), "{name} {current}");
            assert_eq!(texts(&user).await, ["q", "a"], "{name} {current}");
        }
    }
}

fn hi() -> Value {
    node("", "user", &json!(["Hi"]), &json!({}))
}

/// Entries with missing fields and fields of unexpected types that still contain the message "Hi".
fn odd_entries() -> Vec<Value> {
    let mut entries = vec![json!({"mapping": {"": hi()}}), json!({"mapping": {"n".repeat(500): hi()}})];
    let fields = [
        "id",
        "conversation_id",
        "title",
        "create_time",
        "update_time",
        "current_node",
        "default_model_slug",
        "is_archived",
    ];
    for field in fields {
        for value in
            [json!(null), json!({"a": [1]}), json!([7]), json!(true), json!("\u{202e}"), json!(-1e300)]
        {
            let mut entry = json!({"mapping": {"m": hi()}});
            entry[field] = value;
            entries.push(entry);
        }
    }
    entries
}

/// ChatGPT exports whose nodes have fields of unexpected types, beside empty nodes.
fn odd_nodes() -> Vec<Value> {
    let mut entries = Vec::new();
    for pointer in [
        "/parent",
        "/children",
        "/message/author/name",
        "/message/create_time",
        "/message/metadata",
        "/message/recipient",
        "/message/content/text",
        "/message/weight",
        "/message/status",
    ] {
        for value in [json!(null), json!(7), json!({"a": 1}), json!([])] {
            let mut speaking = hi();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            speaking.pointer_mut(parent).unwrap()[name] = value;
            let silent = json!({"a": null, "b": 7, "c": [], "d": "text", "e": {"message": 7}, "f": {"message": {"author": 7}},
                "g": {"message": {"author": {"role": "user"}, "content": 7}}});
            let mut mapping = silent;
            mapping["m"] = speaking;
            entries.push(json!({ "mapping": mapping }));
        }
    }
    entries
}

/// Open WebUI chats with fields of unexpected types.
fn odd_chats() -> Vec<Value> {
    let chats = [
        json!({"messages": [{"role": "user", "content": "Hi"}]}),
        json!({"history": null, "messages": [null, 7, {"role": "user", "content": [{"type": "text", "text": "Hi"}], "timestamp": "x"}]}),
        json!({"history": {"messages": {"m": {"role": "user", "content": "Hi", "parentId": 7}}, "currentId": 7}, "models": [7], "title": {}}),
    ];
    let entry = |chat| json!({"chat": chat, "title": 7, "meta": 7, "created_at": "x", "pinned": "yes"});
    chats.into_iter().map(entry).collect()
}

#[tokio::test]
async fn unexpected_fields_do_not_stop_an_import() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let odd = odd_entries().into_iter().chain(odd_nodes()).chain(odd_chats());
    for (position, mut entry) in odd.enumerate() {
        // Gives each entry its own id, unless the id is the unexpected field.
        let has_id = entry.get("id").is_some() || entry.get("conversation_id").is_some();
        if !has_id {
            entry["id"] = json!(format!("odd{position}"));
        }
        let answer = import(&user, json!([entry]).to_string()).await;
        let known = answer.body["imported"].as_u64().unwrap() + answer.body["unchanged"].as_u64().unwrap();
        assert_eq!((known, &answer.body["errors"]), (1, &json!([])), "{entry}: {}", answer.text);
    }
    let list = user.get("/api/conversations").await.expect(200).body;
    for conversation in list.as_array().unwrap() {
        assert_eq!(conversation["messages"][0]["content"], "Hi", "{conversation}");
        assert!(!conversation["title"].as_str().unwrap().trim().is_empty(), "{conversation}");
    }
}

/// Part of refused input. No answer may contain it.
const SECRET: &str = "ECHO7f3a";

/// Entries that cannot be imported.
fn bad() -> Vec<String> {
    let secret = SECRET;
    let silent = node("", "tool", &json!([secret]), &json!({}));
    let long = node("", "user", &json!([format!("{secret}{}", "x".repeat(70_000))]), &json!({}));
    let circle = json!({"a": node("b", "user", &json!(["x"]), &json!({})), "b": node("a", "user", &json!(["y"]), &json!({}))});
    let bad = [
        json!(null),
        json!(7),
        json!(secret),
        json!([]),
        json!([secret]),
        json!({}),
        json!({"title": "T"}),
        json!({"id": "x", "title": "T", secret: [{"role": "user", "content": secret}]}),
        json!({"title": "T", "messages": null}),
        json!({"title": "T", "messages": {secret: 1}}),
        json!({"title": "T", "messages": [{"role": secret, "content": "x"}]}),
        json!({"title": "T", "mapping": {}}),
        json!({"title": "T", "mapping": 7}),
        json!({"title": "T", "mapping": [secret]}),
        json!({"title": "T", "mapping": {secret: silent}}),
        json!({"title": "T", "mapping": {secret: long}}),
        json!({"title": "T", "mapping": circle}),
        json!({"title": "T", "chat": {}}),
        json!({"title": "T", "chat": 7}),
        json!({"title": "T", "chat": null, "messages": null}),
        json!({"title": "T", "chat": {"history": {"messages": {}}, "messages": []}}),
        json!({"title": "T", "chat": {"history": {"messages": {secret: {"role": secret, "content": "x"}}}}}),
        json!({"title": "T", "chat": {"messages": [{"role": "user", "content": ""}]}}),
        json!({"uuid": "x", "name": "T", "chat_messages": [{"sender": "human", "text": secret}]}),
    ];
    let mut texts: Vec<String> = bad.iter().map(Value::to_string).collect();
    // Half of a surrogate pair, in texts and in names.
    let halves = [
        r#"{"title":"T","messages":[{"role":"user","content":"\ud83d"}]}"#,
        r#"{"title":"T","mapping":{"m":{"message":{"author":{"role":"user"},"content":{"parts":["ok",{"text":"\udc00"}]}}}}}"#,
        r#"{"title":"T","mapping":{"\ud83d":{"message":{"author":{"role":"user"},"content":{"parts":["ok"]}}}}}"#,
        r#"{"title":"T","chat":{"messages":[{"role":"user","content":"\ud83dx"}]}}"#,
        r#"{"title":"T","chat":{"history":{"messages":{"m":{"role":"user","content":"\ud83d\ud83d"}}}}}"#,
    ];
    texts.extend(halves.map(str::to_owned));
    texts
}

#[tokio::test]
async fn an_entry_that_cannot_be_imported_is_reported_by_position_without_its_content() {
    let studio = shared_studio().await;
    let user = studio.user("alice").await;
    let mut texts = bad();
    let count = texts.len() as u64;
    texts.push(r#"{"id":"good","title":"T","messages":[{"role":"user","content":"Hi"}]}"#.to_owned());
    let answer = import(&user, format!("\u{feff}[{}]", texts.join(","))).await;
    assert_eq!(outcome(&answer), (1, (0..count).collect()), "{}", answer.text);
    assert!(!answer.text.contains(SECRET), "{}", answer.text);
    for error in answer.body["errors"].as_array().unwrap() {
        assert!((10..200).contains(&error["detail"].as_str().unwrap().len()), "{error}");
    }
    assert_eq!(self::texts(&user).await, ["Hi"]);
}
