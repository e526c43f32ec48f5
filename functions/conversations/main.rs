//! Cold start of the function `conversations`.

use functions::conversations::Conversations;
use functions::start::StartError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    shared::http::serve(Conversations::start().await?).await
}
