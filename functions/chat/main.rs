//! Starts the function `chat`.

use functions::chat::Chat;
use functions::start::StartError;
use futures_util::FutureExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let group = Chat::start().boxed_local().await?;
    shared::http::serve(group).boxed_local().await
}
