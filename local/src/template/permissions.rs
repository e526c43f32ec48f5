//! Reads the `Policies` of a function.

use super::{Permission, node::Node, resolve::Resolver};

/// The permissions in the statements of a function. Policy templates of SAM are not supported; use statements instead.
pub(super) fn read(properties: Option<&Node>, resolver: &Resolver) -> Vec<Permission> {
    let policies = properties.and_then(|own| own.get("Policies")).map(each).unwrap_or_default();
    let statements = policies.into_iter().filter_map(|policy| policy.get("Statement")).flat_map(each);
    statements.map(|statement| permission(chosen(statement), resolver)).collect()
}

/// The items of a list, or a single value.
fn each(node: &Node) -> Vec<&Node> {
    match node {
        Node::List(items) => items.iter().collect(),
        other => vec![other],
    }
}

/// The permission of a statement. A statement under a condition counts as well.
fn chosen(statement: &Node) -> &Node {
    match statement {
        Node::Call(name, argument) if name == "If" => match argument.as_ref() {
            Node::List(items) => items.get(1).unwrap_or(statement),
            _ => statement,
        },
        _ => statement,
    }
}

fn permission(statement: &Node, resolver: &Resolver) -> Permission {
    let list = |key: &str| -> Vec<String> {
        let items = statement.get(key).map(each).unwrap_or_default();
        // A resource that only a deployment knows matches everything.
        items.into_iter().map(|item| resolver.text(item).unwrap_or_else(|_unknown| "*".to_owned())).collect()
    };
    Permission { actions: list("Action"), resources: list("Resource") }
}
