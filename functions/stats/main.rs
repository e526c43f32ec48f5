//! Cold start of the function `stats`.

use functions::start::StartError;
use functions::stats::Stats;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    shared::http::serve(Stats::start().await?).await
}
