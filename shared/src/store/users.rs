//! Users: registered once, found by id and by name.

use std::collections::BTreeSet;

use super::expression::{Expression, Write, number, text};
use super::items::{UserItem, item_at};
use super::transaction::{Outcome, failed, from_item, random_below};
use super::{Attempts, NewSession, Store, key};
use crate::domain::usage::OwnBudget;
use crate::domain::{Credential, Email, Failures, Millis, User, UserId, Username};
use crate::error::{Code, Error, Result};

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

/// What stands behind a name: somebody, or nobody, which looks the same from outside.
pub struct Account {
    /// Somebody.
    pub user: Option<User>,
    /// What guesses at the password are counted for.
    pub attempts: Attempts,
    /// How many there were.
    pub failures: Failures,
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
            self.new_session(user.id, session)?,
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

    /// The account that this name stands for, whatever its case, read consistently. A name that nobody has takes as many
    /// reads as one that somebody has.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_account(&self, username: &Username) -> Result<Account> {
        #[derive(serde::Deserialize)]
        struct NameItem {
            user: UserId,
        }
        let unknown = || Attempts::OfName(username.canonical());
        let Some(name) = self.find_item::<NameItem>(key::username(username)).await? else {
            let failures = self.find_failures(&unknown()).await?;
            return Ok(Account { user: None, attempts: unknown(), failures });
        };
        let user = self.find_user(name.user).await?;
        Ok(match user {
            Some(user) => {
                Account { attempts: Attempts::OfUser(user.id), failures: user.failures, user: Some(user) }
            }
            // It is deleted at this moment.
            None => Account { user: None, attempts: unknown(), failures: Failures::default() },
        })
    }

    /// One item of the studio table, read consistently.
    pub(super) async fn find_item<T: serde::de::DeserializeOwned>(&self, key: key::Key) -> Result<Option<T>> {
        let request = self.client.get_item().table_name(&self.studio).set_key(Some(key.attributes()));
        let answer = request.consistent_read(true).send().await.map_err(failed)?;
        answer.item.map(from_item).transpose()
    }

    /// The condition that a credential still counts, for writes that must not escape its end.
    pub(super) fn credential_counts(
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
