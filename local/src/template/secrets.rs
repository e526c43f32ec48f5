//! Reads `AWS::SecretsManager::Secret` and the variables that name secrets.

use std::collections::BTreeMap;

use super::{ACCOUNT, Template, node::Node, resources};

/// A secret that a variable of a function names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretName {
    /// The variable of the studio that sets the secret: `SECRET_KEY` for a function's `SECRET_KEY_ARN`.
    pub(crate) name: String,
    /// Whether the template generates the secret (`GenerateSecretString`).
    pub(crate) is_made: bool,
    /// The reference to the secret in the template and in permissions.
    pub(crate) reference: String,
}

/// The logical ids of the secrets that the template generates.
pub(super) fn made(template: &Node) -> Vec<String> {
    resources(template, "AWS::SecretsManager::Secret")
        .filter(|(_, secret)| secret.at(&["Properties", "GenerateSecretString"]).is_some())
        .map(|(id, _)| id.to_owned())
        .collect()
}

impl Template {
    /// The secret that a variable names: `X_ARN` names `X`, unless it contains the ARN of another resource.
    pub(crate) fn secret_named_by(&self, variable: &str, value: &str) -> Option<SecretName> {
        let is_of_a_resource = value.starts_with("arn:") && value.contains(&format!(":{ACCOUNT}:"));
        let name = variable.strip_suffix("_ARN").filter(|_| !is_of_a_resource)?;
        let is_made = self.made_secrets.iter().any(|id| id == value);
        Some(SecretName { name: name.to_owned(), is_made, reference: value.to_owned() })
    }

    /// The secret whose presence a variable reports: `X_SET` tells whether there is an `X`.
    pub(crate) fn secret_told_of_by(&self, variable: &str) -> Option<SecretName> {
        let name = variable.strip_suffix("_SET")?;
        self.secret_names().into_iter().find(|secret| secret.name == name)
    }

    /// All secrets that variables of functions name, each once.
    pub(crate) fn secret_names(&self) -> Vec<SecretName> {
        let variables = self.functions.iter().flat_map(|function| &function.variables);
        let named = variables.filter_map(|(variable, value)| self.secret_named_by(variable, value));
        let by_name: BTreeMap<_, _> = named.map(|secret| (secret.name.clone(), secret)).collect();
        by_name.into_values().collect()
    }
}
