//! Which providers there are: their keys and addresses.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{RequestBuilder, Url};

use super::offer::Offer;

/// What the models are set up with.
pub struct Settings {
    /// The pause of the offline model between two tokens.
    pub offline_pause: Duration,
    /// OpenAI's interface.
    pub openai: Option<Account>,
    /// Anthropic's.
    pub anthropic: Option<Account>,
    /// What is on offer.
    pub offer: Offer,
}

/// A key of a provider. It cannot be printed.
pub struct ApiKey(HeaderValue, HeaderValue);

impl ApiKey {
    /// Marks the request with the key, as most want it.
    pub(super) fn bearer(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(reqwest::header::AUTHORIZATION, self.1.clone())
    }

    pub(super) fn header(&self, request: RequestBuilder, name: &'static str) -> RequestBuilder {
        request.header(name, self.0.clone())
    }
}

impl TryFrom<String> for ApiKey {
    type Error = &'static str;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        let header = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_bad| "is not a key")?;
            value.set_sensitive(true);
            Ok::<_, &'static str>(value)
        };
        let key = key.trim();
        Ok(Self(header(key)?, header(&format!("Bearer {key}"))?))
    }
}

/// Where a provider is: HTTPS, or on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl TryFrom<String> for BaseUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = Url::parse(text.trim_end_matches('/')).map_err(|_bad| "is not a URL")?;
        let is_here = match url.host_str() {
            Some("localhost" | "[::1]") => true,
            Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
            None => false,
        };
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !is_plain || !(url.scheme() == "https" || url.scheme() == "http" && is_here) {
            return Err("must be HTTPS unless it is on this machine, and carry no password and no query");
        }
        Ok(Self(url))
    }
}

/// An account with a provider.
pub struct Account {
    /// The key.
    pub(super) key: ApiKey,
    base: String,
}

impl Account {
    /// An account at OpenAI, or at whoever is at `base`.
    #[must_use]
    pub fn openai(key: ApiKey, base: Option<BaseUrl>) -> Self {
        Self::new(key, base, super::openai::HOME)
    }

    /// An account at Anthropic, or at whoever is at `base`.
    #[must_use]
    pub fn anthropic(key: ApiKey, base: Option<BaseUrl>) -> Self {
        Self::new(key, base, super::anthropic::HOME)
    }

    fn new(key: ApiKey, base: Option<BaseUrl>, home: &str) -> Self {
        let base =
            base.map_or_else(|| home.to_owned(), |base| base.0.as_str().trim_end_matches('/').to_owned());
        Self { key, base }
    }

    pub(super) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_over_https_unless_it_is_on_this_machine() {
        let base = |text: &str| BaseUrl::try_from(text.to_owned());
        for good in ["https://api.example.com/v1/", "http://127.0.0.1:4011/v1", "http://localhost:11434/v1"] {
            assert!(base(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com",
            "http://10.0.0.1",
            "ftp://localhost",
            "x",
            "https://u:p@h",
            "https://h?x",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
        assert!(base(super::super::openai::HOME).is_ok() && base(super::super::anthropic::HOME).is_ok());
    }
}
