//! Parses a template: YAML with the tags of CloudFormation, without evaluation.

use std::borrow::Cow;

use saphyr::{Tag, Yaml, YamlLoader};
use saphyr_parser::Parser;

use super::TemplateError;

/// A value of the template. Scalars stay texts, so that an account id keeps its leading zeros. Like CloudFormation, the
/// reader converts them where a number is needed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A scalar as it is written.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
    /// An intrinsic function with its short name (`Ref`, `Sub`, `GetAtt` and so on) and its argument, in either form.
    Call(String, Box<Node>),
}

impl Node {
    /// Parses the only document of `source`.
    pub(super) fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut loader: YamlLoader<'_, Yaml<'_>> = YamlLoader::default();
        // Scalars stay texts.
        loader.early_parse(false);
        Parser::new_from_str(source)
            .load(&mut loader, true)
            .map_err(|error| TemplateError(format!("not YAML: {error}")))?;
        if let Some(error) = loader.error() {
            return Err(TemplateError(format!("not YAML: {error}")));
        }
        let document = loader
            .into_documents()
            .into_iter()
            .next()
            .ok_or_else(|| TemplateError("the template is empty".to_owned()))?;
        from_yaml(document)
    }

    /// The entry `key` of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The entry at the end of a path of keys.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a mapping. Other values have none.
    pub(super) fn entries(&self) -> &[(String, Node)] {
        match self {
            Node::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a scalar that needs no evaluation.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn from_yaml(yaml: Yaml<'_>) -> Result<Node, TemplateError> {
    match yaml {
        Yaml::Representation(text, _, tag) => Ok(tagged(tag, Node::Text(text.into_owned()))),
        Yaml::Tagged(tag, inner) => {
            let inner = from_yaml(*inner)?;
            Ok(match inner {
                // A tagged scalar has its tag twice.
                Node::Call(..) => inner,
                other => tagged(Some(tag), other),
            })
        }
        Yaml::Sequence(items) => items.into_iter().map(from_yaml).collect::<Result<_, _>>().map(Node::List),
        Yaml::Mapping(entries) => {
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let Node::Text(key) = from_yaml(key)? else {
                    return Err(TemplateError("a key of a mapping is not text".to_owned()));
                };
                map.push((key, from_yaml(value)?));
            }
            Ok(long_form(map))
        }
        Yaml::Value(_) | Yaml::Alias(_) | Yaml::BadValue => {
            Err(TemplateError("the template contains an invalid value".to_owned()))
        }
    }
}

fn tagged(tag: Option<Cow<'_, Tag>>, argument: Node) -> Node {
    match tag {
        Some(tag) if tag.handle == "!" => Node::Call(tag.suffix.clone(), Box::new(argument)),
        _ => argument,
    }
}

/// The function in the long forms `{ Ref: x }` and `{ Fn::Name: x }`.
fn long_form(mut map: Vec<(String, Node)>) -> Node {
    let name = match map.as_slice() {
        [(key, _)] if key == "Ref" => Some("Ref".to_owned()),
        [(key, _)] => key.strip_prefix("Fn::").map(str::to_owned),
        _ => None,
    };
    match (name, map.pop()) {
        (Some(name), Some((_, argument))) => Node::Call(name, Box::new(argument)),
        (None, Some(last)) => {
            map.push(last);
            Node::Map(map)
        }
        (_, None) => Node::Map(map),
    }
}
