//! The stream of pieces in which a model's reply arrives.

use futures_util::stream::BoxStream;

use super::ModelFailure;
use crate::domain::{ModelName, Usage};

/// The stream of a reply. The last piece is [`Piece::End`] or [`Piece::Failed`]. Dropping the stream ends the request.
pub type Pieces = BoxStream<'static, Piece>;

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A request is sent to a provider, which may charge for it from now on.
    Asked,
    /// The provider rejected the request or could not be reached, so nothing is charged so far.
    Refused,
    /// Another model answers than the one that was asked.
    Model {
        /// The model that answers.
        id: ModelName,
        /// How many more of the oldest messages did not fit into its context window.
        left_out: usize,
        /// An estimate of the tokens that it reads.
        read: u64,
    },
    /// The next text of the reply. It is never empty.
    Text {
        /// The text.
        text: String,
        /// An estimate of its tokens.
        tokens: u64,
    },
    /// The next text of the model's reasoning, which is not part of the reply.
    Reasoning {
        /// The text.
        text: String,
        /// An estimate of its tokens.
        tokens: u64,
    },
    /// What the provider has counted so far.
    Counted(Usage),
    /// The reply ended.
    End {
        /// Why it ended.
        finish: Finish,
        /// What the provider has counted, if it has counted all output.
        usage: Option<Usage>,
    },
    /// The reply failed or was interrupted.
    Failed(ModelFailure),
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model finished its answer.
    Stop,
    /// The reply reached the most tokens.
    Length,
    /// The provider's content filter withheld the rest.
    Filtered,
}
