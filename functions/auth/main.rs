//! Cold start of the function `auth`.

use functions::auth::Auth;
use functions::start::StartError;

#[tokio::main]
async fn main() -> Result<(), StartError> {
    shared::http::serve(Auth::start().await?).await
}
