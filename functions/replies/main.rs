//! Starts the function `replies`.

use functions::replies::Replies;
use functions::start::StartError;
use futures_util::FutureExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let replies = Replies::start().boxed_local().await?;
    replies.serve().boxed_local().await
}
