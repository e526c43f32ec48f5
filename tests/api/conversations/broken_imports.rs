//! Import files with an entry that is not JSON: it is reported by position, and the others are imported.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::support::{send, shared_studio};

/// Part of refused input. No answer may contain it.
const SECRET: &str = "ECHO7f3a";
/// A node of a ChatGPT export with text.
const SAID: &str = r#"{"message":{"author":{"role":"user"},"content":{"parts":["Hi"]}},"parent":""}"#;

#[tokio::test]
async fn an_entry_that_is_not_json_does_not_stop_the_others() {
    let studio = shared_studio().await;
    let good = |id: &str, time: &str| {
        format!(r#"{{"id":"{id}","title":"T","create_time":{time},"mapping":{{"m":{SAID}}}}}"#)
    };
    let (nan, infinite) = (good("nan", "NaN"), good("infinite", "-Infinity"));
    let deep = format!(r#"{{"title":"T","messages":[],"x":{}1{}}}"#, "[".repeat(33), "]".repeat(33));
    let ours =
        r#"{"id":"ours","title":"NaN","createdAt":Infinity,"messages":[{"role":"user","content":"NaN"}]}"#;
    let texts: [&[u8]; 8] = [
        nan.as_bytes(),
        b"{\"title\":\"ECHO7f3a\x01\",\"messages\":[{\"role\":\"user\",\"content\":\"a\nb\"}]}",
        infinite.as_bytes(),
        b"{\"title\":\"T\",\"messages\":[{\"role\":\"user\",\"content\":\"ECHO7f3a\xff\"}]}",
        deep.as_bytes(),
        b"{\"title\":ECHO7f3a}",
        b"{\"title\":\"T\"}{}",
        ours.as_bytes(),
    ];
    let list = texts.join(&b','.to_owned());
    let files = [
        ("list", [&b"["[..], &list, b"]"].concat()),
        ("export", [&b"{\"at\":NaN,\"conversations\":["[..], &list, b"]}"].concat()),
    ];
    for (name, file) in files {
        let user = studio.user(name).await;
        let request = user.request(Method::POST, "/api/import").header(CONTENT_TYPE, "application/json");
        let answer = send(request.body(file)).await.expect(200);
        let refused = answer.body["errors"].as_array().unwrap().iter();
        let positions: Vec<u64> = refused.map(|error| error["position"].as_u64().unwrap()).collect();
        assert_eq!(answer.body["imported"], 3, "{name}: {}", answer.text);
        assert_eq!(positions, [1, 3, 4, 5, 6], "{name}: {}", answer.text);
        assert!(!answer.text.contains(SECRET), "{}", answer.text);
        let ours = user.get("/api/conversations/ours").await.expect(200).body;
        assert_eq!((&ours["title"], &ours["messages"][0]["content"]), (&json!("NaN"), &json!("NaN")));
    }
}
