//! Users: registered once, found by id and by name.

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

/// What registration stores.
pub struct NewUser {
    /// A new id.
    pub id: UserId,
    /// A name that nobody has.
    pub username: Username,
    /// An address that nobody has.
    pub email: Email,
    /// Now.
    pub created_at: Millis,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// The first session, which begins with the registration.
    pub session: NewSession,
}

/// Somebody at whose password there is a guess, or nobody, which looks the same from outside.
pub struct GuessedAccount {
    /// Somebody, as read consistently.
    pub user: Option<User>,
    /// What guesses at the password are counted for.
    pub attempts: FailureCounter,
    /// How many seconds to wait; none when the guess was counted, and may be judged.
    pub wait: Option<u64>,
}

/// What is known before a guess at a password is counted for its account.
pub struct NameAndGuesses {
    /// Whose the name is, if it is somebody's.
    pub owner: Option<UserId>,
    /// Failures of the network that are not forgotten.
    pub failures: Failures,
    /// Guesses of the network in the window before that nobody has judged yet.
    pub under_way: u64,
}

impl Store {
    /// Registers a user. Of two at once with the same name or the same address, exactly one wins.
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
            // The positions are those of `registration`.
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

    /// The user with this id, read consistently; none as soon as the account is being deleted.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        let item = self.find_item::<UserItem>(key::user(id)).await?;
        Ok(item.filter(|item| !item.leaving).map(User::from))
    }

    /// Whom this name or address stands for, whatever its case, and what is held against those who guess from `network`: one request,
    /// read consistently. `before` is a window whose guesses may be under way at `now`.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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

    /// Counts a guess at `now` at the password of the account with this name or address, and reads whose it is, by one request: a name
    /// that nobody has takes as many as one that somebody has.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
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

    /// The condition that a credential still counts, for writes that must not escape its end.
    pub(in crate::store) fn credential_counts(
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
