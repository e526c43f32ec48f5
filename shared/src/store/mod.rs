//! The only door to DynamoDB. Each operation says what it promises when others work at the same time.

mod accounts;
mod connections;
mod conversations;
mod dynamo;
mod idempotency;
mod key;
mod limits;
mod messages;
mod replies;
mod stats;

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;

pub use accounts::api_keys::{KeyOwner, NewKey};
pub use accounts::deletion::DeletionState;
pub use accounts::export::UserRecords;
pub use accounts::mail_tokens::{MailToken, Purpose};
pub use accounts::refresh_rotation::Rotation;
pub use accounts::sessions::{CredentialProof, NewSession, SessionOutcome};
pub use accounts::users::{GuessedAccount, NameAndGuesses, NewUser};
pub use connections::{Connection, UserConnections, Watcher};
pub use conversations::import::create::{ImportOutcome, Imported};
pub use conversations::list::{Filter, ListPage, ListPlace, Listed};
pub use conversations::read::{ConversationPart, MessagePlace, PartRequest, PlacedMessage};
pub use conversations::replace::Replacement;
pub use conversations::update::ConversationUpdate;
pub use idempotency::Creation;
pub use limits::costs::{CostLimits, Costs};
pub use limits::login_attempts::FailureCounter;
pub use limits::requests::LONGEST_GUESS_SECONDS;
pub use limits::unauthenticated::UnauthenticatedConnection;
pub use messages::append::{NewMessage, ShownMessage};
pub use messages::update::MessageUpdate;
pub use replies::control::{FoundReply, ReplySnapshot};
pub use replies::finish::FinishOutcome;
pub use replies::item::{Lease, WorkerFlags};
pub use replies::raise::Raised;
pub use replies::regenerate::Regeneration;
pub use replies::start::{Granted, LooseTurn, StartedTurn, StoredTurn, Terms};
pub use stats::studio::Totals;
pub use stats::usage::{Booked, DayUsage};
pub use stats::user::Statistics;

/// A client of both tables. Cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    client: Client,
    studio: String,
    connections: String,
    /// How many bytes the conversations of a user may take.
    quota: Option<u64>,
}

impl Store {
    /// A store over the tables with these names. A function that keeps no connections names no table for them.
    #[must_use]
    pub fn connect(aws: &SdkConfig, studio_table: String, connections_table: String) -> Self {
        Self { client: Client::new(aws), studio: studio_table, connections: connections_table, quota: None }
    }

    /// This store, with a limit in bytes on what the conversations of a user take. The end of a reply is always stored.
    #[must_use]
    pub fn with_quota(self, quota: Option<u64>) -> Self {
        Self { quota, ..self }
    }
}
