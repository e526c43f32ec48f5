//! The process of an instance.

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

/// The settings with which the instances of a function start.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    /// The environment, without the variables that differ between instances.
    pub(crate) variables: Vec<(String, String)>,
    /// `HOST:PORT` of the Runtime API, with the access key id of the function as path. An instance receives it as a URL
    /// with its number appended, which identifies its calls. Lambda passes only `HOST:PORT`; the Rust runtime accepts
    /// both.
    pub(crate) runtime_api: String,
    /// The process group of the [`Guardian`], which ends its members when the studio ends.
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

/// Waits for the end of `child`. A notification of `kill` kills it.
pub(crate) async fn wait(mut child: Child, kill: Arc<Notify>) -> io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        () = kill.notified() => {}
    }
    child.start_kill()?;
    child.wait().await
}

/// Ends all instances when the studio ends, even if the studio is killed.
///
/// A shell waits for the end of its input, which only the studio holds open. It then kills its process group, to which
/// all instances belong. Without it, instances that are handling an event would continue. (Idle instances end by
/// themselves when the Runtime API disappears.)
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: std::process::Child,
}

impl Guardian {
    /// Starts the guardian. On a machine without a shell there is no guardian, and instances end only when the studio
    /// stops properly.
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

    /// The process group for instances.
    pub(crate) fn group(&self) -> Option<i32> {
        self.shell.id().try_into().ok()
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // At the end of its input, the shell kills the group, including itself.
        drop(self.shell.stdin.take());
        self.shell.wait().ok();
    }
}
