//! The events of the two protocols that models speak.

use serde_json::{Value, json};

use super::act::{Act, proper};

/// The protocol of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    OpenAi,
    Anthropic,
}

impl Protocol {
    /// A model of this provider.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-4o",
            Self::Anthropic => "claude-sonnet-4-5",
        }
    }

    /// The event that carries this text.
    pub(crate) fn text(self, text: &str) -> String {
        match self {
            Self::OpenAi => {
                event(&json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
            }
            Self::Anthropic => event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            ),
        }
    }

    /// The event that carries reasoning.
    pub(crate) fn thought(self, text: &str) -> String {
        match self {
            Self::OpenAi => event(&json!({"choices": [{"index": 0, "delta": {"reasoning_content": text}}]})),
            Self::Anthropic => event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": text}}),
            ),
        }
    }

    /// What comes before the first text.
    pub(crate) fn begin(self, read: u64) -> String {
        match self {
            Self::OpenAi => {
                event(&json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}))
            }
            Self::Anthropic => {
                let usage = json!({"input_tokens": read, "output_tokens": 1, "cache_read_input_tokens": 0});
                let start =
                    json!({"type": "message_start", "message": {"role": "assistant", "usage": usage}});
                let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
                let ping = event(&json!({"type": "ping"}));
                format!("event: message_start\n{}{}event: ping\n{ping}", event(&start), event(&block))
            }
        }
    }

    /// The events after the last text, with the token counts, but without the end mark.
    pub(crate) fn finish(self, reason: &str, read: u64, written: u64) -> String {
        match self {
            Self::OpenAi => {
                let usage = json!({"prompt_tokens": read, "completion_tokens": written});
                let finish = event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}));
                format!("{finish}{}", event(&json!({"choices": [], "usage": usage})))
            }
            Self::Anthropic => {
                let reason = match reason {
                    "length" => "max_tokens",
                    _ => "end_turn",
                };
                let usage = json!({"output_tokens": written});
                event(&json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}))
            }
        }
    }

    /// The end mark.
    pub(crate) fn done(self) -> String {
        match self {
            Self::OpenAi => "data: [DONE]\n\n".to_owned(),
            Self::Anthropic => event(&json!({"type": "message_stop"})),
        }
    }

    /// An error in the middle of a stream.
    pub(crate) fn error(self, kind: &str) -> String {
        let error = json!({"type": kind, "message": "internal-detail sk-secret"});
        match self {
            Self::OpenAi => event(&json!({"error": error})),
            Self::Anthropic => event(&json!({"type": "error", "error": error})),
        }
    }

    /// A complete answer in one text.
    pub(crate) fn whole(self, texts: &[&str]) -> String {
        let texts: String = texts.iter().map(|text| self.text(text)).collect();
        format!("{}{texts}{}{}", self.begin(7), self.finish("stop", 7, 3), self.done())
    }

    /// A complete answer as an act.
    pub(crate) fn answer(self, texts: &[&str]) -> Act {
        proper([self.whole(texts)])
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}
