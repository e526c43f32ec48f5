#!/usr/bin/env python3
"""Deploys the template with `sam build` and `sam deploy` to an AWS emulator that enforces the permissions of functions,
and runs the tests of `tests/api` against the deployment.

Needs cargo, a Python with aws-sam-cli (this one), and ministack and cargo-lambda on the path. The template is deployed unchanged;
`fill_gaps` adds what the emulator does not support.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
from samcli.yamlhelper import yaml_parse

STACK = "studio"
PARAMETERS = ["Architecture=x86_64", "RateLimit=0", "OfflineTokenDelayMs=1"]
PATIENCE = 60  # Seconds.


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(emulator, url):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and emulator.poll() is None:
        try:
            with urllib.request.urlopen(url + "/_ministack/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the emulator did not start")


def sam(arguments, environment):
    command = [sys.executable, "-m", "samcli", *arguments]
    subprocess.run(command, env=environment, check=True)


def deploy(folder, environment):
    built = os.path.join(folder, "built")
    sam(["build", "--build-dir", built, "--parameter-overrides", *PARAMETERS], os.environ)
    template = os.path.join(built, "template.yaml")
    flags = ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]
    options = ["--stack-name", STACK, "--template-file", template, "--parameter-overrides", *PARAMETERS]
    sam(["deploy", *options, *flags], environment)


def fill_gaps(client, host):
    """Adds what the emulator does not support, and returns the addresses of the two APIs."""
    with open("template.yaml", encoding="utf-8") as file:
        resources = yaml_parse(file.read())["Resources"]
    stack = client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in stack}
    http, sockets = ids["HttpApi"], f"{host}/_aws/execute-api/{ids['SocketsApi']}/ws"
    secrets = {}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::SecretsManager::Secret":
            secrets[ids[name]] = client("secretsmanager").describe_secret(SecretId=ids[name])["ARN"]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            events = resource["Properties"].get("Events", {}).values()
            add_routes(client, http, ids[name], [it["Properties"] for it in events if it["Type"] == "HttpApi"])
            point_to_sockets(client("lambda"), ids[name], f"http://{sockets}")
            name_secrets_by_arn(client("iam"), ids.get(f"{name}Role"), secrets)
    return f"http://{host}/_aws/execute-api/{http}/$default", f"ws://{sockets}"


def add_routes(client, api, function, events):
    """Creates the routes of `HttpApi` events, which the emulator ignores."""
    if events:
        arn = client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
        gateway = client("apigatewayv2")
        integration = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
        )["IntegrationId"]
        for event in events:
            key = f"{event['Method']} {event['Path']}"
            gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integration}")


def point_to_sockets(functions, function, endpoint):
    """Replaces the address that the WebSocket API would have in AWS."""
    variables = functions.get_function_configuration(FunctionName=function).get("Environment", {}).get("Variables", {})
    if "WEBSOCKET_ENDPOINT" in variables:
        variables["WEBSOCKET_ENDPOINT"] = endpoint
        functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


def name_secrets_by_arn(iam, role, secrets):
    """Corrects permissions of secrets: `!Ref` of a secret is its ARN in AWS, but its name in the emulator."""
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"] if role else []:
        document = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])
        named = document
        for name, arn in secrets.items():
            named = named.replace(f'"{name}"', f'"{arn}"')
        if named != document:
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=named)


def main():
    host = f"127.0.0.1:{free_port()}"
    url = f"http://{host}"
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {**os.environ, **keys, "AWS_ENDPOINT_URL": url, "SAM_CLI_TELEMETRY": "0"}
    switches = {"AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": host.split(":")[1]}
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
        emulator = subprocess.Popen(["ministack"], cwd=folder, env={**environment, **switches}, stdout=log, stderr=log)
        try:
            wait_until_up(emulator, url)
            deploy(folder, environment)
            session = boto3.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
            http, sockets = fill_gaps(lambda service: session.client(service, endpoint_url=url), host)
            studio = {"STUDIO_URL": http, "STUDIO_WS_URL": sockets, "STUDIO_IS_EMULATED": "1", "RUST_TEST_THREADS": "4"}
            tests = ["cargo", "test", "--locked", "--test", "api"]
            code = subprocess.run(tests, env={**os.environ, **studio}, check=False).returncode
        finally:
            emulator.terminate()
            emulator.wait(timeout=30)
    sys.exit(code)


if __name__ == "__main__":
    main()
