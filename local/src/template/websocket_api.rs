//! Reads `AWS::ApiGatewayV2::Api` with its routes, integrations and stage.

use std::collections::BTreeMap;

use super::{
    FunctionDefinition, TemplateError, WebSocketDefinition, node::Node, resolve::Resolver, resources,
};

/// The WebSocket API of the template, if it has one.
pub(super) fn read(
    template: &Node,
    resolver: &Resolver,
    functions: &[FunctionDefinition],
) -> Result<Option<WebSocketDefinition>, TemplateError> {
    let api = resources(template, "AWS::ApiGatewayV2::Api").find(|(_, resource)| {
        resource.at(&["Properties", "ProtocolType"]).and_then(Node::text) == Some("WEBSOCKET")
    });
    let Some((id, api)) = api else {
        return Ok(None);
    };
    let reader = WebSocketReader { template, resolver, functions, id };
    reader.definition(api).map(Some)
}

struct WebSocketReader<'a> {
    template: &'a Node,
    resolver: &'a Resolver,
    functions: &'a [FunctionDefinition],
    id: &'a str,
}

impl WebSocketReader<'_> {
    fn definition(&self, api: &Node) -> Result<WebSocketDefinition, TemplateError> {
        let expression =
            self.property(api, "RouteSelectionExpression").map_err(|error| error.within(self.id))?;
        let selection = expression.strip_prefix("$request.body.").ok_or_else(|| {
            TemplateError(format!("{}: unsupported RouteSelectionExpression `{expression}`", self.id))
        })?;
        let stage = resources(self.template, "AWS::ApiGatewayV2::Stage")
            .find(|(_, stage)| self.belongs(stage))
            .ok_or_else(|| TemplateError(format!("{}: the API has no stage", self.id)))?;
        Ok(WebSocketDefinition {
            id: self.id.to_owned(),
            stage: self.property(stage.1, "StageName").map_err(|error| error.within(stage.0))?,
            selection: selection.split('.').map(str::to_owned).collect(),
            routes: self.routes()?,
        })
    }

    fn routes(&self) -> Result<BTreeMap<String, String>, TemplateError> {
        let mut routes = BTreeMap::new();
        for (id, route) in
            resources(self.template, "AWS::ApiGatewayV2::Route").filter(|(_, it)| self.belongs(it))
        {
            let (key, function) = self.route(route).map_err(|error| error.within(id))?;
            routes.insert(key, function);
        }
        Ok(routes)
    }

    fn route(&self, route: &Node) -> Result<(String, String), TemplateError> {
        let key = self.property(route, "RouteKey")?;
        let target = self.property(route, "Target")?;
        let integration = target
            .strip_prefix("integrations/")
            .and_then(|wanted| {
                resources(self.template, "AWS::ApiGatewayV2::Integration").find(|(id, _)| *id == wanted)
            })
            .ok_or_else(|| TemplateError(format!("the target `{target}` is not an integration")))?;
        let uri = self.property(integration.1, "IntegrationUri")?;
        let function = self
            .functions
            .iter()
            .find(|function| uri.contains(&format!(":function:{}/", function.name)))
            .ok_or_else(|| TemplateError(format!("the integration does not call a function: {uri}")))?;
        Ok((key, function.name.clone()))
    }

    fn property(&self, resource: &Node, key: &str) -> Result<String, TemplateError> {
        let node =
            resource.at(&["Properties", key]).ok_or_else(|| TemplateError(format!("{key} is missing")))?;
        self.resolver.text(node)
    }

    fn belongs(&self, resource: &Node) -> bool {
        self.property(resource, "ApiId").is_ok_and(|api| api == self.id)
    }
}
