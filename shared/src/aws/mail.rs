//! Sends mails through SES. A studio without a sender address sends no mail.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, DisplayErrorContext};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_types::SdkConfig;

use crate::domain::Email;
use crate::error::{Error, Result};

/// A mail in plain text.
pub struct Mail {
    /// The subject line.
    pub subject: String,
    /// The text of the mail.
    pub text: String,
}

/// Sends mails from one address.
pub struct Mailer {
    client: Client,
    from: Option<String>,
}

impl Mailer {
    /// Creates a mailer that sends from this address. Without an address it sends nothing.
    #[must_use]
    pub fn connect(aws: &SdkConfig, from: Option<String>) -> Self {
        Self { client: Client::new(aws), from }
    }

    /// Whether there is an address to send from.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.from.is_some()
    }

    /// Sends `mail`, or does nothing without a sender address. The mail may arrive twice if an answer of SES is lost.
    ///
    /// # Errors
    /// When SES does not accept the mail.
    pub async fn send(&self, to: &Email, mail: &Mail) -> Result<()> {
        let Some(from) = &self.from else { return Ok(()) };
        let content = email_content(mail).map_err(Error::internal)?;
        let to = Destination::builder().to_addresses(to.as_str()).build();
        let request = self.client.send_email().from_email_address(from).destination(to).content(content);
        request.send().await.map_err(|error| Error::unavailable(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
}

fn email_content(mail: &Mail) -> Result<EmailContent, BuildError> {
    let utf8 = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(utf8(&mail.text)?).build();
    Ok(EmailContent::builder()
        .simple(Message::builder().subject(utf8(&mail.subject)?).body(body).build())
        .build())
}
