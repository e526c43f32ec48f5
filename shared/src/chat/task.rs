//! The tasks of the function `replies`, which its callers invoke asynchronously.

use serde::{Deserialize, Serialize};

use crate::domain::{ConnectionId, ReplyPlace};

/// A task for the function `replies`. It carries only ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReplyTask {
    /// Makes a reply.
    MakeReply {
        /// The reply.
        place: ReplyPlace,
    },
    /// Generates the title of a conversation.
    Title {
        /// The first reply of the conversation.
        place: ReplyPlace,
    },
    /// Tells a connection that it is authenticated.
    Greet {
        /// The connection.
        connection: ConnectionId,
    },
}
