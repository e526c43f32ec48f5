//! Usage of models: tokens, money, budgets, and estimates of the number of tokens in a text.

use serde::{Deserialize, Serialize};

/// The tokens of one request to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens: the whole prompt.
    pub input: u64,
    /// Input tokens that were read from the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached: u64,
    /// Input tokens that were written to the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_written: u64,
    /// Output tokens, including reasoning.
    pub output: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Usage {
    /// Input and output tokens together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// An amount of tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// Input and output tokens.
    pub tokens: u64,
    /// Millionths of a dollar.
    pub micro_dollars: u64,
}

/// The limits of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tokens in a day; `None` means no limit.
    pub tokens: Option<u64>,
    /// Millionths of a dollar in a day; `None` means no limit.
    pub micro_dollars: Option<u64>,
    /// Replies at the same time.
    pub replies: u64,
}

/// The limits that the operator set for one user in the table. `None` means that the limit for all users applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnBudget {
    /// Tokens in a day.
    pub tokens: Option<u64>,
    /// Millionths of a dollar in a day.
    pub micro_dollars: Option<u64>,
}

/// A running estimate of the tokens of a text that arrives in pieces. A character of a script that is written without
/// spaces counts as one token; four other characters count as one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    quarters: u64,
}

impl Estimate {
    /// Adds another piece of the text and returns by how many tokens the estimate grew.
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

/// An estimate of the number of tokens in `text`.
#[must_use]
pub fn estimated_tokens(text: &str) -> u64 {
    Estimate::default().take(text)
}

/// Whether a character belongs to a script that is written without spaces, such as Chinese or Japanese.
#[must_use]
pub fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimates_of_the_pieces_add_up_to_that_of_the_whole_text() {
        let text = "The quick brown fox. 敏捷的棕色狐狸!";
        let mut estimate = Estimate::default();
        let pieces: u64 = text.chars().map(|c| estimate.take(&c.to_string())).sum();
        assert_eq!(pieces, estimated_tokens(text));
        assert_eq!((estimated_tokens(""), estimated_tokens("a"), estimated_tokens("你好")), (0, 1, 2));
    }
}
