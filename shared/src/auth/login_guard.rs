//! The defence against guessing passwords and codes: each guess is counted before it is judged, so concurrent guesses
//! are all counted. A caller who fails too often has to wait, longer each time.
//!
//! A login counts for the network that it comes from and for the account that it names. A network may share many
//! people, so its failures are forgotten after an hour. A user who is logged in and confirms a password or a code has
//! a counter of their own, which strangers cannot exhaust.

use ulid::Ulid;

use super::totp::{matching_step, second_factor};
use super::{Password, Passwords, check_allowance};
use crate::clock;
use crate::domain::accounts::session::is_fresh;
use crate::domain::{
    Allowance, LoggedIn, LoginName, Millis, Network, Rate, Requester, SecondFactor, User, UserId,
};
use crate::error::{Code, Error, Result};
use crate::store::{FailureCounter, LONGEST_GUESS_SECONDS, Store};

/// What a client sends to log in.
pub struct Credentials {
    login: LoginName,
    password: Password,
    code: Option<String>,
}

impl Credentials {
    /// The credentials that these texts can be.
    ///
    /// # Errors
    /// [`Code::WrongCredentials`] when no account can have this name or this password. Naming the broken rule would
    /// help guessers, and no user. An account with such a name does not exist, so the missing work reveals nothing.
    pub fn parse(username: String, password: String, code: Option<String>) -> Result<Self> {
        let login = LoginName::try_from(username).map_err(|_rule| wrong_credentials())?;
        let password = Password::try_from(password).map_err(|_rule| wrong_credentials())?;
        Ok(Self { login, password, code })
    }

    /// The password, to store a stronger hash of it.
    #[must_use]
    pub fn into_password(self) -> Password {
        self.password
    }
}

/// The answer to a wrong name and to a wrong password alike.
#[must_use]
pub fn wrong_credentials() -> Error {
    Error::new(Code::WrongCredentials, "Incorrect username or password")
}

/// A user whose password and, if there is one, second factor were right.
pub struct VerifiedLogin {
    /// The user.
    pub user: User,
    /// The second factor that the login used up; `None` for a user without one.
    pub second_factor: Option<SecondFactor>,
}

/// How a login was judged.
enum Verdict {
    Right(Box<VerifiedLogin>),
    /// The password is right, but the user has a second factor and sent no code.
    CodeMissing,
    WrongPassword,
    WrongCode,
}

impl Verdict {
    fn into_result(self) -> Result<VerifiedLogin> {
        match self {
            Self::Right(login) => Ok(*login),
            Self::CodeMissing => Err(Error::new(Code::TotpRequired, "A code of the second factor is needed")),
            Self::WrongPassword => Err(wrong_credentials()),
            Self::WrongCode => Err(Error::new(Code::WrongTotp, "The code is wrong or was used")),
        }
    }
}

/// A login that its network was charged for and that is not judged yet. Until it is settled, other logins from the
/// network treat it as a wrong one.
struct PendingLogin {
    network: Network,
    id: Ulid,
    rate: Rate,
    at: Millis,
    /// How many other logins from the network are pending in this window of time.
    others: u64,
    /// The previous window, if logins may be pending in it.
    window_before: Option<u64>,
}

impl PendingLogin {
    fn requester(&self) -> Requester {
        Requester::Network(self.network.clone())
    }
}

/// The account that a login names, after the login was counted.
enum CountedFor {
    /// The login may be judged.
    Account {
        user: Option<Box<User>>,
        /// The account's failure counter; `None` if the login counts for its network only.
        attempts: Option<FailureCounter>,
    },
    /// The client has to wait for so many seconds.
    Wait(u64),
}

/// Counts and judges guesses at passwords and at codes of the second factor.
pub struct LoginGuard {
    store: Store,
    rate: Option<Rate>,
    passwords: Passwords,
}

impl LoginGuard {
    /// Creates the guard over `store`. `rate` limits the requests of a network; guesses are counted without it, too.
    #[must_use]
    pub fn new(store: Store, rate: Option<Rate>) -> Self {
        Self { store, rate, passwords: Passwords }
    }

    /// Checks the credentials of a login from `network`. `note` receives what the network may still request.
    ///
    /// # Errors
    /// [`Code::RateLimited`] and [`Code::TooManyAttempts`], whether or not the account exists;
    /// [`Code::WrongCredentials`], [`Code::TotpRequired`], [`Code::WrongTotp`].
    pub async fn check_login(
        &self,
        credentials: &Credentials,
        network: Network,
        note: impl FnOnce(Allowance) + Send,
    ) -> Result<VerifiedLogin> {
        let pending = self.count_for_network(network, note).await?;
        match self.count_for_account(&pending, &credentials.login).await? {
            CountedFor::Wait(seconds) => {
                self.settle(&pending).await?;
                Err(Error::retry_after(Code::TooManyAttempts, seconds))
            }
            CountedFor::Account { user, attempts } => {
                let verdict = self.judge(user.map(|user| *user), credentials).await?;
                self.record(&verdict, &pending, attempts).await?;
                verdict.into_result()
            }
        }
    }

    /// Counts a request of the network that is a pending login.
    async fn count_for_network(
        &self,
        network: Network,
        note: impl FnOnce(Allowance) + Send,
    ) -> Result<PendingLogin> {
        let (rate, at, id) = (self.rate.unwrap_or(Rate::UNLIMITED), clock::now(), clock::new_ulid());
        let window_before = rate.window_before(at, LONGEST_GUESS_SECONDS);
        let mut pending = PendingLogin { network, id, rate, at, others: 0, window_before };
        let (allowance, others) = self.store.count_guess(&pending.requester(), id, rate, at).await?;
        pending.others = others;
        if self.rate.is_some() {
            note(allowance);
            if let Err(refused) = check_allowance(&allowance) {
                // Left pending, it would count as a wrong guess in the next window.
                self.settle(&pending).await?;
                return Err(refused);
            }
        }
        Ok(pending)
    }

    /// Counts a failure of the account with this name, unless the network has to wait. Guesses of others must not lock
    /// the owner out: from a network where the owner is logged in, a login is judged although the account has to wait.
    async fn count_for_account(&self, pending: &PendingLogin, login: &LoginName) -> Result<CountedFor> {
        let (store, network, now) = (&self.store, &pending.network, clock::now());
        let known = store.find_name_and_guesses(login, network, pending.window_before, now).await?;
        if let Some(seconds) = known.failures.wait_with_pending(pending.others + known.under_way, now) {
            return Ok(CountedFor::Wait(seconds));
        }
        let account = store.begin_guess(known.owner, login, now).await?;
        match account.wait {
            Some(seconds) if !store.has_session_from(account.user.as_ref(), network, now).await? => {
                Ok(CountedFor::Wait(seconds))
            }
            wait => {
                let attempts = wait.is_none().then_some(account.attempts);
                Ok(CountedFor::Account { user: account.user.map(Box::new), attempts })
            }
        }
    }

    /// Judges the credentials. An unknown user costs as much work as a known one.
    async fn judge(&self, user: Option<User>, credentials: &Credentials) -> Result<Verdict> {
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let is_right = self.passwords.verify(credentials.password.clone(), hash).await?;
        let Some(user) = user.filter(|_| is_right) else { return Ok(Verdict::WrongPassword) };
        let Some(totp) = &user.totp else {
            return Ok(Verdict::Right(Box::new(VerifiedLogin { user, second_factor: None })));
        };
        let Some(code) = &credentials.code else { return Ok(Verdict::CodeMissing) };
        Ok(match second_factor(totp, &user.recovery_hashes, code, clock::now()) {
            None => Verdict::WrongCode,
            second_factor => Verdict::Right(Box::new(VerifiedLogin { user, second_factor })),
        })
    }

    /// Records the verdict. A right login clears the failures of its account in the write that begins the
    /// session. The failures of its network stay, or the owner of one account could guess at others without limit.
    async fn record(
        &self,
        verdict: &Verdict,
        pending: &PendingLogin,
        attempts: Option<FailureCounter>,
    ) -> Result<()> {
        match (verdict, attempts) {
            (Verdict::Right(_), _) | (Verdict::CodeMissing, None) => {}
            // As if nothing had been guessed. Clearing the failures would allow more guesses at the code.
            (Verdict::CodeMissing, Some(attempts)) => self.store.release_attempt(&attempts).await?,
            // Before the login is settled, so that it counts at every moment.
            (Verdict::WrongPassword | Verdict::WrongCode, _) => {
                self.store
                    .count_failure(&FailureCounter::From(pending.network.clone()), clock::now())
                    .await?;
            }
        }
        self.settle(pending).await
    }

    /// Removes a login from those that are pending.
    async fn settle(&self, pending: &PendingLogin) -> Result<()> {
        self.store.settle_guess(&pending.requester(), pending.id, pending.rate, pending.at).await
    }

    /// Counts a guess of a user who is logged in.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`].
    pub async fn begin_confirmation(&self, user: UserId) -> Result<Confirmation<'_>> {
        let attempts = FailureCounter::Confirming(user);
        self.store.reserve_attempt(&attempts, clock::now()).await?;
        Ok(Confirmation { store: &self.store, attempts })
    }

    /// Counts and judges a guess of a user who is logged in at their own password.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`], and [`Code::Forbidden`] if the password is wrong.
    pub async fn confirm_password(&self, user: &User, password: String) -> Result<()> {
        let confirmation = self.begin_confirmation(user.id).await?;
        let wrong = || Error::new(Code::Forbidden, "The password is wrong");
        let password = Password::try_from(password).map_err(|_rule| wrong())?;
        if !self.passwords.verify(password, Some(user.password_hash.clone())).await? {
            return Err(wrong());
        }
        confirmation.succeed().await
    }

    /// Confirms an action that would outlive a stolen session: by the password, or by a login of a moment ago.
    ///
    /// # Errors
    /// Those of [`Self::confirm_password`], and [`Code::Forbidden`] without a password in an older session.
    pub async fn confirm_recent_login(&self, logged_in: &LoggedIn, password: Option<String>) -> Result<()> {
        match password {
            Some(password) => self.confirm_password(logged_in.user(), password).await,
            None if is_fresh(logged_in.session(), clock::now()) => Ok(()),
            None => Err(Error::new(
                Code::Forbidden,
                "The password is required, because this session began more than 15 minutes ago",
            )),
        }
    }
}

/// A guess of a user who is logged in. It stays counted as a failure until [`Self::succeed`] is called.
#[must_use]
pub struct Confirmation<'a> {
    store: &'a Store,
    attempts: FailureCounter,
}

impl Confirmation<'_> {
    /// The time step of `code`, a code of the authenticator app that has this secret.
    ///
    /// # Errors
    /// [`Code::Forbidden`] if the code is wrong.
    pub fn check_code(&self, secret: &str, code: &str) -> Result<u64> {
        let step = matching_step(secret, code, clock::now());
        step.ok_or_else(|| Error::new(Code::Forbidden, "The code is wrong"))
    }

    /// Forgets the failures of the user, since this guess was right.
    ///
    /// # Errors
    /// When DynamoDB is unavailable.
    pub async fn succeed(self) -> Result<()> {
        self.store.forget_failures(&self.attempts).await
    }
}
