//! Starts the function `sockets`.

use functions::sockets::Sockets;
use functions::start::StartError;
use futures_util::FutureExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let sockets = Sockets::start().boxed_local().await?;
    sockets.serve().boxed_local().await
}
