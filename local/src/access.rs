//! Access control of the internal listeners. Only the functions and the owner, who started the studio, can use them.
//!
//! Web pages, other users of the machine and other programs can also connect to loopback ports. So every internal
//! request contains a key that is created at each start: AWS calls as the access key id of their signature, calls of
//! the Runtime API in their path. Requests of browsers are refused by their `Origin` header or by a foreign `Host`.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
};

use http::{
    HeaderMap, Request, StatusCode,
    header::{AUTHORIZATION, HOST, ORIGIN},
};

use crate::{
    error::Error,
    http1::{self, Answer},
    permissions::Role,
    random::new_secret,
    template::FunctionDefinition,
};

/// The access key ids of one start. Cloning is cheap. The keys are never printed.
#[derive(Clone)]
pub(crate) struct AccessKeys(Arc<KeyTable>);

struct KeyTable {
    callers: HashMap<String, Caller>,
    by_function: BTreeMap<String, String>,
    owner: String,
}

impl std::fmt::Debug for AccessKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AccessKeys")
    }
}

/// The authenticated caller of an internal request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The role of a function. The owner has none and may do anything.
    role: Option<Arc<Role>>,
}

impl Caller {
    /// The error message of AWS if the caller may not do `action` to `resource`.
    pub(crate) fn refusal(&self, action: &str, resource: &str) -> Option<String> {
        self.role.as_ref()?.refusal(action, resource)
    }

    /// The name of the calling function.
    pub(crate) fn function(&self) -> Option<&str> {
        self.role.as_ref().map(|role| role.function())
    }
}

impl AccessKeys {
    /// Creates a key for each function, and one for the owner.
    pub(crate) fn new(functions: &[FunctionDefinition]) -> Result<Self, Error> {
        let owner = new_secret()?;
        let mut callers = HashMap::from([(owner.clone(), Caller { role: None })]);
        let mut by_function = BTreeMap::new();
        for function in functions {
            let key = new_secret()?;
            let role = Arc::new(Role::new(function));
            callers.insert(key.clone(), Caller { role: Some(role) });
            by_function.insert(function.name.clone(), key);
        }
        Ok(Self(Arc::new(KeyTable { callers, by_function, owner })))
    }

    /// The key of the owner.
    pub(crate) fn owner(&self) -> &str {
        &self.0.owner
    }

    /// The key of a function.
    pub(crate) fn of(&self, function: &str) -> Option<&str> {
        self.0.by_function.get(function).map(String::as_str)
    }

    fn caller(&self, key: &str) -> Option<Caller> {
        self.0.callers.get(key).cloned()
    }
}

/// Authenticates the requests of one internal listener.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    keys: AccessKeys,
    /// The accepted values of `Host`.
    authorities: [String; 2],
}

impl Door {
    /// Creates the access control of the listener on `address`.
    pub(crate) fn new(keys: &AccessKeys, address: SocketAddr) -> Self {
        let authorities = [address.to_string(), format!("localhost:{}", address.port())];
        Self { keys: keys.clone(), authorities }
    }

    /// The caller that signed an AWS call, or the answer that refuses it.
    pub(crate) fn signer<B>(&self, request: &Request<B>) -> Result<Caller, Box<Answer>> {
        self.admit(request, signing_key(request.headers()))
    }

    /// The caller whose key is in the path of a call of the Runtime API, or the answer that refuses it.
    pub(crate) fn runtime<B>(&self, request: &Request<B>) -> Result<Caller, Box<Answer>> {
        self.admit(request, request.uri().path().split('/').nth(1))
    }

    fn admit<B>(&self, request: &Request<B>, key: Option<&str>) -> Result<Caller, Box<Answer>> {
        if request.headers().contains_key(ORIGIN) || !self.is_addressed(request) {
            return Err(refused("ForbiddenException", "Forbidden"));
        }
        let invalid = || {
            refused("UnrecognizedClientException", "The security token included in the request is invalid.")
        };
        key.and_then(|key| self.keys.caller(key)).ok_or_else(invalid)
    }

    /// Whether a request names this listener and no other host. After DNS rebinding, a foreign name resolves to this
    /// machine.
    fn is_addressed<B>(&self, request: &Request<B>) -> bool {
        let is_ours = |host: &str| self.authorities.iter().any(|ours| ours.eq_ignore_ascii_case(host));
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        hosts.next().is_none()
            && host.is_some_and(is_ours)
            && request.uri().authority().is_none_or(|authority| is_ours(authority.as_str()))
    }
}

fn refused(kind: &'static str, message: &str) -> Box<Answer> {
    Box::new(http1::aws_error(StatusCode::FORBIDDEN, kind, message))
}

/// The access key id that signed a call.
fn signing_key(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
    signature.split_once("Credential=")?.1.split('/').next()
}
