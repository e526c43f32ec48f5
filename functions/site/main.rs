//! Cold start of the function `site`.

use functions::site::Site;
use functions::start::StartError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    shared::http::serve(Site::start().await?).await
}
