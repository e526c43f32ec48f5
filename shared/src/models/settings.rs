//! The settings of the providers: their keys and base URLs.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{RequestBuilder, Url};

use super::offer::Offer;

/// The settings of all models.
pub struct Settings {
    /// The pause of the offline model between two tokens.
    pub offline_pause: Duration,
    /// The account at OpenAI, or at a compatible server.
    pub openai: Option<ProviderAccount>,
    /// The account at Anthropic.
    pub anthropic: Option<ProviderAccount>,
    /// The models that clients can ask.
    pub offer: Offer,
}

/// An API key of a provider. It cannot be printed.
pub struct ProviderKey {
    plain: HeaderValue,
    bearer: HeaderValue,
}

impl ProviderKey {
    /// The request with the key as a bearer token.
    pub(super) fn bearer(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(reqwest::header::AUTHORIZATION, self.bearer.clone())
    }

    /// The request with the key in the header `name`.
    pub(super) fn header(&self, request: RequestBuilder, name: &'static str) -> RequestBuilder {
        request.header(name, self.plain.clone())
    }
}

impl TryFrom<String> for ProviderKey {
    type Error = &'static str;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        let header = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_bad| "must be printable ASCII")?;
            value.set_sensitive(true);
            Ok::<_, &'static str>(value)
        };
        let key = key.trim();
        Ok(Self { plain: header(key)?, bearer: header(&format!("Bearer {key}"))? })
    }
}

/// The base URL of a provider: HTTPS, or HTTP on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl TryFrom<String> for BaseUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = Url::parse(text.trim_end_matches('/')).map_err(|_bad| "must be a URL")?;
        let is_local = match url.host_str() {
            Some("localhost" | "[::1]") => true,
            Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
            None => false,
        };
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !is_plain || !(url.scheme() == "https" || url.scheme() == "http" && is_local) {
            return Err(
                "must be an HTTPS URL (or HTTP on this machine) without a password and without a query",
            );
        }
        Ok(Self(url))
    }
}

/// An account at a provider.
pub struct ProviderAccount {
    /// The API key.
    pub(super) key: ProviderKey,
    base: String,
}

impl ProviderAccount {
    /// An account at OpenAI, or at the compatible server at `base`.
    #[must_use]
    pub fn openai(key: ProviderKey, base: Option<BaseUrl>) -> Self {
        Self::new(key, base, super::openai::HOME)
    }

    /// An account at Anthropic, or at the compatible server at `base`.
    #[must_use]
    pub fn anthropic(key: ProviderKey, base: Option<BaseUrl>) -> Self {
        Self::new(key, base, super::anthropic::HOME)
    }

    fn new(key: ProviderKey, base: Option<BaseUrl>, home: &str) -> Self {
        let base =
            base.map_or_else(|| home.to_owned(), |base| base.0.as_str().trim_end_matches('/').to_owned());
        Self { key, base }
    }

    /// The URL of `path` below the base URL.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_must_be_https_unless_it_is_on_this_machine() {
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
