//! Guesses at a password, counted for the account and for where they come from before they are judged.

use shared::Result;
use shared::auth::Password;
use shared::clock;
use shared::domain::{Network, User, UserId};
use shared::error::{Code, Error};
use shared::store::{Account, Attempts, Store};

use super::Auth;

/// So many guesses of a network in a window may be judged before they are counted. Counting each before, and taking back
/// what was right, is two more writes for every login.
const COUNTED_LATER: u64 = 3;

/// A guess that has been counted and is not judged yet.
pub(super) struct Guess<'a> {
    store: &'a Store,
    /// None for a guess that does not count for its account: see [`Guess::at`].
    account: Option<Attempts>,
    network: Attempts,
    /// Whether it was counted for its network already: see [`Guess::from`].
    network_counts: bool,
}

impl<'a> Guess<'a> {
    /// Counts a guess at the password of an account from this address, the `number`th of a window. Those who guess at
    /// somebody's password must not keep the owner out: where the owner is logged in, only the address counts.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`], the same whether the account exists or not.
    pub(super) async fn at(store: &'a Store, account: &Account, address: &str, number: u64) -> Result<Self> {
        let now = clock::now();
        let network = Network::of(address);
        let mut guess = Self::from(store, network.clone(), number).await?;
        match store.reserve_attempt(&account.attempts, account.failures, now).await {
            Ok(()) => guess.account = Some(account.attempts.clone()),
            Err(blocked) if blocked.code() == Code::TooManyAttempts => {
                if !store.has_session_from(account.user.as_ref(), &network, now).await? {
                    guess.release_network().await?;
                    return Err(blocked);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(guess)
    }

    /// Most logins are right, and few come from one network at a time. So the first guesses of a window are counted for
    /// their network only once they were wrong, while it has no failures; all others before they are judged.
    async fn from(store: &'a Store, network: Network, number: u64) -> Result<Self> {
        let network = Attempts::From(network);
        let seen = store.find_failures(&network).await?;
        let network_counts = number > COUNTED_LATER || seen.count > 0;
        if network_counts {
            store.reserve_attempt(&network, seen, clock::now()).await?;
        }
        Ok(Self { store, account: None, network, network_counts })
    }

    /// The guess was wrong.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn was_wrong(self) -> Result<()> {
        if !self.network_counts {
            self.store.count_failure(&self.network, clock::now()).await?;
        }
        Ok(())
    }

    /// The guess was right. The account's failures are forgotten with the session that begins now; the network's are
    /// not, or whoever has an account could go on guessing at others.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn was_right(self) -> Result<()> {
        self.release_network().await
    }

    /// The guess was neither: the password was right, but that was not all. It is as if it had not been made; a right
    /// password forgives nothing, or it would be a licence to guess at the second factor.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn was_incomplete(self) -> Result<()> {
        if let Some(account) = &self.account {
            self.store.release_attempt(account).await?;
        }
        self.release_network().await
    }

    async fn release_network(&self) -> Result<()> {
        if self.network_counts { self.store.release_attempt(&self.network).await } else { Ok(()) }
    }
}

/// A guess of somebody who is logged in, counted and not judged yet.
pub(super) struct Confirmation<'a> {
    store: &'a Store,
    attempts: Attempts,
}

impl<'a> Confirmation<'a> {
    /// Counts a guess of this user.
    ///
    /// # Errors
    /// [`Code::TooManyAttempts`].
    pub(super) async fn begin(auth: &'a Auth, user: UserId) -> Result<Self> {
        let (store, attempts) = (&auth.base.store, Attempts::Confirming(user));
        let seen = store.find_failures(&attempts).await?;
        store.reserve_attempt(&attempts, seen, clock::now()).await?;
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
