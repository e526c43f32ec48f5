//! Cold start of the function `sockets`.

use functions::sockets::Sockets;
use functions::start::StartError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    Sockets::start().await?.serve().await
}
