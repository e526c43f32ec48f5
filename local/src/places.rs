//! Replaces values that refer to the cloud (deployed addresses, stored secrets) by local ones.

use std::net::SocketAddr;

use crate::{
    secrets::Secrets,
    template::{FunctionDefinition, RouteDefinition, Template},
};

/// The values that are known only when the studio has its ports and secrets.
pub(crate) struct Places {
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    /// The origins of pages served at the public address.
    pub(crate) origins: Vec<String>,
    pub(crate) secrets: Secrets,
}

impl Places {
    /// The functions with all their routes and final variables.
    pub(crate) fn settle(
        &self,
        template: &Template,
    ) -> (Vec<FunctionDefinition>, Vec<(String, RouteDefinition)>) {
        let mut functions = template.functions.clone();
        let mut routes = Vec::new();
        for function in &mut functions {
            for (name, value) in &mut function.variables {
                *value = self.local(name, value, template);
            }
            routes.extend(function.routes.drain(..).map(|route| (function.name.clone(), route)));
        }
        (functions, routes)
    }

    /// The local value of a variable: the ARN of the local secret (nothing if there is none), whether a secret is set,
    /// or the local address of a deployed API. A variable `X_ORIGINS` receives all local origins.
    fn local(&self, name: &str, value: &str, template: &Template) -> String {
        if let Some(secret) = template.secret_named_by(name, value) {
            return self.secrets.arn(&secret.name).unwrap_or_default();
        }
        if let Some(secret) = template.secret_told_of_by(name) {
            return self.secrets.arn(&secret.name).map_or_else(String::new, |_arn| "true".to_owned());
        }
        let deployed = |scheme: &str, api: &str| {
            let rest = value.strip_prefix(scheme)?.strip_prefix(api)?.strip_prefix(".execute-api.")?;
            Some(rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default().to_owned())
        };
        if let Some(api) = &template.websocket {
            if let Some(path) = deployed("https://", &api.id) {
                return format!("http://{}{path}", self.internal);
            }
            if let Some(path) = deployed("wss://", &api.id) {
                return format!("ws://{}{path}", self.public);
            }
        }
        let http = template.http_apis.iter().find_map(|api| deployed("https://", api));
        match http {
            Some(path) if path.is_empty() && name.ends_with("_ORIGINS") => self.origins.join(","),
            Some(path) => format!("http://{}{path}", self.public),
            None => value.to_owned(),
        }
    }
}
