//! The template grants few permissions, protects data, and limits the retention of logs.

use std::collections::BTreeSet;

use local::Options;
use serde_json::{Map, Value, json};

use crate::support::{PASSWORD, studio_with};

/// Reads the template without evaluating it.
fn read_template() -> Value {
    let path = format!("{}/template.yaml", env!("CARGO_MANIFEST_DIR"));
    local::document(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The resources of one type: logical id and the whole resource.
fn resources<'a>(template: &'a Value, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = template["Resources"].as_object().unwrap();
    all.iter()
        .filter(move |(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str(), resource))
}

fn functions(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    resources(template, "AWS::Serverless::Function").map(|(id, function)| (id, &function["Properties"]))
}

/// The items of a list, or the value itself.
fn each(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// The statements of a function's own policies.
fn statements(function: &Value) -> impl Iterator<Item = &Value> {
    let policies = function["Policies"].as_array().map(Vec::as_slice).unwrap_or_default();
    policies.iter().flat_map(|policy| each(&policy["Statement"])).map(chosen)
}

/// A policy statement, or the one within `Fn::If`.
fn chosen(statement: &Value) -> &Value {
    statement.get("Fn::If").and_then(|branches| branches.get(1)).unwrap_or(statement)
}

/// The logical ids of the resources and parameters that a value refers to.
fn ids(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(map) => map.iter().flat_map(|(name, argument)| called_ids(name, argument)).collect(),
        Value::Array(items) => items.iter().flat_map(ids).collect(),
        _ => BTreeSet::new(),
    }
}

fn called_ids(name: &str, argument: &Value) -> BTreeSet<String> {
    let text = argument.as_str().unwrap_or_default();
    let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    match name {
        "Ref" | "Fn::GetAtt" => BTreeSet::from([first(text)]),
        "Fn::Sub" => {
            let names = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
            names.filter(|name| !name.starts_with("AWS::")).map(first).collect()
        }
        _ => ids(argument),
    }
}

#[test]
fn no_permission_is_wider_than_aws_requires() {
    for (id, function) in functions(&read_template()) {
        assert_eq!(function.get("Role"), None, "{id}");
        for statement in statements(function) {
            assert_eq!(statement["Effect"], "Allow", "{id}");
            assert!(
                each(&statement["Action"]).iter().all(|it| !it.as_str().unwrap().contains('*')),
                "{id}: {statement}"
            );
            for resource in each(&statement["Resource"]) {
                let text = resource.to_string();
                // The id of a connection is unknown at deployment.
                let connections = text.ends_with(r#":${SocketsApi}/ws/*"}"#);
                assert!(!text.contains('*') || connections, "{id}: {text}");
                assert!(!ids(resource).is_empty(), "{id}: {text} is no resource of the template");
            }
        }
    }
}

#[test]
fn a_function_may_use_only_the_resources_that_its_variables_name() {
    let template = read_template();
    let kinds = [
        "AWS::ApiGatewayV2::Api",
        "AWS::DynamoDB::Table",
        "AWS::SecretsManager::Secret",
        "AWS::Serverless::Function",
    ];
    let mut guarded: BTreeSet<String> =
        kinds.iter().flat_map(|kind| resources(&template, kind)).map(|(id, _)| id.to_owned()).collect();
    let parameters = template["Parameters"].as_object().unwrap().keys();
    // The sender address is also limited by a condition.
    guarded.extend(parameters.filter(|name| name.ends_with("Arn") || *name == "MailFrom").cloned());
    for (id, function) in functions(&template) {
        let named = ids(&function["Environment"]["Variables"]);
        let named: BTreeSet<_> = named.intersection(&guarded).cloned().collect();
        let permitted: BTreeSet<_> = statements(function).flat_map(|it| ids(&it["Resource"])).collect();
        assert_eq!(named, permitted, "{id}");
    }
}

/// The resources that CloudFormation must create before this one. SAM builds an HTTP API from the functions that it
/// invokes, and the triggers of a function are not part of the function.
fn needs(template: &Value, id: &str) -> BTreeSet<String> {
    let mut resource = template["Resources"][id].clone();
    if let Some(properties) = resource["Properties"].as_object_mut() {
        properties.remove("Events");
    }
    let invoked = functions(template).filter(|(_, function)| {
        let events = function["Events"].as_object().into_iter().flat_map(Map::values);
        events.into_iter().any(|event| event["Properties"]["ApiId"]["Ref"] == id)
    });
    let invoked: BTreeSet<String> = invoked.map(|(function, _)| function.to_owned()).collect();
    ids(&resource).into_iter().chain(invoked).collect()
}

#[test]
fn no_resource_depends_on_itself() {
    let template = read_template();
    for id in template["Resources"].as_object().unwrap().keys() {
        let mut reached = BTreeSet::new();
        let mut ahead = vec![id.clone()];
        while let Some(next) = ahead.pop() {
            ahead.extend(needs(&template, &next).into_iter().filter(|found| reached.insert(found.clone())));
        }
        assert!(!reached.contains(id), "{id} needs itself, which CloudFormation refuses");
    }
}

#[test]
fn only_functions_that_ask_models_may_read_the_keys_of_providers() {
    let template = read_template();
    let may_read = |function: &Value| {
        statements(function).flat_map(|it| ids(&it["Resource"])).any(|id| id.ends_with("ApiKeyArn"))
    };
    let readers: Vec<&str> =
        functions(&template).filter(|(_, function)| may_read(function)).map(|(id, _)| id).collect();
    assert_eq!(readers, ["ChatFunction", "RepliesFunction"]);
}

#[test]
fn the_websocket_api_allows_the_origins_of_the_http_api() {
    let template = read_template();
    let variables = &template["Resources"]["SocketsFunction"]["Properties"]["Environment"]["Variables"];
    assert_eq!(variables["OWN_ORIGINS"], template["Outputs"]["ApiUrl"]["Value"]);
    assert_eq!(ids(&variables["ALLOWED_ORIGINS"]), BTreeSet::from(["AllowedOrigins".to_owned()]));
}

#[test]
fn a_secret_is_in_no_variable_and_in_no_output() {
    let template = read_template();
    assert!(
        !template.to_string().contains("{{resolve:"),
        "a dynamic reference shows in the function's configuration"
    );
    let secrets: BTreeSet<String> =
        resources(&template, "AWS::SecretsManager::Secret").map(|(id, _)| id.to_owned()).collect();
    assert!(!secrets.is_empty());
    for (id, function) in functions(&template) {
        for (name, value) in function["Environment"]["Variables"].as_object().unwrap_or(&Map::new()) {
            let is_secret = ids(value).intersection(&secrets).next().is_some();
            assert!(!is_secret || name.ends_with("_ARN"), "{id}: {name}");
        }
    }
    assert!(ids(&template["Outputs"]).is_disjoint(&secrets));
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        let is_of_a_secret = ["secret", "key", "password"].iter().any(|it| name.to_lowercase().contains(it));
        assert!(!is_of_a_secret || name.ends_with("Arn"), "{name}: {parameter}");
    }
}

#[test]
fn data_is_encrypted_and_the_main_table_is_backed_up_and_retained() {
    let template = read_template();
    for (id, table) in resources(&template, "AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], "true", "{id}");
        assert_eq!(properties["TimeToLiveSpecification"]["Enabled"], "true", "{id}");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{id}");
    }
    let studio = &template["Resources"]["StudioTable"];
    let properties = &studio["Properties"];
    assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], "true");
    assert_eq!(properties["DeletionProtectionEnabled"], "true");
    let secrets = resources(&template, "AWS::SecretsManager::Secret").map(|(_, secret)| secret);
    for kept in secrets.chain([studio]) {
        assert_eq!(
            (&kept["DeletionPolicy"], &kept["UpdateReplacePolicy"]),
            (&"Retain".into(), &"Retain".into())
        );
    }
    for (id, queue) in resources(&template, "AWS::SQS::Queue") {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], "true", "{id}");
    }
}

#[test]
fn every_log_group_has_a_retention() {
    let template = read_template();
    let mut logged = BTreeSet::new();
    for (id, group) in resources(&template, "AWS::Logs::LogGroup") {
        assert_eq!(group["Properties"]["RetentionInDays"]["Ref"], "LogRetentionDays", "{id}");
        logged.extend(ids(&group["Properties"]["LogGroupName"]));
    }
    for (id, _) in functions(&template) {
        assert!(logged.contains(id), "{id} has no log group, and Lambda would make one that never ends");
    }
}

/// The stages of both APIs.
fn stages(template: &Value) -> [&Value; 2] {
    ["HttpApi", "SocketsStage"].map(|id| &template["Resources"][id]["Properties"])
}

#[test]
fn both_apis_are_throttled() {
    for stage in stages(&read_template()) {
        let settings = &stage["DefaultRouteSettings"];
        assert_eq!(settings["ThrottlingRateLimit"]["Ref"], "RequestsPerSecond");
        assert_eq!(settings["ThrottlingBurstLimit"]["Ref"], "RequestsBurst");
    }
}

#[test]
fn access_logs_are_json_without_secrets() {
    let harmless = [
        "requestTime",
        "requestId",
        "routeKey",
        "status",
        "identity.sourceIp",
        "responseLength",
        "responseLatency",
        "integrationLatency",
        "integrationErrorMessage",
        "connectionId",
        "eventType",
    ];
    for stage in stages(&read_template()) {
        let settings = &stage["AccessLogSettings"];
        assert_eq!(ids(&settings["DestinationArn"]).len(), 1);
        let format: Map<String, Value> = serde_json::from_str(settings["Format"].as_str().unwrap()).unwrap();
        for (name, value) in &format {
            let field = value.as_str().unwrap().strip_prefix("$context.").unwrap();
            assert!(harmless.contains(&field), "{name}: {field}");
        }
        assert!(format.contains_key("id") && format.contains_key("status"));
    }
}

#[tokio::test]
async fn a_function_can_do_nothing_that_the_template_does_not_permit() {
    let source = std::fs::read_to_string(format!("{}/template.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let path = std::env::temp_dir().join(format!("ai-chat-studio-template-{}", std::process::id()));
    std::fs::write(&path, source.replace("dynamodb:PutItem, ", "")).unwrap();
    let studio = studio_with(|options| Options { template: path.clone(), ..options }).await;
    let registration = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    studio.visitor().post("/api/auth/register", &registration).await.expect(500);
    let logs = studio.logs("auth").join("\n");
    assert!(logs.contains("not authorized to perform: dynamodb:PutItem"), "{logs}");
    std::fs::remove_file(&path).unwrap();
}
