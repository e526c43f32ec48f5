//! Parameters that many routes have.

use shared::domain::{ConversationId, MessageId};
use utoipa::IntoParams;

/// Makes a set of parameters that handlers read by name.
macro_rules! parameters {
    ($(#[$about:meta])* $place:ident $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(IntoParams)]
        #[into_params(parameter_in = $place)]
        #[expect(dead_code, reason = "it tells the document of what handlers read by name")]
        pub(crate) struct $name {
            $($(#[$doc])* $field: $kind,)*
        }
    };
}

parameters!(
    /// The path of a conversation.
    Path ConversationPath {
        /// The conversation's id.
        id: ConversationId,
    }
);

parameters!(
    /// The path of a message.
    Path MessagePath {
        /// The conversation's id.
        id: ConversationId,
        /// The message's id.
        #[param(rename = "messageId")]
        message_id: MessageId,
    }
);

parameters!(
    /// Where a paged answer goes on.
    Query Cursor {
        /// From the `Link` of the page before, which holds the other parameters too: it is good for that list alone.
        cursor: Option<String>,
    }
);

parameters!(
    /// A change of what the client saw.
    Header IfMatch {
        /// The `ETag` of the conversation as it was read: when it has changed since, nothing is done (412).
        #[param(rename = "If-Match", nullable = false, example = "\"5.01KAN7T5X1Q8ZJ4W6Y9B3C2D0E\"")]
        if_match: Option<String>,
    }
);

parameters!(
    /// A read of what the client may have.
    Header IfNoneMatch {
        /// The `ETag` of what the client has: when that is what there is, the answer is 304.
        #[param(rename = "If-None-Match", nullable = false, example = "\"5.01KAN7T5X1Q8ZJ4W6Y9B3C2D0E\"")]
        if_none_match: Option<String>,
    }
);

parameters!(
    /// A request that has an effect only once.
    Header IdempotencyKey {
        /// For 24 h the same request under the same key gets what the first one made; another one is refused (422).
        #[param(rename = "Idempotency-Key", nullable = false, min_length = 1, max_length = 128, pattern = "^[!-~]{1,128}$", example = "1f0c9a")]
        idempotency_key: Option<String>,
    }
);

parameters!(
    /// How the client likes to be answered.
    Header Prefer {
        /// `respond-async`: a stored turn is answered at once.
        #[param(rename = "Prefer", nullable = false, example = "respond-async")]
        prefer: Option<String>,
    }
);
