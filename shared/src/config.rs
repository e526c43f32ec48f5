//! Reads environment variables. Nothing else reads the environment. Each function names the variables that it needs,
//! and one error names all that are missing or invalid.

use std::fmt;
use std::str::FromStr;

/// Reads variables and collects the problems with them.
#[derive(Debug, Default)]
pub struct Variables {
    problems: Vec<String>,
}

/// The variables that are missing or invalid, without their values.
#[derive(Debug, PartialEq, Eq)]
pub struct BadVariables(Vec<String>);

impl fmt::Display for BadVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid environment variables: {}", self.0.join("; "))
    }
}

impl std::error::Error for BadVariables {}

impl Variables {
    /// Creates a reader without problems.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[expect(clippy::disallowed_methods, reason = "only this module reads the environment")]
    pub(crate) fn read(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// The text of a required variable. If it is missing, the text is empty, and [`Self::done`] will fail.
    pub fn text(&mut self, name: &str) -> String {
        Self::read(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is missing"));
            String::new()
        })
    }

    /// The value of a variable, or `default` when it is missing.
    pub fn parsed_or<T: FromStr>(&mut self, name: &str, default: T) -> T {
        let Some(value) = Self::read(name) else { return default };
        value.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} has an invalid value"));
            default
        })
    }

    /// The value that `parse` makes of a required variable.
    pub fn checked<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        let value = Self::read(name);
        if value.is_none() {
            self.problems.push(format!("{name} is missing"));
        }
        match parse(value?) {
            Ok(parsed) => Some(parsed),
            Err(problem) => {
                self.problems.push(format!("{name} {problem}"));
                None
            }
        }
    }

    /// The value that `parse` makes of a variable, or none if the variable is missing.
    pub fn optional<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        parse(Self::read(name)?).map_err(|problem| self.problems.push(format!("{name} {problem}"))).ok()
    }

    /// Whether a variable is set and not empty.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        Self::read(name).is_some()
    }

    /// The comma-separated parts of a variable; an empty list if it is missing.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let value = Self::read(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// Returns `settings` if all variables were valid.
    ///
    /// # Errors
    /// All variables that are missing or invalid.
    pub fn done<T>(self, settings: Option<T>) -> Result<T, BadVariables> {
        settings.filter(|_| self.problems.is_empty()).ok_or(BadVariables(self.problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_names_all_missing_and_invalid_variables() {
        let mut variables = Variables::new();
        variables.text("NO_SUCH_VARIABLE");
        variables.parsed_or("PATH", 1_u16);
        let problem = variables.done(Some(())).unwrap_err().to_string();
        assert_eq!(
            problem,
            "invalid environment variables: NO_SUCH_VARIABLE is missing; PATH has an invalid value"
        );
    }
}
