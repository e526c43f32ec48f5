//! The values of variables that stand for something of the cloud, and what stands there locally.

use std::net::SocketAddr;

use crate::{
    secrets::Secrets,
    template::{FunctionDefinition, RouteDefinition, Template},
};

/// What a template can only know once the studio has its ports and its secrets.
pub(crate) struct Places {
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    /// The origins of the pages that are served at the public address.
    pub(crate) origins: Vec<String>,
    pub(crate) secrets: Secrets,
}

impl Places {
    /// The functions with every variable settled, and all their routes.
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

    /// A value with the local secret for a reference to the stored one (none for one that is not there), whether there is one,
    /// and a local address for a deployed API's: all of them where origins are listed (`X_ORIGINS`).
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
