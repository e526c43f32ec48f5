//! Reads `AWS::Serverless::Function` and `Globals`.

use std::{collections::BTreeMap, time::Duration};

use super::{
    AsynchronousCalls, FailureDestination, FunctionDefinition, QueueSource, RouteDefinition, TemplateError,
    node::Node, permissions, queues, resolve::Resolver, resources,
};

/// The default timeout of SAM.
const DEFAULT_TIMEOUT_SECONDS: u64 = 3;
const DEFAULT_MEMORY_MB: u64 = 128;
/// The default limits of asynchronous invocations in Lambda.
const DEFAULT_RETRIES: u64 = 2;
const DEFAULT_MAX_AGE_SECONDS: u64 = 6 * 60 * 60;

/// All functions of the template, in its order.
pub(super) fn read(
    template: &Node,
    resolver: &Resolver,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<FunctionDefinition>, TemplateError> {
    let globals = template.at(&["Globals", "Function"]);
    resources(template, "AWS::Serverless::Function")
        .map(|(id, resource)| {
            let reader = FunctionReader { resolver, globals, properties: resource.get("Properties") };
            reader.function(id, resource, variables).map_err(|error| error.within(id))
        })
        .collect()
}

struct FunctionReader<'a> {
    resolver: &'a Resolver,
    globals: Option<&'a Node>,
    properties: Option<&'a Node>,
}

impl FunctionReader<'_> {
    fn function(
        &self,
        id: &str,
        resource: &Node,
        overrides: &BTreeMap<String, String>,
    ) -> Result<FunctionDefinition, TemplateError> {
        let binary = resource
            .at(&["Metadata", "BuildProperties", "Binary"])
            .ok_or_else(|| TemplateError("Metadata.BuildProperties.Binary is missing".to_owned()))?;
        let mut variables = self.variables()?;
        for (name, value) in &mut variables {
            if let Some(set) = overrides.get(name) {
                value.clone_from(set);
            }
        }
        Ok(FunctionDefinition {
            name: id.to_owned(),
            binary: self.resolver.text(binary)?,
            timeout: Duration::from_secs(self.number(&["Timeout"], DEFAULT_TIMEOUT_SECONDS)?),
            memory_mb: self.number(&["MemorySize"], DEFAULT_MEMORY_MB)?,
            variables,
            routes: self.routes()?,
            asynchronous: self.asynchronous()?,
            queues: self.queues()?,
            permissions: permissions::read(self.properties, self.resolver),
        })
    }

    /// The setting of the function, or else the one in `Globals`.
    fn setting(&self, path: &[&str]) -> Option<&Node> {
        self.properties
            .and_then(|own| own.at(path))
            .or_else(|| self.globals.and_then(|globals| globals.at(path)))
    }

    fn number(&self, path: &[&str], default: u64) -> Result<u64, TemplateError> {
        self.setting(path).map_or(Ok(default), |node| self.resolver.number(node))
    }

    fn variables(&self) -> Result<BTreeMap<String, String>, TemplateError> {
        let mut variables = BTreeMap::new();
        // Variables of the function come last and take precedence.
        for source in [self.globals, self.properties] {
            let entries = source.and_then(|node| node.at(&["Environment", "Variables"])).map(Node::entries);
            for (name, value) in entries.unwrap_or_default() {
                let value = self.resolver.text(value).map_err(|error| error.within(name))?;
                variables.insert(name.clone(), value);
            }
        }
        Ok(variables)
    }

    fn routes(&self) -> Result<Vec<RouteDefinition>, TemplateError> {
        let events = self.events("HttpApi");
        events.map(|(name, event)| self.route(event).map_err(|error| error.within(name))).collect()
    }

    fn queues(&self) -> Result<Vec<QueueSource>, TemplateError> {
        let source = |event| queues::source(event, self.resolver);
        self.events("SQS").map(|(name, event)| source(event).map_err(|error| error.within(name))).collect()
    }

    /// The event sources of one type.
    fn events(&self, kind: &str) -> impl Iterator<Item = &(String, Node)> {
        let events = self.properties.and_then(|own| own.get("Events")).map(Node::entries).unwrap_or_default();
        events.iter().filter(move |(_, event)| event.get("Type").and_then(Node::text) == Some(kind))
    }

    fn route(&self, event: &Node) -> Result<RouteDefinition, TemplateError> {
        let text = |key| {
            let node =
                event.at(&["Properties", key]).ok_or_else(|| TemplateError(format!("{key} is missing")))?;
            self.resolver.text(node)
        };
        Ok(RouteDefinition { method: text("Method")?.to_ascii_uppercase(), path: text("Path")? })
    }

    fn asynchronous(&self) -> Result<AsynchronousCalls, TemplateError> {
        let retries = self.number(&["EventInvokeConfig", "MaximumRetryAttempts"], DEFAULT_RETRIES)?;
        let max_age =
            self.number(&["EventInvokeConfig", "MaximumEventAgeInSeconds"], DEFAULT_MAX_AGE_SECONDS)?;
        let destination = self.setting(&["EventInvokeConfig", "DestinationConfig", "OnFailure"]);
        let on_failure = destination.map(|node| self.destination(node)).transpose();
        Ok(AsynchronousCalls {
            retries: u32::try_from(retries).unwrap_or(u32::MAX),
            max_age: Duration::from_secs(max_age),
            on_failure: on_failure.map_err(|error| error.within("OnFailure"))?,
        })
    }

    fn destination(&self, node: &Node) -> Result<FailureDestination, TemplateError> {
        let arn = node.get("Destination").map(|node| self.resolver.text(node)).transpose()?;
        let name = arn.as_deref().map(queues::name_of).map(str::to_owned);
        match (node.get("Type").and_then(Node::text), name) {
            (Some("Lambda"), Some(name)) => Ok(FailureDestination::Function(name)),
            (Some("SQS"), Some(name)) => Ok(FailureDestination::Queue(name)),
            _ => Err(TemplateError("needs a Type of Lambda or SQS, and a Destination".to_owned())),
        }
    }
}
