//! The process of one instance.

use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use tokio::{
    process::{Child, Command},
    sync::Notify,
};

/// How the instances of one function are started.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    /// The whole environment but what differs from instance to instance.
    pub(crate) variables: Vec<(String, String)>,
    /// `HOST:PORT` of the Runtime API, and the function's access key id as a path. An instance is given it as a URL, with its
    /// number behind it, which tells its calls from those of others; Lambda gives `HOST:PORT` alone, but the Rust runtime reads
    /// either.
    pub(crate) runtime_api: String,
    /// The process group of the studio's [`Guardian`], which ends its members with the studio.
    pub(crate) group: Option<i32>,
}

impl Launch {
    /// Starts the process of instance `instance`.
    pub(crate) fn spawn(&self, instance: u64, log_stream: &str) -> io::Result<Child> {
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", log_stream)
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{}/{instance}", self.runtime_api))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        if let Some(group) = self.group {
            command.process_group(group);
        }
        command.spawn()
    }
}

/// Waits for the end of `child`, which `kill` brings about.
pub(crate) async fn wait(mut child: Child, kill: Arc<Notify>) -> io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        () = kill.notified() => {}
    }
    child.start_kill()?;
    child.wait().await
}

/// Ends every instance when the studio is gone, however it went.
///
/// A shell waits for the end of its input, which only the studio holds open, and then kills the process group
/// it leads and every instance is a member of. So nothing stays behind even when the studio itself is killed
/// with an event in flight. (An instance at rest ends by itself when the Runtime API goes away.)
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: std::process::Child,
}

impl Guardian {
    /// Starts the guardian. Without a shell there is none, and then only an orderly end ends the instances.
    pub(crate) fn start() -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            let shell = std::process::Command::new("/bin/sh")
                .args(["-c", "read -r line; kill -KILL 0"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn();
            shell.ok().map(|shell| Self { shell })
        }
        #[cfg(not(unix))]
        None
    }

    /// The process group to start instances in.
    pub(crate) fn group(&self) -> Option<i32> {
        self.shell.id().try_into().ok()
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // Closing its input makes it kill the group, itself included.
        drop(self.shell.stdin.take());
        self.shell.wait().ok();
    }
}
