//! All access to DynamoDB. The documentation of each operation says what it promises when several requests run at the
//! same time.
//!
//! Words that the whole module uses:
//!
//! - *Revision*: a random name that a conversation and its messages share. Readers ignore messages of other revisions,
//!   so a new set of messages can be written (staged) before one transaction makes its revision the current one.
//! - *Shell*: the item in the place of a conversation that is being created in several steps. Readers see no
//!   conversation.
//! - *Tombstone*: the item in the place of a deleted conversation. It keeps late writes from bringing the conversation
//!   back, and names what is left to be deleted.
//! - *Cleanup intent*: an item that is written before or together with the first step of an operation that takes
//!   several. If the process dies, a later request of the same user finds the intent and deletes what no reader sees.
//! - *Reservation*: the amount of a user's daily budget that is set aside for a reply until the reply is settled.

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
pub use conversations::import::create::{ImportOutcome, ImportedConversation};
pub use conversations::list::{ListFilter, ListItem, ListPage, ListPlace};
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
pub use stats::usage::{DayUsage, ModelUsage};
pub use stats::user::Statistics;

/// The store: a client of both tables. Cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    client: Client,
    studio: String,
    connections: String,
    /// How many bytes the conversations of a user may take; `None` means no limit.
    quota: Option<u64>,
}

impl Store {
    /// Creates a store over the tables with these names. `connections_table` is empty in functions that do not use
    /// connections.
    #[must_use]
    pub fn connect(aws: &SdkConfig, studio_table: String, connections_table: String) -> Self {
        Self { client: Client::new(aws), studio: studio_table, connections: connections_table, quota: None }
    }

    /// This store with a limit, in bytes, on the conversations of a user. The end of a reply is stored even beyond the
    /// limit.
    #[must_use]
    pub fn with_quota(self, quota: Option<u64>) -> Self {
        Self { quota, ..self }
    }
}
