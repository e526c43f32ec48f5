//! The only door to DynamoDB. Each operation says what it promises when others work at the same time.

mod api_keys;
mod attempts;
mod batch;
mod branches;
mod bulk;
mod checkpoints;
mod completion;
mod connections;
mod control;
mod conversation_items;
mod conversations;
mod costs;
mod deletion;
mod departure;
mod edits;
mod endings;
mod expression;
mod filing;
mod held;
mod importing;
mod items;
mod key;
mod known_turns;
mod limits;
mod listing;
mod mail_tokens;
mod message_changes;
mod messages;
mod orphans;
mod own_account;
mod packing;
mod profile;
mod query;
mod raising;
mod reading;
mod records;
mod regeneration;
mod replacement;
mod replies;
mod requests;
mod revision;
mod rotation;
mod second_factor;
mod sessions;
mod statistics;
mod strangers;
mod tickets;
mod totals;
mod transaction;
mod tree;
mod turns;
mod unfinished;
mod usage;
mod users;
mod version;
mod whole;

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;

pub use api_keys::{KeyOwner, NewKey};
pub use attempts::Attempts;
pub use connections::{Connection, Owner, Watcher, Windows};
pub use control::{Found, SoFar};
pub use costs::{CostLimits, Costs};
pub use departure::Departure;
pub use endings::{Ending, Farewell};
pub use held::Held;
pub use importing::{ImportOutcome, Imported};
pub use limits::LONGEST_GUESS_SECONDS;
pub use listing::{Filter, ListPage, ListPlace, Listed};
pub use mail_tokens::{MailToken, Purpose};
pub use message_changes::RevisedMessage;
pub use messages::{Follows, NewMessage, ShownMessage};
pub use raising::Raised;
pub use reading::{MessagePlace, Part, Placed, Wanted};
pub use records::Records;
pub use regeneration::Regeneration;
pub use replacement::Replacement;
pub use replies::{Flags, Lease, ReplyPlace};
pub use requests::{IdempotencyKey, Made, Once};
pub use revision::Revised;
pub use rotation::Rotation;
pub use sessions::{Begun, NewSession, Proof};
pub use statistics::Statistics;
pub use strangers::Stranger;
pub use totals::Totals;
pub use turns::{Granted, LooseTurn, StartedTurn, StoredTurn, Terms};
pub use usage::{Booked, Charge, DayUsage, Reservation};
pub use users::{Account, NameAndGuesses, NewUser};
pub use version::{Expected, Version};

use crate::config::NoSdkUserAgent;

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
        let config = aws_sdk_dynamodb::config::Builder::from(aws).interceptor(NoSdkUserAgent).build();
        let (studio, connections) = (studio_table, connections_table);
        Self { client: Client::from_conf(config), studio, connections, quota: None }
    }

    /// This store, with a limit in bytes on what the conversations of a user take. The end of a reply is always stored.
    #[must_use]
    pub fn with_quota(self, quota: Option<u64>) -> Self {
        Self { quota, ..self }
    }
}
