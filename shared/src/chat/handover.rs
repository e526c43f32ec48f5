//! The work of the function `replies`, which does it after its caller has answered.

use serde::{Deserialize, Serialize};

use crate::domain::{ConnectionId, ReplyPlace};

/// What the function `replies` is invoked with: ids only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case", deny_unknown_fields)]
pub enum Task {
    /// Make the reply that stands here.
    MakeReply {
        /// Where it stands.
        place: ReplyPlace,
    },
    /// Give the conversation that began with this reply a title.
    Title {
        /// Where the reply stands.
        place: ReplyPlace,
    },
    /// Tell a connection that it is authenticated.
    Greet {
        /// Which one.
        connection: ConnectionId,
    },
}
