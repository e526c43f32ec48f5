//! Starts the function `stats`.

use functions::start::StartError;
use functions::stats::Stats;
use futures_util::FutureExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let group = Stats::start().boxed_local().await?;
    shared::http::serve(group).boxed_local().await
}
