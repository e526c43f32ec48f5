//! The providers of AI models. Each gives a reply as a stream of pieces.

mod offline;

use std::time::Duration;

use futures_util::stream::BoxStream;

use crate::domain::{Content, ModelName, Role};

pub use offline::Offline;

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The model to ask.
    pub model: ModelName,
    /// The conversation so far, oldest first.
    pub messages: Vec<Said>,
    /// From 0 (always the same) to 2.
    pub temperature: f64,
    /// The most tokens of the reply.
    pub max_tokens: u32,
}

/// One message of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next text, never empty: one token, or a few.
    Text {
        /// The text.
        text: String,
        /// How many tokens it is.
        tokens: u64,
    },
    /// Nothing more comes, and why. A stream without it broke off.
    End(Finish),
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model said all it had to say.
    Stop,
    /// The most tokens were reached.
    Length,
}

/// A reply as it comes.
pub type Pieces = BoxStream<'static, Piece>;

/// All providers.
#[derive(Clone, Debug)]
pub struct Models {
    offline: Offline,
}

impl Models {
    /// The offline model alone, with this pause between two tokens.
    #[must_use]
    pub fn offline(pause: Duration) -> Self {
        Self { offline: Offline::new(pause) }
    }

    /// Asks the model that `question` names. Without any key, the offline model answers to every name.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Pieces {
        self.offline.ask(question)
    }
}
