//! Variants of the recorded streams: other places for null, other reasons, errors and cuts, in both protocols.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::cases::{CLAUDE, Expected, GPT, failed, interrupted, studio_at, try_case};
use super::variant_streams::{
    ALL, DONE, HALF, all, bare, bytes, claude, data, document, early, finish, half, half_and, say, stop,
    stream, with,
};
use crate::support::provider::cases::{Case, CaseProvider};

type Variant = (Expected, Vec<Value>);

fn ends() -> Vec<Variant> {
    let done = || DONE.to_owned();
    let mut variants: Vec<Variant> = [
        ("abort", json!("abort")),
        ("cancelled", json!("cancelled")),
        ("unknown", json!("unknown")),
        ("number", json!(7)),
    ]
    .map(|(name, reason)| (half(name), half_and(&[finish(&reason), done()])))
    .into();
    let good = ["length", "eos_token", "tool_calls", "content_filter", "end_turn", "STOP"];
    variants.extend(
        good.map(|name| (Expected { content: HALF, ..all(name) }, half_and(&[finish(&json!(name))]))),
    );
    variants
}

fn errors() -> Vec<Variant> {
    let done = || DONE.to_owned();
    vec![
        (Expected { content: HALF, ..all("typed reason") }, half_and(&[finish(&json!({"type": "stop"}))])),
        (Expected { content: HALF, ..all("done alone") }, half_and(&[done()])),
        (half("bad then good"), half_and(&[finish(&json!("error")), finish(&json!("stop")), done()])),
        (half("odd then done"), half_and(&["data: \"oops\"\n\n".to_owned(), done()])),
        (half("other object"), half_and(&[data(&json!({"status": "dead"})), done()])),
        (
            half("named error").code("model_unavailable"),
            half_and(&["error: {\"code\":500,\"message\":\"x\"}\n\n".to_owned(), done()]),
        ),
        (
            half("bare error").code("model_overloaded"),
            half_and(&["{\"error\":{\"type\":\"rate_limit_exceeded\"}}\n\n".to_owned(), done()]),
        ),
        (
            half("listed error").code("model_unavailable"),
            half_and(&[data(&json!([{"error": {"code": 500}}])), done()]),
        ),
        (
            half("choice error").code("model_overloaded"),
            half_and(&[
                data(&json!({"choices": [{"delta": {"content": ""}, "error": {"code": 429}}]})),
                done(),
            ]),
        ),
        (
            half("text error").code("model_unavailable"),
            half_and(&[data(&json!({"error": "it broke"})), done()]),
        ),
        (
            Expected { content: HALF, ..all("reset after its end") },
            [half_and(&[finish(&json!("stop"))]), vec![json!({"wait_seconds": 0.1}), json!({"reset": true})]]
                .concat(),
        ),
        (
            Expected { content: HALF, ..all("malformed after its end") },
            half_and(&[finish(&json!("stop")), "data: {\"usage\": \n\n".to_owned()]),
        ),
    ]
}

fn odd_values() -> Vec<Variant> {
    let deep = format!("data: {{\"choices\": [], \"x\": {}{}}}\n\n", "[".repeat(5000), "]".repeat(5000));
    let huge = format!("data: {{\"choices\": [], \"x\": \"{}\"}}\n\n", "x".repeat(700_000));
    let odd = [
        ("null delta", "data: {\"choices\": [{\"delta\": null, \"index\": null}]}\n\n"),
        ("null choice", "data: {\"choices\": [null], \"usage\": null, \"error\": null}\n\n"),
        (
            "null content",
            "data: {\"choices\": [{\"delta\": {\"content\": null, \"reasoning_content\": null, \"refusal\": null}}]}\n\n",
        ),
        (
            "wrong kinds",
            "data: {\"choices\": [{\"delta\": {\"content\": 7, \"role\": []}, \"index\": \"0\"}], \"usage\": []}\n\n",
        ),
        ("empty object", "data: {}\n\ndata:\n\ndata:   \n\n: hello\n\n"),
        ("twice the same field", "data: {\"choices\": null, \"choices\": []}\n\n"),
        ("other choice", "data: {\"choices\": [{\"index\": 1, \"delta\": {\"content\": \"no\"}}]}\n\n"),
        ("deep", &deep),
        ("huge", &huge),
    ];
    let mut variants: Vec<Variant> = odd.iter().map(|(name, event)| (all(name), with(event))).collect();
    let usage = |usage: Value| {
        stream(&[
            say(ALL),
            finish(&json!("stop")),
            data(&json!({"choices": [], "usage": usage})),
            DONE.to_owned(),
        ])
    };
    variants.extend([
        (all("fractions").booked(5, 3), usage(json!({"prompt_tokens": 5.0, "completion_tokens": 2.5}))),
        (all("text counts").booked(5, 2), usage(json!({"prompt_tokens": "5", "completion_tokens": "2"}))),
        (all("negative").booked(2, 3), usage(json!({"prompt_tokens": -5, "completion_tokens": -1}))),
        (all("total").booked(7, 2), usage(json!({"total_tokens": 9, "completion_tokens": 2}))),
        (all("no usage").booked(2, 3), usage(Value::Null)),
    ]);
    variants
}

fn cut_text() -> Vec<Variant> {
    let smile = "😀".as_bytes();
    let (open, close) =
        (b"data: {\"choices\":[{\"delta\":{\"content\":\"".as_slice(), b"\"}}]}\n\n".as_slice());
    let event = |inside: &[u8]| [open, inside, close].concat();
    let end = finish(&json!("stop"));
    let two = |first: &[u8], second: &[u8]| bytes(&[&event(first), &event(second), end.as_bytes()]);
    let is = |name, content| Expected { content, ..all(name) };
    let whole = [event(smile), end.clone().into_bytes()].concat();
    let byte_by_byte: Vec<&[u8]> = whole.chunks(1).collect();
    let thoughts = [r#""think \ud83d""#, r#""\ude00""#]
        .map(|text| format!("data: {{\"choices\":[{{\"delta\":{{\"reasoning_content\":{text}}}}}]}}\n\n"));
    vec![
        (is("bytes in two events", "a😀b"), two(b"a\xf0\x9f", b"\x98\x80b")),
        (is("bytes that never end", "a\u{fffd}b"), two(b"a\xf0\x9f", b"b")),
        (is("half without other", "a\u{fffd}b"), two(br"a\ud83d", b"b")),
        (is("half at the end", "ab\u{fffd}"), two(b"a", br"b\ud83d")),
        (is("low half first", "\u{fffd}ab"), two(br"\ude00a", b"b")),
        (is("byte by byte", "😀"), bytes(&byte_by_byte)),
        (
            is("returns alone", ALL),
            bytes(&[format!("\u{feff}{}{}", say(ALL), end).replace('\n', "\r").as_bytes()]),
        ),
        (
            is("returns and feeds", ALL),
            bytes(&[format!("{}{}", say(ALL), end).replace('\n', "\r\n").as_bytes()]),
        ),
        (is("halves of thoughts", ALL), stream(&[thoughts.concat(), say(ALL), end])),
    ]
}

fn documents() -> Vec<Variant> {
    let good =
        r#"{"choices": [{"message": {"content": [{"type": "text", "text": "All of it."}]}}], "usage": null}"#;
    let page = document(200, "<html><body>Welcome</body></html>");
    let failing = |name, code| failed(name, GPT, code);
    vec![
        (all("document"), document(200, &format!("\u{feff}\n {good}\n"))),
        (all("created"), document(201, good)),
        (all("bare events"), bare(&[say("All "), say("of it."), finish(&json!("stop"))])),
        (
            all("feeds alone"),
            stream(&[[say("All "), say("of it."), DONE.to_owned()].concat().replace("\n\n", "\n")]),
        ),
        (all("reason in each"), early(&["All ", "of", " it."])),
        (half("bare events that end"), bare(&[say(HALF)])),
        (all("document that stays open"), [document(200, good), vec![json!({"wait_seconds": 40})]].concat()),
        (failing("page", "interrupted"), page),
        (failing("other document", "interrupted"), document(200, r#"{"object": "list", "data": []}"#)),
        (
            failing("error with 200", "model_refused"),
            document(200, r#"{"error": {"type": "invalid_request_error"}}"#),
        ),
        (
            failing("unknown error with 200", "model_unavailable"),
            document(200, r#"{"error": {"message": "sorry"}}"#),
        ),
        (
            failing("busy with 200", "model_overloaded").asked(3),
            document(200, r#"{"error": {"message": "please try again"}}"#),
        ),
        (
            failing("listed 400", "model_misconfigured"),
            document(400, r#"[{"error": {"code": 400, "message": "API key not valid"}}]"#),
        ),
        (
            failing("quota", "model_misconfigured"),
            document(429, r#"{"error": {"code": "insufficient_quota"}}"#),
        ),
        (failing("moved", "model_misconfigured"), document(302, "")),
        (
            failing("too long", "model_refused"),
            document(400, r#"{"error": {"code": "context_length_exceeded"}}"#),
        ),
        (failing("broken server", "model_unavailable").asked(3), document(500, "oops")),
        (failing("reset at once", "interrupted").asked(3), vec![json!({"reset": true})]),
    ]
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn anthropic() -> Vec<Variant> {
    let text = |text: &str| json!({"type": "text_delta", "text": text});
    let done = || json!({"type": "message_stop"});
    let of = |expected: Expected| Expected { model: CLAUDE, ..expected };
    let whole = |stop_reason: &str| {
        json!({"type": "message", "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": ALL}],
            "stop_reason": stop_reason, "usage": {"input_tokens": "9", "output_tokens": 4.0}})
        .to_string()
    };
    let broken = |name, more: &[Value]| (of(half(name)), claude(&text(HALF), more));
    vec![
        (
            of(all("a")).booked(9, 4),
            claude(&text(ALL), &[json!(null), json!({"type": "news"}), stop(&json!("tool_use")), done()]),
        ),
        (
            of(all("a_open")),
            [claude(&text(ALL), &[stop(&json!("end_turn"))]), vec![json!({"wait_seconds": 40})]].concat(),
        ),
        (
            of(all("a_null")),
            claude(
                &text(ALL),
                &[json!({"type": "message_delta", "delta": null, "usage": {"input_tokens": null}}), done()],
            ),
        ),
        (of(all("a_whole")).booked(9, 4), document(200, &whole("end_turn"))),
        broken("a_bad reason", &[stop(&json!("model_error")), done()]),
        broken("a_no end", &[stop(&json!(null))]),
        broken("a_odd", &[json!({"text": "NETWORK ERROR"}), done()]),
        (
            of(half("a_named error")),
            [claude(&text(HALF), &[]), stream(&["event: error\ndata: oops\n\n".into(), data(&done())])]
                .concat(),
        ),
        (
            of(half("a_bare error")).code("model_overloaded"),
            claude(&text(HALF), &[json!({"type": "overloaded_error", "message": "Overloaded"}), done()]),
        ),
        (
            of(all("a_counted early")).booked(9, 3),
            claude(&text(ALL), &[json!({"type": "message_delta", "usage": {"output_tokens": 0}}), done()]),
        ),
        (
            of(half("a_detail")).code("model_unavailable"),
            claude(&text(HALF), &[json!({"detail": "Internal Server Error"}), done()]),
        ),
        (
            of(half("a_error")).code("model_overloaded"),
            claude(&text(HALF), &[json!({"type": "error", "error": {"type": "overloaded_error"}})]),
        ),
        (of(interrupted("a_whole but bad", ALL)), document(200, &whole("error"))),
        (
            of(failed("a_out of tokens", CLAUDE, "max_tokens_reached")).booked(9, 4),
            claude(
                &json!({"type": "thinking_delta", "thinking": "Hm"}),
                &[stop(&json!("max_tokens")), done()],
            ),
        ),
    ]
}

#[tokio::test]
async fn variants_of_recorded_streams_are_understood_like_the_streams() {
    let variants = [ends(), errors(), odd_values(), cut_text(), documents(), anthropic()].concat();
    let cases = variants
        .iter()
        .map(|(expected, answer)| (expected.name.to_owned(), Case { answer: answer.clone(), title: None }));
    let provider = CaseProvider::start(cases).await;
    let studio = studio_at(&provider, &[("REPLIES_AT_ONCE", "100")]).await;
    // Each user has many conversations, some of which take seconds.
    let mut wrong = Vec::new();
    for some in variants.chunks(24) {
        wrong.extend(join_all(some.iter().map(|(case, _)| try_case(&studio, &provider, case))).await);
    }
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), variants.len(), wrong.join("\n"));
}
