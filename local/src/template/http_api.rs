//! Reads `AWS::Serverless::HttpApi`.

use super::{Cors, TemplateError, node::Node, resolve::Resolver, resources};

/// The CORS settings of the HTTP API, if it has any.
pub(super) fn read_cors(template: &Node, resolver: &Resolver) -> Result<Option<Cors>, TemplateError> {
    let Some((id, api)) = resources(template, "AWS::Serverless::HttpApi").next() else {
        return Ok(None);
    };
    let Some(settings) = api.at(&["Properties", "CorsConfiguration"]) else {
        return Ok(None);
    };
    cors(settings, resolver).map(Some).map_err(|error| error.within(id))
}

fn cors(settings: &Node, resolver: &Resolver) -> Result<Cors, TemplateError> {
    let list = |key| settings.get(key).map_or(Ok(Vec::new()), |node| resolver.list(node));
    Ok(Cors {
        origins: list("AllowOrigins")?,
        methods: list("AllowMethods")?,
        headers: list("AllowHeaders")?,
        expose: list("ExposeHeaders")?,
        credentials: settings.get("AllowCredentials").map_or(Ok(false), |node| resolver.boolean(node))?,
        max_age: settings.get("MaxAge").map(|node| resolver.number(node)).transpose()?,
    })
}
