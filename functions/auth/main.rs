//! Cold start of the function `auth`.

use functions::auth::Auth;
use functions::start::StartError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    shared::http::serve(Auth::start().await?).await
}
