//! Guesses at a password, counted for the account and for where they come from before they are judged.

use shared::Result;
use shared::auth::{CountedGuess, Password};
use shared::clock;
use shared::domain::session::is_fresh;
use shared::domain::{LoggedIn, LoginName, Network, User, UserId};
use shared::error::{Code, Error};
use shared::http::Request;
use shared::store::{FailureCounter, Store};

use super::Auth;

/// A guess that has been counted and is not judged yet. Until it is, others of its network take it for one that was wrong.
pub(super) struct Guess<'a> {
    auth: &'a Auth,
    counted: CountedGuess,
    network: Network,
    /// None for a guess that does not count for its account: see [`Guess::begin`].
    account: Option<FailureCounter>,
    /// Whose password it is, if the name is somebody's.
    pub(super) user: Option<User>,
}

impl<'a> Guess<'a> {
    /// Counts a guess at the password of the account with this name. Those who guess at somebody's password must not keep
    /// the owner out: where the owner is logged in, only the network counts.
    ///
    /// # Errors
    /// [`Code::RateLimited`], and [`Code::TooManyAttempts`], the same whether the account exists or not.
    pub(super) async fn begin(auth: &'a Auth, request: &Request, login: &LoginName) -> Result<Self> {
        let network = Network::of(request.address());
        let counted = auth.app.guesser(request, network.clone()).await?;
        let mut guess = Self { auth, counted, network, account: None, user: None };
        let wait = guess.count(login).await?;
        if let Some(seconds) = wait {
            guess.settle().await?;
            return Err(Error::retry_after(Code::TooManyAttempts, seconds));
        }
        Ok(guess)
    }

    /// Counts the guess for the account, unless its network has to wait; says for how many seconds to wait.
    async fn count(&mut self, login: &LoginName) -> Result<Option<u64>> {
        let (store, now) = (&self.auth.app.store, clock::now());
        let before = self.counted.window_before;
        let known = store.find_name_and_guesses(login, &self.network, before, now).await?;
        if let Some(seconds) = known.failures.wait_beside(self.counted.others + known.under_way, now) {
            return Ok(Some(seconds));
        }
        let account = store.begin_guess(known.owner, login, now).await?;
        self.user = account.user;
        match account.wait {
            None => self.account = Some(account.attempts),
            wait if !store.has_session_from(self.user.as_ref(), &self.network, now).await? => {
                return Ok(wait);
            }
            Some(_) => {}
        }
        Ok(None)
    }

    /// The guess was wrong.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn was_wrong(self) -> Result<()> {
        // In this order, so that at every moment it counts.
        self.auth.app.store.count_failure(&FailureCounter::From(self.network.clone()), clock::now()).await?;
        self.settle().await
    }

    /// The guess was right. The account's failures are forgotten with the session that begins now; the network's are
    /// not, or whoever has an account could go on guessing at others.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn was_right(self) -> Result<()> {
        self.settle().await
    }

    /// The guess was neither: the password was right, but that was not all. It is as if it had not been made; a right
    /// password forgives nothing, or it would be a licence to guess at the second factor.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn was_incomplete(self) -> Result<()> {
        if let Some(account) = &self.account {
            self.auth.app.store.release_attempt(account).await?;
        }
        self.settle().await
    }

    async fn settle(&self) -> Result<()> {
        self.auth.app.limiter.settle_guess(&self.counted).await
    }
}

/// A guess of somebody who is logged in, counted and not judged yet.
pub(super) struct Confirmation<'a> {
    store: &'a Store,
    attempts: FailureCounter,
}

impl<'a> Confirmation<'a> {
    /// Counts a guess of this user.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`].
    pub(super) async fn begin(auth: &'a Auth, user: UserId) -> Result<Self> {
        let (store, attempts) = (&auth.app.store, FailureCounter::Confirming(user));
        store.reserve_attempt(&attempts, clock::now()).await?;
        Ok(Self { store, attempts })
    }

    /// The guess was right: those before are forgotten.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn was_right(self) -> Result<()> {
        self.store.forget_failures(&self.attempts).await
    }
}

/// Confirms what would let a thief of the session stay: by the password, or by a login a moment ago.
///
/// # Errors
/// As [`confirm`].
pub(super) async fn confirm_unless_fresh(
    auth: &Auth,
    logged_in: &LoggedIn,
    password: Option<String>,
) -> Result<()> {
    match password {
        Some(password) => confirm(auth, logged_in.user(), password).await,
        None if is_fresh(logged_in.session(), clock::now()) => Ok(()),
        None => Err(Error::new(Code::Forbidden, "This takes the password, since the login was a while ago")),
    }
}

/// Counts a guess at the password of a user who is logged in, and judges it.
///
/// # Errors
/// [`Code::TooManyAttempts`], or [`Code::Forbidden`] when it is wrong.
pub(super) async fn confirm(auth: &Auth, user: &User, password: String) -> Result<()> {
    let confirmation = Confirmation::begin(auth, user.id).await?;
    let wrong = || Error::new(Code::Forbidden, "The password is wrong");
    // What can be nobody's password is simply wrong.
    let password = Password::try_from(password).map_err(|_rule| wrong())?;
    if !auth.passwords.verify(password, Some(user.password_hash.clone())).await? {
        return Err(wrong());
    }
    confirmation.was_right().await
}
