//! Tests with the template of the product and with invalid ones.

use std::{collections::BTreeMap, time::Duration};

use super::Template;

fn studio_template() -> Template {
    let source = std::fs::read_to_string(crate::command::workspace_root().join("template.yaml")).unwrap();
    Template::parse(&source, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_template_of_the_product_is_valid() {
    let template = studio_template();
    let replies = template.functions.iter().find(|function| function.binary == "replies").unwrap();
    assert_eq!(replies.timeout, Duration::from_secs(900));
    assert_eq!(replies.asynchronous.retries, 0);
    assert_eq!(replies.asynchronous.max_age, Duration::from_secs(60));
    assert_eq!(
        replies.variables["WEBSOCKET_ENDPOINT"],
        "https://SocketsApi.execute-api.us-east-1.amazonaws.com/ws"
    );
    let websocket = template.websocket.unwrap();
    assert_eq!(websocket.selection, ["type"]);
    assert_eq!(websocket.routes["$connect"], "SocketsFunction");
    assert!(template.cors.unwrap().credentials);
    assert!(template.tables.iter().any(|table| table.ttl_attribute.as_deref() == Some("expires_at")));
}

#[test]
fn the_error_about_an_invalid_value_names_its_place() {
    let bad = |value: &str| {
        let source = format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Metadata: {{ BuildProperties: {{ Binary: f }} }}\n    \
             Properties:\n      Environment: {{ Variables: {{ A: {value} }} }}"
        );
        Template::parse(&source, &BTreeMap::new()).unwrap_err().to_string()
    };
    assert_eq!(bad("!Ref Nobody"), "F: A: `Nobody` is neither a resource nor a parameter with a default");
    assert_eq!(bad("!GetAtt Nobody.Arn"), "F: A: `Nobody` is not a resource");
    assert_eq!(bad("!Magic x"), "F: A: the function !Magic is not supported");
    assert_eq!(bad("!Sub 'a${b'"), "F: A: `a${b` has a ${ without }");
    assert_eq!(bad("!Select [3, [a, b]]"), "F: A: !Select: the list has no item 3");
}

#[test]
fn a_failure_destination_must_exist() {
    let with = |on_failure: &str| {
        let source = format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Metadata: {{ BuildProperties: {{ Binary: f }} }}\n    \
             Properties:\n      EventInvokeConfig: {{ DestinationConfig: {{ OnFailure: {on_failure} }} }}"
        );
        Template::parse(&source, &BTreeMap::new()).unwrap_err().to_string()
    };
    assert_eq!(with("{ Type: SQS, Destination: !GetAtt F.Arn }"), "F: `F` is not a queue");
    assert_eq!(
        with("{ Type: SNS, Destination: x }"),
        "F: OnFailure: needs a Type of Lambda or SQS, and a Destination"
    );
    assert_eq!(with("{ Type: SQS }"), "F: OnFailure: needs a Type of Lambda or SQS, and a Destination");
}
