//! IAM: enforces the permissions that the template gives to functions.

use crate::template::{ACCOUNT, FunctionDefinition, Permission, REGION};

/// The role of a function.
#[derive(Debug)]
pub(crate) struct Role {
    function: String,
    permissions: Vec<Permission>,
}

impl Role {
    pub(crate) fn new(function: &FunctionDefinition) -> Self {
        Self { function: function.name.clone(), permissions: function.permissions.clone() }
    }

    /// The name of the function that has this role.
    pub(crate) fn function(&self) -> &str {
        &self.function
    }

    /// The error message of AWS if the function may not do `action` to `resource`.
    pub(crate) fn refusal(&self, action: &str, resource: &str) -> Option<String> {
        let permits = |permission: &Permission| {
            permission.actions.iter().any(|pattern| matches(pattern, action))
                && permission.resources.iter().any(|pattern| matches(pattern, resource))
        };
        if self.permissions.iter().any(permits) {
            return None;
        }
        Some(format!(
            "User: arn:aws:sts::{ACCOUNT}:assumed-role/{} is not authorized to perform: {action} on resource: \
             {resource} because no identity-based policy allows the {action} action",
            self.function
        ))
    }
}

/// Whether `text` matches `pattern`, in which `*` matches any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut is_open = false;
    let mut last = "";
    for part in parts {
        let Some(position) = rest.find(part) else {
            return false;
        };
        rest = rest.get(position + part.len()..).unwrap_or_default();
        (is_open, last) = (true, part);
    }
    rest.is_empty() || (is_open && (last.is_empty() || text.ends_with(last)))
}

/// The ARN of a table, or of one of its indexes.
pub(crate) fn table(name: &str, index: Option<&str>) -> String {
    let index = index.map(|index| format!("/index/{index}")).unwrap_or_default();
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}{index}")
}

/// The ARN of the SES identity that sends a mail: the address in `Name <address>`.
pub(crate) fn sender(from: &str) -> String {
    let address = from.rsplit('<').next().unwrap_or(from).trim_end_matches('>');
    format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{address}")
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_matches_any_text() {
        for (pattern, text) in
            [("*", "x"), ("a", "a"), ("a*", "abc"), ("a*", "a"), ("*c", "abcc"), ("a*c*e", "abcde")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*", "ba"), ("*c", "cb"), ("a*c*e", "aec"), ("", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
