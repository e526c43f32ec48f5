//! What a reply uses: tokens as they are counted, and roughly how many there are in a text.

use serde::{Deserialize, Serialize};

/// Tokens of one question and its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read: all of the question.
    pub input: u64,
    /// Of these, read from the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached: u64,
    /// Of these, put into the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_written: u64,
    /// Written, reasoning included.
    pub output: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Usage {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// Tokens, read and written.
    pub tokens: u64,
    /// Millionths of a dollar.
    pub micro_dollars: u64,
}

/// What a user may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tokens in a day; any number without it.
    pub tokens: Option<u64>,
    /// Millionths of a dollar in a day.
    pub micro_dollars: Option<u64>,
    /// Replies at a time.
    pub replies: u64,
}

/// What one user may spend, where that differs from what all may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnBudget {
    /// Tokens in a day.
    pub tokens: Option<u64>,
    /// Millionths of a dollar in a day.
    pub micro_dollars: Option<u64>,
}

/// Roughly how many tokens a text that comes in pieces has. A character of a script that writes without blanks is about a
/// token, of others about four are one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    quarters: u64,
}

impl Estimate {
    /// Takes another piece of the text, and says how many tokens began with it.
    pub fn take(&mut self, text: &str) -> u64 {
        let before = self.tokens();
        let quarters = text.chars().map(|c| if is_wide(c) { 4 } else { 1 }).sum::<u64>();
        self.quarters += quarters;
        self.tokens() - before
    }

    fn tokens(self) -> u64 {
        self.quarters.div_ceil(4)
    }
}

/// Roughly how many tokens `text` has.
#[must_use]
pub fn estimated_tokens(text: &str) -> u64 {
    Estimate::default().take(text)
}

/// Whether a character belongs to a script that writes without blanks.
#[must_use]
pub fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_of_the_pieces_is_that_of_the_whole() {
        let text = "The quick brown fox. 敏捷的棕色狐狸!";
        let mut estimate = Estimate::default();
        let pieces: u64 = text.chars().map(|c| estimate.take(&c.to_string())).sum();
        assert_eq!(pieces, estimated_tokens(text));
        assert_eq!((estimated_tokens(""), estimated_tokens("a"), estimated_tokens("你好")), (0, 1, 2));
    }
}
