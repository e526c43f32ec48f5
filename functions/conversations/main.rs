//! Cold start of the function `conversations`.

use functions::conversations::Conversations;
use functions::start::StartError;

#[tokio::main]
async fn main() -> Result<(), StartError> {
    shared::http::serve(Conversations::start().await?).await
}
