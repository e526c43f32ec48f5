//! The generation parameters of a model: the temperature, and how many tokens a reply may have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The temperature when a client names none.
const DEFAULT_TEMPERATURE: f64 = 0.7;
/// The most tokens that a client may ask for.
const MAX_TOKENS_LIMIT: u32 = 131_072;

/// How a model generates a reply: a temperature from 0 (deterministic) to 2, and the most tokens of the reply, from 1
/// to 131,072, or absent where the model's default applies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct GenerationParams {
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
}

impl GenerationParams {
    /// Checks the parameters that a client sent. An absent temperature is 0.7. A temperature is rounded to a millionth,
    /// since DynamoDB stores no number below 10⁻¹³⁰.
    ///
    /// # Errors
    /// The parameter that is out of range.
    pub fn parse(temperature: Option<f64>, max_tokens: Option<u32>) -> Result<Self, ParamOutOfRange> {
        let temperature = temperature.unwrap_or(DEFAULT_TEMPERATURE);
        if !(0.0..=2.0).contains(&temperature) {
            return Err(ParamOutOfRange { field: "temperature", rule: "must be from 0 to 2".to_owned() });
        }
        if max_tokens.is_some_and(|max_tokens| !(1..=MAX_TOKENS_LIMIT).contains(&max_tokens)) {
            let rule = format!("must be from 1 to {MAX_TOKENS_LIMIT}");
            return Err(ParamOutOfRange { field: "max_tokens", rule });
        }
        Ok(Self { temperature: (temperature * 1e6).round() / 1e6, max_tokens })
    }

    /// The temperature, from 0 to 2.
    #[must_use]
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// The most tokens of the reply; `None` where the model's default applies.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u32> {
        self.max_tokens
    }

    /// Replaces the limit on the tokens of the reply.
    #[must_use]
    pub fn with_max_tokens(self, max_tokens: u32) -> Self {
        Self { max_tokens: Some(max_tokens), ..self }
    }
}

/// A generation parameter that is out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamOutOfRange {
    /// The name of the parameter.
    pub field: &'static str,
    /// The rule that it breaks.
    pub rule: String,
}

impl fmt::Display for ParamOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)
    }
}

impl std::error::Error for ParamOutOfRange {}

/// Stored parameters before they are checked.
#[derive(Deserialize)]
struct Unchecked {
    temperature: f64,
    max_tokens: Option<u32>,
}

impl TryFrom<Unchecked> for GenerationParams {
    type Error = ParamOutOfRange;

    fn try_from(Unchecked { temperature, max_tokens }: Unchecked) -> Result<Self, ParamOutOfRange> {
        Self::parse(Some(temperature), max_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_is_rounded_to_a_millionth_and_checked() {
        let parsed = |temperature| {
            GenerationParams::parse(Some(temperature), None).map(|params| params.temperature()).ok()
        };
        assert_eq!([0.7, 0.1, 2.0, 1.3].map(parsed), [0.7, 0.1, 2.0, 1.3].map(Some));
        assert_eq!([5e-324, 1e-200, -0.0].map(parsed), [Some(0.0); 3]);
        assert_eq!([-0.1, 2.000_001, f64::NAN].map(parsed), [None; 3]);
    }

    #[test]
    fn stored_parameters_keep_their_names_and_are_checked() {
        let params = GenerationParams::parse(None, None).unwrap();
        assert_eq!(serde_json::to_string(&params).unwrap(), r#"{"temperature":0.7}"#);
        let text = r#"{"temperature":1.5,"max_tokens":9}"#;
        let params: GenerationParams = serde_json::from_str(text).unwrap();
        assert_eq!((params.temperature(), params.max_tokens()), (1.5, Some(9)));
        assert_eq!(serde_json::to_string(&params).unwrap(), text);
        for bad in [r#"{"temperature":3}"#, r#"{"temperature":1,"max_tokens":0}"#] {
            assert!(serde_json::from_str::<GenerationParams>(bad).is_err(), "{bad}");
        }
    }
}
