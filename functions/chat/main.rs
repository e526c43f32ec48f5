//! Cold start of the function `chat`.

use functions::chat::Chat;
use functions::start::StartError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    shared::http::serve(Chat::start().await?).await
}
