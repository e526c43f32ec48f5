//! The built-in model, which needs no key and no network, so that the product can be tried and tested without either.
//!
//! It greets, explains what an assistant can do, or repeats the user's message. `/tokens 400` asks for a reply of 400
//! tokens. Existing clients rely on its answers, so they must not change.

use std::time::Duration;

use futures_util::stream;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Finish, Piece, Pieces, Question};
use crate::domain::usage::is_wide;
use crate::domain::{Role, Usage};

const GREETING: &str = "你好! 我是AI助手，很高兴为你服务!";
/// Precedes [`GREETING`] when the user wrote in English.
const ENGLISH_GREETING: &str = "Hello! I am your AI assistant, glad to help.";
const HELP: &str = "我可以帮助你：\n1. 回答问题 / answer questions\n2. 写作和修改 / write and edit text\n\
    3. 翻译 / translate\n4. 解释代码 / explain code\n请告诉我你需要什么。Tell me what you need.";

/// The offline model.
#[derive(Clone, Debug)]
pub struct Offline {
    pause: Duration,
}

impl Offline {
    /// The offline model, which pauses between two tokens for `pause`.
    #[must_use]
    pub fn new(pause: Duration) -> Self {
        Self { pause }
    }

    pub(super) fn ask(&self, question: &Question) -> Pieces {
        let read = question.estimated_tokens();
        let prompt = question.messages.iter().rev().find(|message| message.role == Role::User);
        let text = reply_to(prompt.map_or("", |message| message.content.as_str()));
        let max_tokens = question.params.max_tokens().and_then(|most| usize::try_from(most).ok());
        let limit = max_tokens.unwrap_or(usize::MAX);
        let mut tokens = split_into_tokens(&text);
        let finish = if tokens.len() > limit { Finish::Length } else { Finish::Stop };
        tokens.truncate(limit);
        let usage = Usage { input: read, output: tokens.len() as u64, ..Usage::default() };
        let text = tokens.into_iter().map(|text| Piece::Text { text, tokens: 1 });
        paced(text.chain([Piece::End { finish, usage: Some(usage) }]), self.pause)
    }
}

/// Yields the first piece at once, then one piece per `pause`, and the end together with the last text.
fn paced(pieces: impl Iterator<Item = Piece> + Send + 'static, pause: Duration) -> Pieces {
    // An interval must not be zero.
    let mut ticks = (!pause.is_zero()).then(|| tokio::time::interval_at(Instant::now(), pause));
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    Box::pin(stream::unfold((pieces, ticks), async |(mut pieces, mut ticks)| {
        let piece = pieces.next()?;
        if let (Some(ticks), Piece::Text { .. }) = (&mut ticks, &piece) {
            ticks.tick().await;
        }
        Some((piece, (pieces, ticks)))
    }))
}

fn reply_to(prompt: &str) -> String {
    let lower = prompt.to_lowercase();
    if let Some(count) = prompt.trim().strip_prefix("/tokens ").and_then(|count| count.trim().parse().ok()) {
        return numbers_up_to(count);
    }
    if lower.contains("hello") {
        format!("{ENGLISH_GREETING} {GREETING}")
    } else if lower.contains("你好") {
        GREETING.to_owned()
    } else if lower.contains("帮助") || lower.contains("help") {
        HELP.to_owned()
    } else {
        format!("你说 / You said: {prompt}")
    }
}

/// A text of `count` tokens, at most 100,000: the numbers from 1 up.
fn numbers_up_to(count: usize) -> String {
    (1..=count.min(100_000)).map(|number| format!("{number} ")).collect()
}

/// Splits a text into tokens, roughly as models do: a token is a word with the blanks after it, or a character of a
/// script that is written without blanks. The tokens together are exactly the text.
fn split_into_tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut ended = true;
    for c in text.chars() {
        let starts = !c.is_whitespace() && (ended || is_wide(c));
        match tokens.last_mut() {
            Some(last) if !starts => last.push(c),
            _ => tokens.push(c.to_string()),
        }
        ended = c.is_whitespace() || is_wide(c);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::GenerationParams;
    use crate::models::PromptMessage;
    use futures_util::StreamExt as _;

    async fn ask(text: &str, max_tokens: u32) -> (String, u64, Finish) {
        let message = PromptMessage { role: Role::User, content: text.parse().unwrap() };
        let params = GenerationParams::parse(None, Some(max_tokens)).unwrap();
        let question = Question { model: "any".parse().unwrap(), messages: vec![message], params };
        let mut pieces = Offline::new(Duration::ZERO).ask(&question);
        let (mut reply, mut count) = (String::new(), 0);
        while let Some(piece) = pieces.next().await {
            match piece {
                Piece::Text { text, tokens } => {
                    reply.push_str(&text);
                    count += tokens;
                }
                Piece::End { finish, usage } => {
                    assert_eq!(usage.unwrap().output, count);
                    return (reply, count, finish);
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("the stream broke off")
    }

    #[tokio::test]
    async fn the_offline_model_greets_helps_and_repeats_in_both_languages() {
        assert_eq!(ask("你好吗", 100).await.0, GREETING);
        for hello in ["HELLO there", "你好, Hello"] {
            assert_eq!(ask(hello, 100).await.0, format!("{ENGLISH_GREETING} {GREETING}"));
        }
        for help in ["I need Help", "请帮助我"] {
            assert_eq!(ask(help, 100).await.0, HELP);
        }
        let (reply, ..) = ask("what is\n\n the\ttime？现在", 100).await;
        assert!(reply.contains("what is\n\n the\ttime？现在"), "{reply}");
    }

    #[tokio::test]
    async fn a_reply_has_as_many_tokens_as_asked_for_and_no_more_than_allowed() {
        let (reply, count, finish) = ask("/tokens 400", 1000).await;
        assert_eq!((count, finish), (400, Finish::Stop));
        assert!(reply.starts_with("1 2 3 ") && reply.ends_with("399 400 "), "{reply}");
        let (reply, count, finish) = ask("/tokens 400", 3).await;
        assert_eq!((reply.as_str(), count, finish), ("1 2 3 ", 3, Finish::Length));
    }

    #[test]
    fn the_tokens_of_a_text_together_are_the_text() {
        for text in ["", " ", " a  b ", "你好, world 再见\n", "a\u{301}b 👩‍👩‍👧 x"] {
            assert_eq!(split_into_tokens(text).concat(), text);
        }
        assert_eq!(split_into_tokens("ab  cd你好x"), ["ab  ", "cd", "你", "好", "x"]);
    }
}
