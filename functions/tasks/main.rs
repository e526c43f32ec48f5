//! Cold start of the function `tasks`.

use functions::start::StartError;
use functions::tasks::Tasks;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    Tasks::start().await?.serve().await
}
