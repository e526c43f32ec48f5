//! Cold start of the function `site`.

use functions::site::Site;
use functions::start::StartError;
use futures_util::FutureExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let group = Site::start().boxed_local().await?;
    shared::http::serve(group).boxed_local().await
}
