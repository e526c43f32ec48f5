//! Starts the function `conversations`.

use functions::conversations::Conversations;
use functions::start::StartError;
use futures_util::FutureExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let group = Conversations::start().boxed_local().await?;
    shared::http::serve(group).boxed_local().await
}
