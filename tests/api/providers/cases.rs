//! Recorded streams of real providers: the stored message, the booked tokens, the number of requests and the title.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::provider::cases::{Case, CaseProvider};
use crate::support::{TestStudio, User, eventually, studio_with};

/// More models. `thinker` reasons; `plain` times out after a second without data.
const MODELS: &str = r#"[
    {"id": "thinker", "provider": "openai", "capabilities": ["reasoning"]},
    {"id": "plain", "provider": "openai", "timeout_seconds": 1}]"#;

pub(crate) async fn studio_at(provider: &CaseProvider, more: &[(&str, &str)]) -> TestStudio {
    let base = format!("http://127.0.0.1:{}", provider.port);
    studio_with(|options| {
        let options = options
            .variable("OPENAI_API_KEY", "sk-x")
            .variable("OPENAI_BASE_URL", format!("{base}/v1"))
            .variable("ANTHROPIC_API_KEY", "sk-x")
            .variable("ANTHROPIC_BASE_URL", base)
            .variable("MODELS", MODELS);
        more.iter().fold(options, |options, (name, value)| options.variable(*name, *value))
    })
    .await
}

/// The expected outcome of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) status: &'static str,
    pub(crate) content: &'static str,
    pub(crate) code: &'static str,
    /// The booked input and output tokens; none allows any number.
    pub(crate) booked: Option<(u64, u64)>,
    pub(crate) asked: usize,
}

pub(crate) const GPT: &str = "gpt-4o";
pub(crate) const CLAUDE: &str = "claude-sonnet-4-5";

pub(crate) const fn complete(name: &'static str, model: &'static str, content: &'static str) -> Expected {
    Expected { name, model, status: "complete", content, code: "", booked: None, asked: 1 }
}

pub(crate) const fn interrupted(name: &'static str, content: &'static str) -> Expected {
    Expected { name, model: GPT, status: "interrupted", content, code: "interrupted", booked: None, asked: 1 }
}

pub(crate) const fn failed(name: &'static str, model: &'static str, code: &'static str) -> Expected {
    Expected { name, model, status: "failed", content: "", code, booked: Some((0, 0)), asked: 1 }
}

impl Expected {
    pub(crate) const fn booked(self, input: u64, output: u64) -> Self {
        Self { booked: Some((input, output)), ..self }
    }

    pub(crate) const fn code(self, code: &'static str) -> Self {
        Self { code, ..self }
    }

    pub(crate) const fn asked(self, asked: usize) -> Self {
        Self { asked, ..self }
    }
}

const THIRTY_WORDS: &str = "word word word word word word word word word word word word word word word word word word word word \
    word word word word word word word word word word ";

/// The outcome of each case. The question is the name of the case.
const CASES: [Expected; 27] = [
    interrupted("insufficient", "The first half of"),
    interrupted("finerror", "The first half of"),
    interrupted("finempty", "The first half of"),
    interrupted("fastchat", "The first half of").code("model_unavailable"),
    interrupted("errtop", "The answer is").code("model_unavailable"),
    interrupted("errdetail", "The answer is").code("model_unavailable"),
    complete("nodone", GPT, "The whole answer."),
    complete("nullchoices", GPT, "Hello there.").booked(5, 2),
    complete("nullchoicesmid", GPT, "Hello there."),
    complete("nullchunk", GPT, "Hello there."),
    complete("nulltokens", GPT, "Hello there.").booked(3, 3),
    complete("partsarray", GPT, "It is 42."),
    complete("bom", GPT, "First second."),
    complete("surrogate", GPT, "Nice 😀 day"),
    complete("json200ok", GPT, "Whole answer.").booked(5, 3),
    complete("a_json200", CLAUDE, "Whole.").booked(5, 2),
    complete("slowfirst", "thinker", "Late."),
    failed("lengthempty", "thinker", "max_tokens_reached").booked(10, 2048),
    failed("oa_402", GPT, "model_misconfigured"),
    failed("oa_credit", GPT, "model_misconfigured"),
    failed("oa_nomodel", GPT, "model_misconfigured"),
    failed("a_billing", CLAUDE, "model_misconfigured"),
    complete("a_deltazero", CLAUDE, "Answer.").booked(1000, 7),
    complete("zerousage", GPT, THIRTY_WORDS).booked(3, 38),
    complete("thinktag", GPT, "<think>\nHmm.\n</think>\n\nBlue."),
    complete("titlejson", GPT, "Blue."),
    complete("titlefilter", GPT, "Blue."),
];

/// Sends the question of a case in a new conversation, and returns what differs from the expected outcome.
pub(crate) async fn try_case(
    studio: &TestStudio,
    provider: &CaseProvider,
    expected: &Expected,
) -> Option<String> {
    let Expected { name, model, .. } = *expected;
    let username: String = name.replace(' ', "_");
    let user = studio.user(&format!("u_{username}")).await;
    let mut connection = user.connect().await;
    connection.send(&json!({"type": "chat", "content": name, "model": model, "conversationId": "c"})).await;
    let last = loop {
        let frame = connection.next_any().await;
        if frame["type"] == "chat_complete" || frame["type"] == "chat_error" {
            break frame;
        }
    };
    let stored = user.get("/api/conversations/c").await.expect(200).body["messages"][1].clone();
    let usage = usage_of(&user).await;
    let code = last["code"].as_str().unwrap_or_default();
    let booked = ["input_tokens", "output_tokens"].map(|name| usage["today"][name].as_u64().unwrap());
    let got = json!({"status": stored["status"], "content": stored["content"], "code": code,
        "booked": booked, "asked": provider.asked(name).len()});
    let wanted = json!({"status": expected.status, "content": expected.content, "code": expected.code,
        "booked": expected.booked.map_or(booked, |(read, written)| [read, written]), "asked": expected.asked});
    (got != wanted)
        .then(|| format!("{name}: wanted {wanted}\n{:indent$}  got    {got}", "", indent = name.len()))
}

/// The usage, once no reply and no title is running.
async fn usage_of(user: &User) -> Value {
    eventually("all is settled", async || {
        let usage = user.get("/api/usage").await.expect(200).body;
        (usage["today"]["running"] == 0).then_some(usage)
    })
    .await
}

fn read(names: impl IntoIterator<Item = &'static str>) -> Vec<(String, Case)> {
    names.into_iter().map(|name| (name.to_owned(), Case::read(name))).collect()
}

#[tokio::test]
async fn recorded_streams_of_real_providers_are_understood() {
    let provider = CaseProvider::start(read(CASES.map(|case| case.name))).await;
    let studio = studio_at(&provider, &[]).await;
    let wrong = join_all(CASES.iter().map(|case| try_case(&studio, &provider, case))).await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn an_error_that_only_the_operator_can_fix_makes_the_fallback_answer() {
    let cases = [("oa_402", GPT), ("oa_credit", GPT), ("oa_nomodel", GPT), ("a_billing", CLAUDE)];
    let provider = CaseProvider::start(read(cases.map(|(name, _)| name))).await;
    let studio = studio_at(&provider, &[("FALLBACK_MODEL", "claude-haiku-4-5")]).await;
    join_all(cases.map(|(name, model)| {
        let (studio, provider) = (&studio, &provider);
        async move {
            let user = studio.user(&format!("u_{name}")).await;
            let body = json!({"messages": [{"role": "user", "content": name}], "model": model});
            let answer = user.post("/api/chat", &body).await.expect(200).body;
            assert_eq!(
                (&answer["content"], &answer["model"]),
                (&json!("Fallback."), &json!("claude-haiku-4-5")),
                "{name}"
            );
            assert_eq!(provider.asked(name).len(), 2, "{name}");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_model_that_sends_nothing_during_a_request_times_out() {
    let provider = CaseProvider::start(read(["longthink", "retry15"])).await;
    let studio = studio_at(&provider, &[]).await;
    let tries = [("longthink", false), ("retry15", false), ("longthink", true)].map(|(name, is_stored)| {
        let studio = &studio;
        async move {
            let user = studio.user(&format!("u_{name}_{is_stored}")).await;
            let mut body = json!({"messages": [{"role": "user", "content": name}], "model": GPT});
            if is_stored {
                body["conversationId"] = json!("c");
            }
            let answer = user.post("/api/chat", &body).await.expect(504);
            assert_eq!(answer.body["code"], "model_timeout", "{name}");
            // Reasoning is booked, and refusals are not.
            let read = usage_of(&user).await["today"]["input_tokens"].as_u64().unwrap();
            assert_eq!(read > 0, name == "longthink", "{name}: {read}");
        }
    });
    join_all(tries).await;
}

#[tokio::test]
async fn titles_are_found_after_reasoning_and_in_json_but_not_in_interrupted_answers() {
    let provider = CaseProvider::start(read(["thinktag", "titlejson", "titlefilter"])).await;
    let studio = studio_at(&provider, &[]).await;
    let titles = [("thinktag", "Sky colour"), ("titlejson", "Sky colour"), ("titlefilter", "titlefilter")];
    join_all(titles.map(|(name, title)| {
        let studio = &studio;
        async move {
            let user = studio.user(&format!("u_{name}")).await;
            let mut connection = user.connect().await;
            let asked = format!("{name}\n# more");
            connection
                .chat(&json!({"type": "chat", "content": asked, "model": GPT, "conversationId": "c"}))
                .await;
            usage_of(&user).await;
            let called = eventually("the title was asked for", async || {
                let usage = usage_of(&user).await;
                (usage["today"]["replies"] == 2).then_some(())
            });
            called.await;
            let title_now =
                || async { user.get("/api/conversations/c").await.expect(200).body["title"].clone() };
            eventually("it is called so", async || (title_now().await == title).then_some(())).await;
        }
    }))
    .await;
}

#[tokio::test]
async fn a_reply_whose_connection_stays_open_is_complete_a_second_after_its_end() {
    let provider = CaseProvider::start(read(["nodone", "slowfirst"])).await;
    let studio = studio_at(&provider, &[]).await;
    let user = studio.user("alice").await;
    let ask =
        |name: &str, model: &str| json!({"messages": [{"role": "user", "content": name}], "model": model});
    let since = Instant::now();
    let answer = user.post("/api/chat", &ask("nodone", GPT)).await.expect(200).body;
    assert_eq!((&answer["content"], &answer["finish_reason"]), (&json!("The whole answer."), &json!("stop")));
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    // The catalogue limits how long a model may send nothing.
    let since = Instant::now();
    let answer = user.post("/api/chat", &ask("slowfirst", "plain")).await.expect(504).body;
    assert_eq!(answer["code"], "model_timeout");
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
}
