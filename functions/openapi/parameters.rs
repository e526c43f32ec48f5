//! Parameters that several routes have.

use shared::domain::{ConversationId, MessageId};
use utoipa::IntoParams;

/// Defines a set of parameters for the document. Handlers read them by name.
macro_rules! parameters {
    ($(#[$about:meta])* $place:ident $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(IntoParams)]
        #[into_params(parameter_in = $place)]
        #[expect(dead_code, reason = "the document uses these fields; handlers read the parameters by name")]
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
    /// The position in a list.
    Query Cursor {
        /// From the `Link` header of the previous page. Valid only for that list.
        cursor: Option<String>,
    }
);

parameters!(
    /// The version that the client wants to change.
    Header IfMatch {
        /// The `ETag` of the conversation as the client read it. If the conversation has changed since, nothing is done
        /// (412).
        #[param(rename = "If-Match", nullable = false, example = "\"5.01KAN7T5X1Q8ZJ4W6Y9B3C2D0E\"")]
        if_match: Option<String>,
    }
);

parameters!(
    /// The version that the client has.
    Header IfNoneMatch {
        /// The `ETag` of the version that the client has. If it is still current, the answer is 304.
        #[param(rename = "If-None-Match", nullable = false, example = "\"5.01KAN7T5X1Q8ZJ4W6Y9B3C2D0E\"")]
        if_none_match: Option<String>,
    }
);

parameters!(
    /// A key that makes a request safe to repeat.
    Header IdempotencyKey {
        /// For 24 h, the same request with the same key returns the result of the first one. Another request with this
        /// key is refused (422).
        #[param(rename = "Idempotency-Key", nullable = false, min_length = 1, max_length = 128, pattern = "^[!-~]{1,128}$", example = "1f0c9a")]
        idempotency_key: Option<String>,
    }
);

parameters!(
    /// The kind of answer that the client prefers.
    Header Prefer {
        /// `respond-async`: a stored turn is answered at once with 202.
        #[param(rename = "Prefer", nullable = false, example = "respond-async")]
        prefer: Option<String>,
    }
);
