//! The mails about accounts. A mail that asks the user to act carries a token, which is valid once and for half an
//! hour.

use crate::auth::{UserSecret, hash_opaque};
use crate::aws::mail::{Mail, Mailer};
use crate::clock;
use crate::domain::{Email, Millis, Rate, Requester, User, UserId};
use crate::error::Result;
use crate::store::{MailToken, Purpose, Store};

/// The prefix of tokens in mails.
pub const MAIL_TOKEN_PREFIX: &str = "mt_";
/// How long a token in a mail is valid: 30 minutes.
const TOKEN_SECONDS: u64 = 1800;
/// The most mails to one address in an hour.
const MAX_MAILS: u64 = 5;

/// Sends mails about accounts.
pub struct Mails {
    store: Store,
    mailer: Mailer,
    /// The URL of the web app, to which the links lead. The token is in the fragment, which is not sent to any server.
    app_url: String,
}

impl Mails {
    /// Sends mails through `mailer` whose links lead to the web app at `app_url`.
    #[must_use]
    pub fn new(store: Store, mailer: Mailer, app_url: String) -> Self {
        Self { store, mailer, app_url }
    }

    /// Sends the mail through which a user verifies the address of the account, unless it is verified.
    ///
    /// # Errors
    /// When DynamoDB or SES cannot be reached.
    pub async fn verify_address(&self, user: UserId) -> Result<()> {
        match self.store.find_user(user).await? {
            Some(user) if !user.email_verified => self.send(&user, Purpose::VerifyAddress).await,
            _ => Ok(()),
        }
    }

    /// Sends the mail through which a user sets a new password, if an account has the address.
    ///
    /// # Errors
    /// When DynamoDB or SES cannot be reached.
    pub async fn forgot_password(&self, email: &Email) -> Result<()> {
        match self.store.find_user_by_email(email).await? {
            Some(user) => self.send(&user, Purpose::ResetPassword).await,
            None => Ok(()),
        }
    }

    /// Tells the old address of an account that the address was changed. A verified address is always told: its
    /// verification was a mail that counted, so an address cannot be flooded. An unverified address is told within the
    /// limit on mails.
    ///
    /// # Errors
    /// When DynamoDB or SES cannot be reached.
    pub async fn address_changed(&self, old: &Email, was_verified: bool) -> Result<()> {
        if !was_verified && !self.may_send(old, clock::now()).await? {
            return Ok(());
        }
        let text = "The address of your account was changed, and no more mails will be sent here. If you did not do this, please \
            log in, change the address back, and log out everywhere.\n您的账号已改用另一个邮箱，此邮箱不再收到邮件。如果不是您本人操作，\
            请立即登录，改回邮箱，并退出所有登录会话。\n";
        let subject = "Your address was changed · 邮箱已更改".to_owned();
        self.mailer.send(old, &Mail { subject, text: text.to_owned() }).await
    }

    async fn send(&self, user: &User, purpose: Purpose) -> Result<()> {
        let now = clock::now();
        if !self.may_send(&user.email, now).await? {
            return Ok(());
        }
        let (secret, mailed) = UserSecret::new(MAIL_TOKEN_PREFIX, user.id)?;
        let token = MailToken {
            purpose,
            user: user.id,
            email: user.email.clone(),
            token_version: user.token_version,
            password: hash_opaque(&user.password_hash),
            ends_at: now.plus_seconds(TOKEN_SECONDS),
        };
        self.store.create_mail_token(&secret.hash, &token).await?;
        self.mailer.send(&user.email, &mail(purpose, &self.app_url, &mailed)).await
    }

    /// Counts a mail to `email`, and returns whether it may be sent.
    async fn may_send(&self, email: &Email, now: Millis) -> Result<bool> {
        let reason = self.reason_not_to_send(email, now).await?;
        if let Some(reason) = reason {
            tracing::warn!(reason, "did not send a mail");
        }
        Ok(reason.is_none())
    }

    async fn reason_not_to_send(&self, email: &Email, now: Millis) -> Result<Option<&'static str>> {
        if !self.mailer.is_on() {
            return Ok(Some("mail is switched off"));
        }
        let Some(rate) = Rate::new(MAX_MAILS, 3600) else { return Ok(None) };
        let allowance = self.store.count_request(&Requester::Mailbox(email.clone()), rate, now).await?;
        Ok(allowance.exceeded.then_some("the hourly limit of mails to this address is reached"))
    }
}

fn mail(purpose: Purpose, app_url: &str, token: &str) -> Mail {
    let (subject, path, english, chinese) = match purpose {
        Purpose::VerifyAddress => (
            "Confirm your address · 验证邮箱",
            "verify-email",
            "Please confirm that this address is yours",
            "请确认这个邮箱是您的",
        ),
        Purpose::ResetPassword => (
            "Set a new password · 重设密码",
            "reset-password",
            "A new password was requested for your account. If you did not request it, ignore this mail",
            "您的账号收到了重设密码的请求。如果不是您本人操作，请忽略此邮件",
        ),
    };
    let text = format!(
        "{english}.\n{chinese}。\n\n{app_url}/{path}#token={token}\n\nToken: {token}\n\nValid once, for 30 minutes. · 仅可使用一次，30 分钟内有效。\n"
    );
    Mail { subject: subject.to_owned(), text }
}
