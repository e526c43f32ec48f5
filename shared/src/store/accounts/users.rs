//! Users: registration, and finding them by id and by name.

use std::collections::BTreeSet;

use super::sessions::session_item;
use super::user_item::UserItem;
use crate::domain::usage::OwnBudget;
use crate::domain::{
    Credential, Email, Failures, LoginName, Millis, Network, Requester, User, UserId, Username,
};
use crate::error::{Code, Error, Result};
use crate::store::dynamo::{Expression, Outcome, Write, from_item, item_at, number, random_below, text};
use crate::store::limits::login_attempts::failures;
use crate::store::limits::requests::guesses_under_way;
use crate::store::{FailureCounter, NewSession, Store, key};

/// A user that is about to register.
pub struct NewUser {
    /// A new id.
    pub id: UserId,
    /// The username, which no other user may have.
    pub username: Username,
    /// The email address, which no other user may have.
    pub email: Email,
    /// The time of the registration.
    pub created_at: Millis,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// The first session, which begins with the registration.
    pub session: NewSession,
}

/// The account whose password a login guesses. A name that no user has is handled in the same way, so that callers
/// cannot tell which names exist.
pub struct GuessedAccount {
    /// The user, read consistently; `None` when no user has the name.
    pub user: Option<User>,
    /// The counter of failed guesses at the password.
    pub attempts: FailureCounter,
    /// The seconds to wait; `None` when the guess was counted and may be verified.
    pub wait: Option<u64>,
}

/// What is known about a login before its guess is counted for the account.
pub struct NameAndGuesses {
    /// The user who has the name; `None` when no user has it.
    pub owner: Option<UserId>,
    /// The failures of the network that still count.
    pub failures: Failures,
    /// How many guesses of the network in the previous window are still being verified.
    pub under_way: u64,
}

impl Store {
    /// Registers a user with a first session. Of several concurrent registrations with one name or address, exactly one
    /// succeeds.
    ///
    /// # Errors
    /// [`Code::UsernameTaken`] and [`Code::EmailTaken`].
    pub async fn create_user(&self, new: NewUser) -> Result<User> {
        let user = User {
            own_budget: OwnBudget::default(),
            id: new.id,
            username: new.username,
            email: new.email,
            display_name: None,
            created_at: new.created_at,
            token_version: 1,
            sessions: BTreeSet::from([new.session.session.id]),
            keys: BTreeSet::new(),
            password_hash: new.password_hash,
            failures: Failures::default(),
            email_verified: false,
            totp: None,
            totp_pending: None,
            recovery_hashes: BTreeSet::new(),
        };
        match self.transact(self.registration(&user, &new.session)?).await? {
            Outcome::Committed => Ok(user),
            // The positions are the ones of `registration`.
            Outcome::Refused(positions) if positions.contains(&0) => {
                Err(Error::new(Code::UsernameTaken, "Username already registered"))
            }
            Outcome::Refused(_) => Err(Error::new(Code::EmailTaken, "Email already registered")),
        }
    }

    fn registration(&self, user: &User, session: &NewSession) -> Result<Vec<Write>> {
        let owner = serde_json::json!({ "user": user.id });
        let name = item_at(key::username(&user.username), "name", &owner)?;
        let email = item_at(key::email(&user.email), "email", &owner)?;
        let item = item_at(key::user(user.id), "user", &UserItem::from(user.clone()))?;
        let statistics = item_at(key::statistics(user.id), "statistics", &serde_json::json!({}))?;
        let counted = Expression::default().add("users", 1);
        Ok(vec![
            Write::create(&self.studio, name),
            Write::create(&self.studio, email),
            Write::create(&self.studio, item),
            Write::create(&self.studio, statistics),
            Write::create(&self.studio, session_item(user.id, session)?),
            Write::update(&self.studio, key::totals(random_below(key::SHARDS)), counted),
        ])
    }

    /// Finds the user with this id, read consistently; `None` once the account is being deleted.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        let item = self.find_item::<UserItem>(key::user(id)).await?;
        Ok(item.filter(|item| !item.leaving).map(User::from))
    }

    /// Finds the user with this name or address, and the failed and unverified guesses from `network`, with one
    /// consistent request. `before` is the number of the previous window, if guesses that were counted in it may still
    /// be under way at `now`.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_name_and_guesses(
        &self,
        login: &LoginName,
        network: &Network,
        before: Option<u64>,
        now: Millis,
    ) -> Result<NameAndGuesses> {
        #[derive(serde::Deserialize)]
        struct NameItem {
            user: UserId,
        }
        let window = before.map(|window| key::requests(&Requester::Network(network.clone()), window));
        let network = FailureCounter::From(network.clone());
        let keys = [key::login_name(login), network.key()].into_iter().chain(window);
        let mut found = self.find_items(keys.collect()).await?.into_iter();
        let mut next = || found.next().flatten();
        let name: Option<NameItem> = next().map(from_item).transpose()?;
        Ok(NameAndGuesses {
            owner: name.map(|name| name.user),
            failures: network.remembered(failures(&next().unwrap_or_default())?, now),
            under_way: guesses_under_way(&next().unwrap_or_default(), now),
        })
    }

    /// Counts a guess at the password of an account, and reads the account, with one request. A name that no user has
    /// takes as many requests as any other, so that the time does not reveal which names exist.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn begin_guess(
        &self,
        owner: Option<UserId>,
        login: &LoginName,
        now: Millis,
    ) -> Result<GuessedAccount> {
        if let Some(owner) = owner {
            let attempts = FailureCounter::OfUser(owner);
            let reserved = self.try_attempt(&attempts, now).await?;
            if let Some(item) = reserved.before {
                let item: UserItem = from_item(item)?;
                let user = (!item.leaving).then(|| User::from(item));
                return Ok(GuessedAccount { user, attempts, wait: reserved.wait });
            }
        }
        let attempts = FailureCounter::OfName(login.canonical());
        let wait = self.try_attempt(&attempts, now).await?.wait;
        Ok(GuessedAccount { user: None, attempts, wait })
    }

    /// The condition check that a credential is still valid, for transactions that must not succeed after it was
    /// revoked.
    pub(in crate::store) fn valid_credential_check(
        &self,
        user: UserId,
        credential: Credential,
        token_version: u64,
    ) -> Write {
        let id = text(credential.to_string());
        let counts = match credential {
            Credential::Session(_) => Expression::default()
                .when_equal("token_version", number(token_version))
                .when_contains("sessions", id),
            Credential::Key(_) => Expression::default().when_contains("keys", id),
        };
        Write::check(&self.studio, key::user(user), counts)
    }
}
