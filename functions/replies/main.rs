//! Cold start of the function `replies`.

use functions::replies::Replies;
use functions::start::StartError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    Replies::start().await?.serve().await
}
