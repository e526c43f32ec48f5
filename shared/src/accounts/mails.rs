//! The mails that accounts need. Each carries a token that is good once, for half an hour.

use crate::auth::{UserSecret, hash_opaque};
use crate::aws::mail::{Mail, Mailer};
use crate::clock;
use crate::domain::{Email, Millis, Rate, Requester, User, UserId};
use crate::error::Result;
use crate::store::{MailToken, Purpose, Store};

/// What tokens that are mailed begin with.
pub const MAIL_TOKEN_PREFIX: &str = "mt_";
/// A token that was mailed is good for 30 minutes.
const GOOD_FOR_SECONDS: u64 = 1800;
/// Nobody gets more mails than this in an hour, whoever asks for them.
const MOST_MAILS: u64 = 5;

/// Sends the mails of accounts.
pub struct Mails {
    store: Store,
    mailer: Mailer,
    /// The web app, which the links lead to; it has the token in the fragment, which no server sees.
    app_url: String,
}

impl Mails {
    /// Mails whose links lead to the app at `app_url`.
    #[must_use]
    pub fn new(store: Store, mailer: Mailer, app_url: String) -> Self {
        Self { store, mailer, app_url }
    }

    /// Sends the mail by which a user shows to read the address, unless that is known.
    ///
    /// # Errors
    /// When DynamoDB or SES is out of reach.
    pub async fn verify_address(&self, user: UserId) -> Result<()> {
        match self.store.find_user(user).await? {
            Some(user) if !user.email_verified => self.send(&user, Purpose::VerifyAddress).await,
            _ => Ok(()),
        }
    }

    /// Sends the mail by which a new password can be set, if the address is somebody's.
    ///
    /// # Errors
    /// When DynamoDB or SES is out of reach.
    pub async fn forgot_password(&self, email: &Email) -> Result<()> {
        match self.store.find_user_by_email(email).await? {
            Some(user) => self.send(&user, Purpose::ResetPassword).await,
            None => Ok(()),
        }
    }

    /// Tells the old address of an account that the account has another one. A verified address is always told: it was
    /// verified by a mail that counted, so nobody is flooded. Others are told within the limit on mails.
    ///
    /// # Errors
    /// When DynamoDB or SES is out of reach.
    pub async fn address_changed(&self, old: &Email, was_verified: bool) -> Result<()> {
        if !was_verified && !self.may_send(old, clock::now()).await? {
            return Ok(());
        }
        let text = "Your account has another address from now on, and nothing more is sent here. If it was not you, please \
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
            ends_at: now.plus_seconds(GOOD_FOR_SECONDS),
        };
        self.store.create_mail_token(&secret.hash, &token).await?;
        self.mailer.send(&user.email, &mail(purpose, &self.app_url, &mailed)).await
    }

    /// Counts a mail to this address, and says whether it may be sent.
    async fn may_send(&self, email: &Email, now: Millis) -> Result<bool> {
        let reason = self.reason_not_to_send(email, now).await?;
        if let Some(reason) = reason {
            tracing::warn!(reason, "no mail is sent");
        }
        Ok(reason.is_none())
    }

    async fn reason_not_to_send(&self, email: &Email, now: Millis) -> Result<Option<&'static str>> {
        if !self.mailer.is_on() {
            return Ok(Some("mail is off"));
        }
        let Some(rate) = Rate::new(MOST_MAILS, 3600) else { return Ok(None) };
        let allowance = self.store.count_request(&Requester::Mailbox(email.clone()), rate, now).await?;
        Ok(allowance.exceeded.then_some("the hourly limit of mails to one address is reached"))
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
            "Somebody, hopefully you, asked for a new password. If it was not you, do nothing",
            "有人（希望是您本人）请求重设密码。如果不是您，请忽略这封邮件",
        ),
    };
    let text = format!(
        "{english}.\n{chinese}。\n\n{app_url}/{path}#token={token}\n\nToken: {token}\n\nGood once, for 30 minutes. · 只能使用一次，30 分钟内有效。\n"
    );
    Mail { subject: subject.to_owned(), text }
}
