//! AWS Lambda: the functions, the Runtime API that their instances use, and the Invoke API.

mod asynchronous;
mod function;
mod instance;
pub(crate) mod invoke_api;
mod logs;
mod outcome;
mod pool;
mod process;
pub(crate) mod runtime_api;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;

pub(crate) use asynchronous::Asynchronous;
pub(crate) use function::{Function, outcome};
pub use outcome::InvokeError;
pub(crate) use outcome::{ASYNCHRONOUS_LIMIT, Outcome};
pub(crate) use process::Guardian;

use crate::{
    access::AccessKeys,
    error::Error,
    options::Options,
    queues::Consumer,
    template::{ACCOUNT, FunctionDefinition, REGION},
};
use function::Parts;
use logs::Logs;
use process::Launch;

/// How often deadlines are checked. An event may take this much longer than the timeout of its function.
const SWEEP: Duration = Duration::from_millis(25);
/// How long a studio waits for killed instances to end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The functions of a studio.
#[derive(Debug)]
pub(crate) struct Functions {
    by_name: BTreeMap<String, Arc<Function>>,
    consumers: Vec<Consumer>,
    instance_idle: Duration,
}

/// The addresses of the services that functions use.
pub(crate) struct Surroundings<'a> {
    /// `HOST:PORT` of the Runtime API, the Invoke API, Secrets Manager and SES.
    pub(crate) internal: &'a str,
    pub(crate) dynamodb_url: &'a str,
    pub(crate) keys: &'a AccessKeys,
    pub(crate) group: Option<i32>,
}

impl Functions {
    /// Creates the functions of the template, without starting a process.
    pub(crate) fn new(
        definitions: Vec<FunctionDefinition>,
        surroundings: &Surroundings<'_>,
        options: &Options,
    ) -> Result<Self, Error> {
        let (mut by_name, mut consumers) = (BTreeMap::new(), Vec::new());
        for mut definition in definitions {
            let binary =
                options.binaries.join(format!("{}{}", definition.binary, std::env::consts::EXE_SUFFIX));
            if !binary.is_file() {
                return Err(Error::MissingBinary { function: definition.name, path: binary });
            }
            let sources = std::mem::take(&mut definition.queues);
            let function = function_of(definition, &binary, surroundings, options);
            consumers
                .extend(sources.into_iter().map(|source| Consumer { source, function: function.clone() }));
            by_name.insert(function.name.clone(), function);
        }
        Ok(Self { by_name, consumers, instance_idle: options.limits.instance_idle })
    }

    /// The function with this name, ARN or executable.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Function>> {
        let name = name.rsplit(':').next().unwrap_or(name);
        self.by_name.get(name).or_else(|| self.by_name.values().find(|function| function.binary == name))
    }

    /// All functions, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.by_name.values()
    }

    /// The functions that consume a queue.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.consumers.iter()
    }

    /// Enforces deadlines and ends idle instances. Never returns.
    pub(crate) async fn sweep(&self) {
        let mut tick = tokio::time::interval(SWEEP);
        loop {
            tick.tick().await;
            for function in self.iter() {
                function.sweep(self.instance_idle);
            }
        }
    }

    /// Kills all instances and waits until they have ended.
    pub(crate) async fn stop(&self) {
        for function in self.iter() {
            function.stop();
        }
        let gone = async {
            while self.iter().any(|function| !function.pids().is_empty()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(EXIT_TIMEOUT, gone).await.ok();
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        for function in self.iter() {
            function.stop();
        }
    }
}

/// A new request id in the format of AWS.
pub(crate) fn request_id() -> String {
    let bits = fastrand::u128(..);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xfff,
        ((bits >> 48) & 0x3fff) | 0x8000,
        bits & 0xffff_ffff_ffff
    )
}

fn function_of(
    definition: FunctionDefinition,
    binary: &Path,
    surroundings: &Surroundings<'_>,
    options: &Options,
) -> Arc<Function> {
    let key = surroundings.keys.of(&definition.name).unwrap_or_default();
    let variables = environment(&definition, key, surroundings, options);
    let parts = Parts {
        arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", definition.name),
        binary: definition.binary,
        timeout: definition.timeout,
        asynchronous: definition.asynchronous,
        logs: Arc::new(Logs::new(definition.name.clone(), options.echo)),
        launch: Launch {
            binary: binary.to_owned(),
            variables,
            runtime_api: format!("{}/{key}", surroundings.internal),
            group: surroundings.group,
        },
        name: definition.name,
    };
    Function::new(parts, &options.limits)
}

/// The environment of a function as Lambda sets it. Nothing is inherited from the environment of the studio.
fn environment(
    definition: &FunctionDefinition,
    key: &str,
    surroundings: &Surroundings<'_>,
    options: &Options,
) -> Vec<(String, String)> {
    let memory = definition.memory_mb.to_string();
    let log_group = format!("/aws/lambda/{}", definition.name);
    let internal_url = format!("http://{}", surroundings.internal);
    let fixed = [
        // This key authenticates the function and gives it its permissions.
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ENDPOINT_URL_DYNAMODB", surroundings.dynamodb_url),
        ("AWS_ENDPOINT_URL_LAMBDA", internal_url.as_str()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", internal_url.as_str()),
        ("AWS_ENDPOINT_URL_SESV2", internal_url.as_str()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_rust"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", definition.name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    let given = definition.variables.iter().chain(&options.extra_variables);
    fixed
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .chain(given.map(|(name, value)| (name.clone(), value.clone())))
        .collect()
}

/// Whether these bytes are one JSON value.
pub(crate) fn is_json(bytes: &Bytes) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}
