//! Who may use the internal listeners: the functions of this start, and whoever started the studio.
//!
//! A web page, another user of the machine or a program that guesses a port can connect to a port of loopback, too. So every
//! internal request carries a key that is made at each start: AWS calls as the access key id they are signed with, calls of the
//! Runtime API in their path. No page of a browser gets that far: a foreign `Host` and any `Origin` are refused first.

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

/// The access key ids of one start. A clone has the same ones. They are never printed.
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

/// Who makes an internal call. There is one only where a request has shown an access key id.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Whoever started the studio has none, and may do anything.
    role: Option<Arc<Role>>,
}

impl Caller {
    /// Says why the caller may not do `action` to `resource`, in the words of AWS.
    pub(crate) fn refusal(&self, action: &str, resource: &str) -> Option<String> {
        self.role.as_ref()?.refusal(action, resource)
    }

    /// The name of the function that calls.
    pub(crate) fn function(&self) -> Option<&str> {
        self.role.as_ref().map(|role| role.function())
    }
}

impl AccessKeys {
    /// Makes a key for each function, and one for whoever starts the studio.
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

    /// The key of whoever started the studio.
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

/// The door of one internal listener.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    keys: AccessKeys,
    /// What `Host` may be.
    authorities: [String; 2],
}

impl Door {
    /// The door of the listener on `address`.
    pub(crate) fn new(keys: &AccessKeys, address: SocketAddr) -> Self {
        let authorities = [address.to_string(), format!("localhost:{}", address.port())];
        Self { keys: keys.clone(), authorities }
    }

    /// Who signed an AWS call; for everybody else, the answer that refuses it.
    pub(crate) fn signer<B>(&self, request: &Request<B>) -> Result<Caller, Box<Answer>> {
        self.admit(request, signing_key(request.headers()))
    }

    /// Whose key a call of the Runtime API has in its path; for everybody else, the answer that refuses it.
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

    /// Whether a request names this listener, and nothing else. (A name of somebody else's may lead here, as in DNS
    /// rebinding.)
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

/// The access key id a call is signed with.
fn signing_key(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
    signature.split_once("Credential=")?.1.split('/').next()
}
