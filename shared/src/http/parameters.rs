//! Query parameters. Each route declares its parameters, and a handler can read no others.

use std::str::FromStr;

use lambda_http::RequestExt as _;

use super::Request;
use crate::domain::RuleBroken;
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Result};

/// The query parameters of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    names: &'static [&'static str],
    is_lenient: bool,
}

impl Parameters {
    /// The parameters of a route that refuses others.
    #[must_use]
    pub const fn strict(names: &'static [&'static str]) -> Self {
        Self { names, is_lenient: false }
    }

    /// The parameters of a route of the original contract, which ignores others.
    #[must_use]
    pub const fn lenient(names: &'static [&'static str]) -> Self {
        Self { names, is_lenient: true }
    }

    /// The names of the parameters.
    #[must_use]
    pub fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// Whether the route refuses other parameters.
    #[must_use]
    pub fn refuses_others(&self) -> bool {
        !self.is_lenient
    }

    fn rule(&self) -> String {
        if self.names.is_empty() {
            return "This route takes no query".to_owned();
        }
        format!("The query must have no other parameters than `{}`", self.names.join("`, `"))
    }
}

impl Request {
    /// Declares the parameters of the route.
    ///
    /// # Errors
    /// [`Code::Invalid`] if the query has another parameter, and the route refuses others.
    pub(super) fn declare(&self, parameters: Parameters) -> Result<()> {
        self.declared.get_or_init(|| parameters);
        let present = self.inner.query_string_parameters();
        let is_known = |name: &str| parameters.names.contains(&name);
        if parameters.is_lenient || present.iter().all(|(name, _)| is_known(name)) {
            return Ok(());
        }
        Err(Error::invalid(parameters.rule()))
    }

    /// A parameter of the query, parsed.
    ///
    /// # Errors
    /// [`Code::Invalid`] if it breaks the rule of its type; [`Code::Internal`] if the route does not declare it.
    pub fn query<T: FromStr<Err = RuleBroken>>(&self, name: &str) -> Result<Option<T>> {
        let value = self.parameter(name)?.map(str::parse::<T>).transpose();
        value.map_err(|rule| Error::invalid_field(name, rule.to_string()))
    }

    /// A parameter of the query as text, percent-decoded.
    ///
    /// # Errors
    /// [`Code::Internal`] if the route does not declare it.
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
