//! Secrets Manager: the secrets that the template names, and the API through which functions read them.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use http::{Request, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    access::Caller,
    clock,
    data_folder::{self, DataFolder},
    error::Error,
    http1::{self, Answer, Body},
    lambda::request_id,
    random::new_secret,
    sync::lock,
    template::{ACCOUNT, REGION, SecretName, Template},
};

/// The maximum size of a request.
const REQUEST_LIMIT: usize = 64 * 1024;
/// The suffix of a secret's ARN. The cloud uses six random letters.
const ARN_END: &str = "-studio";

/// The secrets of a studio. Cloning is cheap. The secrets are never printed.
#[derive(Clone)]
pub(crate) struct Secrets(Arc<SecretTable>);

struct SecretTable {
    by_name: Mutex<BTreeMap<String, Secret>>,
    /// The file of the stored secrets.
    file: Option<PathBuf>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets")
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Secret {
    current: Version,
    previous: Option<Version>,
    /// The value of the studio's variable with this name at the last start.
    set: Option<String>,
    /// Whether the secret is stored in the data folder. API keys of providers are not.
    #[serde(skip)]
    is_kept: bool,
    /// The reference to the secret in the template.
    #[serde(skip)]
    reference: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    id: String,
    value: String,
    created_ms: i64,
}

impl Version {
    fn new(value: String) -> Self {
        Self { id: request_id(), value, created_ms: clock::now_ms() }
    }
}

impl Secret {
    fn new(value: String) -> Self {
        let (current, reference) = (Version::new(value), String::new());
        Self { current, previous: None, set: None, is_kept: false, reference }
    }

    /// Makes `value` the current version, and the current version the previous one.
    fn rotate(&mut self, value: String) {
        if self.current.value != value {
            self.previous = Some(std::mem::replace(&mut self.current, Version::new(value)));
        }
    }

    /// A stored secret at the start of a studio: unchanged, unless its variable has changed since the last start.
    fn at_start(kept: Option<Self>, set: Option<&String>) -> Result<Self, Error> {
        let value = || set.cloned().map_or_else(new_secret, Ok);
        let mut secret = match kept {
            Some(kept) => kept,
            None => Self::new(value()?),
        };
        if let Some(value) = set.filter(|_| secret.set.as_ref() != set) {
            secret.rotate(value.clone());
        }
        secret.set = set.cloned();
        secret.is_kept = true;
        Ok(secret)
    }
}

impl Secrets {
    /// Provides the secrets that the template names. The value is that of the studio's variable with the same name.
    /// Without such a variable, a secret that the template generates has the value generated at the first start, and
    /// any other secret does not exist.
    pub(crate) fn provide(
        template: &Template,
        variables: &BTreeMap<String, String>,
        folder: Option<&DataFolder>,
    ) -> Result<Self, Error> {
        let file = folder.map(DataFolder::secrets);
        let mut kept: BTreeMap<String, Secret> = match &file {
            Some(file) => read_kept(file)?,
            None => BTreeMap::new(),
        };
        let mut by_name = BTreeMap::new();
        for SecretName { name, is_made, reference } in template.secret_names() {
            let set = variables.get(&name).filter(|value| !value.is_empty());
            let secret = match (is_made, set) {
                (true, set) => Secret::at_start(kept.remove(&name), set)?,
                (false, Some(value)) => Secret::new(value.clone()),
                (false, None) => continue,
            };
            by_name.insert(name, Secret { reference, ..secret });
        }
        let secrets = Self(Arc::new(SecretTable { by_name: Mutex::new(by_name), file }));
        secrets.keep(&lock(&secrets.0.by_name))?;
        Ok(secrets)
    }

    fn keep(&self, by_name: &BTreeMap<String, Secret>) -> Result<(), Error> {
        let Some(file) = &self.0.file else {
            return Ok(());
        };
        let kept: BTreeMap<_, _> = by_name.iter().filter(|(_, secret)| secret.is_kept).collect();
        data_folder::write_private(file, &json!(kept).to_string())
    }

    /// The ARN of a secret, if it exists.
    pub(crate) fn arn(&self, name: &str) -> Option<String> {
        lock(&self.0.by_name).contains_key(name).then(|| arn(name))
    }

    /// Rotates a secret to a new value.
    pub(crate) fn rotate(&self, name: &str, value: String) -> Result<(), Error> {
        let mut by_name = lock(&self.0.by_name);
        let secret = by_name.get_mut(name).ok_or_else(|| Error::UnknownSecret(name.to_owned()))?;
        secret.rotate(value);
        self.keep(&by_name)
    }

    /// Answers a call of the Secrets Manager API.
    pub(crate) async fn handle(&self, caller: &Caller, request: Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        if head.headers.get("x-amz-target").is_none_or(|target| target != "secretsmanager.GetSecretValue") {
            return answer(StatusCode::BAD_REQUEST, &json!({ "__type": "UnknownOperationException" }));
        }
        let body = http1::read_body(body, REQUEST_LIMIT).await.unwrap_or_default();
        match serde_json::from_slice::<Wanted>(&body) {
            Ok(wanted) => self.get(&wanted, caller),
            Err(_) => refusal("ValidationException", "SecretId must be text"),
        }
    }

    fn get(&self, wanted: &Wanted, caller: &Caller) -> Answer {
        let by_name = lock(&self.0.by_name);
        let found =
            by_name.iter().find(|(name, _)| **name == wanted.secret_id || arn(name) == wanted.secret_id);
        let Some((name, secret)) = found else {
            return refusal(NOT_FOUND, "Secrets Manager can't find the specified secret.");
        };
        let denied = caller.refusal("secretsmanager:GetSecretValue", &secret.reference);
        if let Some(denied) = denied {
            return refusal("AccessDeniedException", &denied);
        }
        let stage = wanted.version_stage.as_deref().unwrap_or(CURRENT);
        let version = match stage {
            CURRENT => Some(&secret.current),
            PREVIOUS => secret.previous.as_ref(),
            _ => None,
        };
        let is_wanted = |version: &&Version| wanted.version_id.as_ref().is_none_or(|id| *id == version.id);
        let Some(version) = version.filter(is_wanted) else {
            let message =
                format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
            return refusal(NOT_FOUND, &message);
        };
        let body = json!({
            "ARN": arn(name),
            "Name": name,
            "VersionId": version.id,
            "SecretString": version.value,
            "VersionStages": [stage],
            "CreatedDate": version.created_ms / 1000,
        });
        answer(StatusCode::OK, &body)
    }
}

fn read_kept(file: &Path) -> Result<BTreeMap<String, Secret>, Error> {
    let Some(text) = data_folder::read_private(file)? else {
        return Ok(BTreeMap::new());
    };
    let parsed = serde_json::from_str(&text);
    parsed.map_err(|error| Error::DataFolder { path: file.to_owned(), source: error.into() })
}

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const NOT_FOUND: &str = "ResourceNotFoundException";

/// A request of `GetSecretValue`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wanted {
    /// A name or an ARN.
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}{ARN_END}")
}

fn refusal(kind: &str, message: &str) -> Answer {
    answer(StatusCode::BAD_REQUEST, &json!({ "__type": kind, "Message": message }))
}

fn answer(status: StatusCode, body: &Value) -> Answer {
    let mut answer = http1::json(status, body.to_string());
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/x-amz-json-1.1"));
    answer
}

/// Checks a secret for signing tokens. Functions would refuse to start with a weak one.
pub(crate) fn check_signing(secret: &str) -> Result<(), Error> {
    let characters: std::collections::BTreeSet<char> = secret.chars().collect();
    if secret.len() >= 32 && characters.len() >= 10 {
        return Ok(());
    }
    let rule = "SECRET_KEY must have at least 32 random bytes; generate one with `openssl rand -hex 32`";
    Err(Error::Setting(rule.to_owned()))
}
