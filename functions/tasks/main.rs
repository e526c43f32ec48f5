//! Starts the function `tasks`.

use functions::start::StartError;
use functions::tasks::Tasks;
use futures_util::FutureExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let tasks = Tasks::start().boxed_local().await?;
    tasks.serve().boxed_local().await
}
