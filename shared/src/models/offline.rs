//! A model that needs no key and no network, so that the whole product can be tried, and tested, without either.
//!
//! It greets, explains what an assistant can do, or repeats the user's own words; `/tokens 400` asks it for a
//! reply of that many tokens. Its answers are a part of the contract with existing clients.

use std::time::Duration;

use futures_util::stream;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Finish, Piece, Pieces, Question};
use crate::domain::usage::is_wide;
use crate::domain::{Role, Usage};

const GREETING: &str = "你好! 我是AI助手，很高兴为你服务!";
/// Comes before the other one where the user wrote English.
const ENGLISH_GREETING: &str = "Hello! I am your AI assistant, glad to help.";
const HELP: &str = "我可以帮助你：\n1. 回答问题 / answer questions\n2. 写作和修改 / write and edit text\n\
    3. 翻译 / translate\n4. 解释代码 / explain code\n请告诉我你需要什么。Tell me what you need.";

/// The offline model.
#[derive(Clone, Debug)]
pub struct Offline {
    pause: Duration,
}

impl Offline {
    /// The offline model with this pause between two tokens.
    #[must_use]
    pub fn new(pause: Duration) -> Self {
        Self { pause }
    }

    pub(super) fn ask(&self, question: &Question) -> Pieces {
        let read = question.estimated_tokens();
        let asked = question.messages.iter().rev().find(|said| said.role == Role::User);
        let text = reply(asked.map_or("", |said| said.content.as_str()));
        let max_tokens = question.params.max_tokens().and_then(|most| usize::try_from(most).ok());
        let limit = max_tokens.unwrap_or(usize::MAX);
        let mut tokens = tokens(&text);
        let finish = if tokens.len() > limit { Finish::Length } else { Finish::Stop };
        tokens.truncate(limit);
        let usage = Usage { input: read, output: tokens.len() as u64, ..Usage::default() };
        let text = tokens.into_iter().map(|text| Piece::Text { text, tokens: 1 });
        paced(text.chain([Piece::End { finish, usage: Some(usage) }]), self.pause)
    }
}

/// Gives the pieces one by one: the first at once, then one each `pause`, and the end with the last.
fn paced(pieces: impl Iterator<Item = Piece> + Send + 'static, pause: Duration) -> Pieces {
    // An interval cannot be zero long.
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

fn reply(asked: &str) -> String {
    let lower = asked.to_lowercase();
    if let Some(count) = asked.trim().strip_prefix("/tokens ").and_then(|count| count.trim().parse().ok()) {
        return counted(count);
    }
    if lower.contains("hello") {
        format!("{ENGLISH_GREETING} {GREETING}")
    } else if lower.contains("你好") {
        GREETING.to_owned()
    } else if lower.contains("帮助") || lower.contains("help") {
        HELP.to_owned()
    } else {
        format!("你说 / You said: {asked}")
    }
}

/// A text of `count` tokens, at most 100,000.
fn counted(count: usize) -> String {
    (1..=count.min(100_000)).map(|number| format!("{number} ")).collect()
}

/// Cuts a text as models do, roughly: a word with the blanks behind it is a token, and so is each character of a
/// script that writes without blanks. Together they are the text, to the byte.
fn tokens(text: &str) -> Vec<String> {
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
    use crate::models::Said;
    use futures_util::StreamExt as _;

    async fn ask(text: &str, max_tokens: u32) -> (String, u64, Finish) {
        let said = Said { role: Role::User, content: text.parse().unwrap() };
        let params = GenerationParams::parse(None, Some(max_tokens)).unwrap();
        let question = Question { model: "any".parse().unwrap(), messages: vec![said], params };
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
    async fn it_greets_helps_and_repeats_in_both_languages() {
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
    fn tokens_together_are_the_text() {
        for text in ["", " ", " a  b ", "你好, world 再见\n", "a\u{301}b 👩‍👩‍👧 x"] {
            assert_eq!(tokens(text).concat(), text);
        }
        assert_eq!(tokens("ab  cd你好x"), ["ab  ", "cd", "你", "好", "x"]);
    }
}
