//! The studio that the tests of one process share.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;

use local::{Options, Studio};
use tokio::runtime::Builder;

use super::studio::options;

/// The shared studio; the first call starts it. It lives as long as the process, on a runtime of its own, because the
/// runtime of a test ends with the test.
pub(super) fn shared() -> &'static Studio {
    static SHARED: OnceLock<Studio> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (started, studio) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                started.send(Studio::start(options(Options::default())).await).expect("a waiting test");
                std::future::pending::<()>().await;
            });
        });
        studio.recv().expect("an answer").expect("the shared studio starts")
    })
}

/// An address of this machine that no other test of this process uses: the studio counts failed logins and the like for
/// each address.
pub(super) fn own_address() -> IpAddr {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let [_, high, middle, low] = LAST.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 100 + high, middle, low.wrapping_add(1)).into()
}

/// A username that no other test has, in any process.
pub(super) fn unique(name: &str) -> String {
    format!("{name}-{:08x}", RandomState::new().hash_one(name) >> 32)
}
