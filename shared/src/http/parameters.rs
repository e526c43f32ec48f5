//! What the query of a request may hold. A route takes those parameters alone that are declared for it, and a handler can read no
//! others.

use std::str::FromStr;

use lambda_http::RequestExt as _;

use super::Request;
use crate::domain::RuleBroken;
use crate::error::{Error, Result};

/// The parameters of the query of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    names: &'static [&'static str],
    ignores_others: bool,
}

impl Parameters {
    /// Those of a route that refuses others.
    #[must_use]
    pub const fn only(names: &'static [&'static str]) -> Self {
        Self { names, ignores_others: false }
    }

    /// Those of a route that ignores others, for clients of the old contract.
    #[must_use]
    pub const fn among_others(names: &'static [&'static str]) -> Self {
        Self { names, ignores_others: true }
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// Whether others are refused.
    #[must_use]
    pub fn refuses_others(&self) -> bool {
        !self.ignores_others
    }

    fn rule(&self) -> String {
        if self.names.is_empty() {
            return "This route takes no query".to_owned();
        }
        format!("The query must have no other parameters than `{}`", self.names.join("`, `"))
    }
}

impl Request {
    /// Declares what the query may hold.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when it holds something else.
    pub(super) fn declare(&self, parameters: Parameters) -> Result<()> {
        self.declared.get_or_init(|| parameters);
        let there = self.inner.query_string_parameters();
        let is_known = |name: &str| parameters.names.contains(&name);
        if parameters.ignores_others || there.iter().all(|(name, _)| is_known(name)) {
            return Ok(());
        }
        Err(Error::invalid(parameters.rule()))
    }

    /// A parameter of the query.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] when it breaks its type's rule; [`crate::error::Code::Internal`] when it is not declared
    /// for the route.
    pub fn query<T: FromStr<Err = RuleBroken>>(&self, name: &str) -> Result<Option<T>> {
        let value = self.parameter(name)?.map(str::parse::<T>).transpose();
        value.map_err(|rule| Error::invalid_field(name, rule.to_string()))
    }

    /// A parameter of the query as it is, percent-decoded.
    ///
    /// # Errors
    /// [`crate::error::Code::Internal`] when it is not declared for the route.
    pub fn parameter(&self, name: &str) -> Result<Option<&str>> {
        if !self.declared.get().is_some_and(|declared| declared.names.contains(&name)) {
            return Err(Error::internal(format!(
                "the parameter {name} is not declared for {}",
                self.route_key()
            )));
        }
        Ok(self.inner.query_string_parameters_ref().and_then(|parameters| parameters.first(name)))
    }
}
