//! Mails, sent through SES; nothing is sent when the studio has no address to send from.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, DisplayErrorContext};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_types::SdkConfig;

use super::NoSdkUserAgent;
use crate::domain::Email;
use crate::error::{Error, Result};

/// A mail in plain text.
pub struct Mail {
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// Sends mails.
pub struct Mailer {
    client: Client,
    from: Option<String>,
}

impl Mailer {
    /// Sends from this address, or not at all.
    #[must_use]
    pub fn connect(aws: &SdkConfig, from: Option<String>) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(aws).interceptor(NoSdkUserAgent).build();
        Self { client: Client::from_conf(config), from }
    }

    /// Whether there is an address to send from.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.from.is_some()
    }

    /// Sends `mail`, or does nothing when mail is off. It may arrive twice when an answer of SES is lost.
    ///
    /// # Errors
    /// When SES does not take it.
    pub async fn send(&self, to: &Email, mail: &Mail) -> Result<()> {
        let Some(from) = &self.from else { return Ok(()) };
        let content = content(mail).map_err(Error::internal)?;
        let to = Destination::builder().to_addresses(to.as_str()).build();
        let request = self.client.send_email().from_email_address(from).destination(to).content(content);
        request.send().await.map_err(|error| Error::unavailable(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
}

fn content(mail: &Mail) -> Result<EmailContent, BuildError> {
    let utf8 = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(utf8(&mail.text)?).build();
    Ok(EmailContent::builder()
        .simple(Message::builder().subject(utf8(&mail.subject)?).body(body).build())
        .build())
}
