//! Evaluates the intrinsic functions of CloudFormation that a local studio needs.

use std::collections::BTreeMap;

use super::{TemplateError, node::Node};

/// The account in local ARNs.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The region in local ARNs.
pub(crate) const REGION: &str = "us-east-1";

/// The sender of mails if `MAIL_FROM` is not set.
const LOCAL_SENDER: &str = "studio@localhost.localdomain";

/// An evaluated value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
}

/// Evaluates values with the parameters and resources of the template.
#[derive(Debug)]
pub(super) struct Resolver {
    parameters: BTreeMap<String, Value>,
    /// The resource types by logical id.
    resources: BTreeMap<String, String>,
}

impl Resolver {
    /// Creates a resolver. A parameter has the value of the variable with the same name (`ALLOWED_ORIGINS` for
    /// `AllowedOrigins`), or else its default.
    pub(super) fn new(template: &Node, variables: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut parameters = BTreeMap::new();
        for (name, parameter) in template.get("Parameters").map(Node::entries).unwrap_or_default() {
            let is_list = parameter.get("Type").and_then(Node::text) == Some("CommaDelimitedList");
            let default = parameter.get("Default").and_then(Node::text);
            // Mail is always on, because it only goes to the local mailbox.
            let default = if name == "MailFrom" { Some(LOCAL_SENDER) } else { default };
            let Some(text) = variables.get(&variable_name(name)).map(String::as_str).or(default) else {
                continue;
            };
            let value = if is_list { Value::List(comma_list(text)) } else { Value::Text(text.to_owned()) };
            parameters.insert(name.clone(), value);
        }
        let resources = template
            .get("Resources")
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter_map(|(id, resource)| Some((id.clone(), resource.get("Type")?.text()?.to_owned())))
            .collect();
        Ok(Self { parameters, resources })
    }

    /// The value of a node that must be a text.
    pub(super) fn text(&self, node: &Node) -> Result<String, TemplateError> {
        match self.value(node)? {
            Value::Text(text) => Ok(text),
            Value::List(items) => {
                Err(TemplateError(format!("expected a text, found the list {}", items.join(","))))
            }
        }
    }

    /// The value of a node that must be a list of texts. A single text counts as a list.
    pub(super) fn list(&self, node: &Node) -> Result<Vec<String>, TemplateError> {
        match self.value(node)? {
            Value::Text(text) => Ok(vec![text]),
            Value::List(items) => Ok(items),
        }
    }

    /// The value of a node that must be a whole number.
    pub(super) fn number(&self, node: &Node) -> Result<u64, TemplateError> {
        let text = self.text(node)?;
        text.parse().map_err(|_error| TemplateError(format!("expected a number, found `{text}`")))
    }

    /// The value of a node that must be a boolean.
    pub(super) fn boolean(&self, node: &Node) -> Result<bool, TemplateError> {
        match self.text(node)?.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(TemplateError(format!("expected true or false, found `{other}`"))),
        }
    }

    fn value(&self, node: &Node) -> Result<Value, TemplateError> {
        match node {
            Node::Text(text) => Ok(Value::Text(text.clone())),
            Node::List(items) => {
                items.iter().map(|item| self.text(item)).collect::<Result<_, _>>().map(Value::List)
            }
            Node::Map(_) => Err(TemplateError("expected a value, found a mapping".to_owned())),
            Node::Call(name, argument) => self.call(name, argument),
        }
    }

    fn call(&self, name: &str, argument: &Node) -> Result<Value, TemplateError> {
        match (name, argument) {
            ("Ref", Node::Text(id)) => self.reference(id),
            ("GetAtt", Node::Text(path)) => self.attribute(path).map(Value::Text),
            ("GetAtt", Node::List(_)) => self.attribute(&self.list(argument)?.join(".")).map(Value::Text),
            ("Sub", Node::Text(pattern)) => self.substitute(pattern, &[]).map(Value::Text),
            ("Sub", Node::List(items)) => match items.as_slice() {
                [Node::Text(pattern), names] => self.substitute(pattern, names.entries()).map(Value::Text),
                _ => Err(bad_argument(name)),
            },
            ("Join", Node::List(items)) => match items.as_slice() {
                [separator, list] => Ok(Value::Text(self.list(list)?.join(&self.text(separator)?))),
                _ => Err(bad_argument(name)),
            },
            ("Split", Node::List(items)) => match items.as_slice() {
                [separator, text] => {
                    let separator = self.text(separator)?;
                    Ok(Value::List(self.text(text)?.split(&separator).map(str::to_owned).collect()))
                }
                _ => Err(bad_argument(name)),
            },
            ("Select", Node::List(items)) => match items.as_slice() {
                [index, list] => self.select(index, list),
                _ => Err(bad_argument(name)),
            },
            // Only a deployment knows the condition, so the value for a true condition is used.
            ("If", Node::List(items)) => {
                items.get(1).map_or_else(|| Err(bad_argument(name)), |then| self.value(then))
            }
            ("Ref" | "GetAtt" | "Sub" | "Join" | "Split" | "Select" | "If", _) => Err(bad_argument(name)),
            _ => Err(TemplateError(format!("the function !{name} is not supported"))),
        }
    }

    fn select(&self, index: &Node, list: &Node) -> Result<Value, TemplateError> {
        let index = usize::try_from(self.number(index)?).unwrap_or(usize::MAX);
        let list = self.list(list)?;
        list.into_iter()
            .nth(index)
            .map(Value::Text)
            .ok_or_else(|| TemplateError(format!("!Select: the list has no item {index}")))
    }

    fn reference(&self, id: &str) -> Result<Value, TemplateError> {
        let pseudo = match id {
            "AWS::AccountId" => Some(ACCOUNT),
            "AWS::Partition" => Some("aws"),
            "AWS::Region" => Some(REGION),
            "AWS::StackName" => Some("studio"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        };
        if let Some(text) = pseudo {
            return Ok(Value::Text(text.to_owned()));
        }
        if let Some(value) = self.parameters.get(id) {
            return Ok(value.clone());
        }
        // The local name of a resource is its logical id.
        if self.resources.contains_key(id) {
            return Ok(Value::Text(id.to_owned()));
        }
        Err(TemplateError(format!("`{id}` is neither a resource nor a parameter with a default")))
    }

    fn attribute(&self, path: &str) -> Result<String, TemplateError> {
        let (id, attribute) = path.split_once('.').ok_or_else(|| bad_argument("GetAtt"))?;
        let arn = self.arn(id)?;
        Ok(if attribute == "Arn" { arn } else { format!("{id}.{attribute}") })
    }

    /// The local ARN of a resource.
    pub(super) fn arn(&self, id: &str) -> Result<String, TemplateError> {
        let kind =
            self.resources.get(id).ok_or_else(|| TemplateError(format!("`{id}` is not a resource")))?;
        let (service, prefix) = match kind.as_str() {
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => ("lambda", "function:"),
            "AWS::DynamoDB::Table" => ("dynamodb", "table/"),
            "AWS::SQS::Queue" => ("sqs", ""),
            _ => ("local", ""),
        };
        Ok(format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{prefix}{id}"))
    }

    fn substitute(&self, pattern: &str, names: &[(String, Node)]) -> Result<String, TemplateError> {
        let mut text = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| TemplateError(format!("`{pattern}` has a ${{ without }}")))?;
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str("${");
                text.push_str(literal);
                text.push('}');
            } else if let Some((_, value)) = names.iter().find(|(key, _)| key == name) {
                text.push_str(&self.text(value)?);
            } else if !name.starts_with("AWS::") && name.contains('.') {
                text.push_str(&self.attribute(name)?);
            } else {
                text.push_str(
                    &self.text(&Node::Call("Ref".to_owned(), Box::new(Node::Text(name.to_owned()))))?,
                );
            }
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }
}

fn bad_argument(function: &str) -> TemplateError {
    TemplateError(format!("!{function} has an invalid argument"))
}

fn comma_list(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// The name of the variable for a parameter: `ALLOWED_ORIGINS` for `AllowedOrigins`.
fn variable_name(parameter: &str) -> String {
    let mut name = String::with_capacity(parameter.len() + 4);
    for (position, letter) in parameter.chars().enumerate() {
        if letter.is_ascii_uppercase() && position > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
