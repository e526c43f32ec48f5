//! Every file of `events/` is sent to its function. The name of a refused event ends in the status. `TOKEN`,
//! `REFRESH` and `SESSION` stand for an access token, a refresh token and a session id of the user `ada`, who has a
//! conversation `kept`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestStudio, own_studio};

pub(crate) struct Sample {
    pub(crate) function: String,
    case: String,
    text: String,
}

impl Sample {
    /// The event, with placeholders replaced by the answer of a login.
    pub(crate) fn event(&self, signed_in: &Value) -> Value {
        let mut text = self.text.clone();
        for (word, name) in
            [("TOKEN", "access_token"), ("REFRESH", "refresh_token"), ("SESSION", "session_id")]
        {
            text = text.replace(word, signed_in[name].as_str().unwrap_or_default());
        }
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", self.case))
    }

    /// The path of the file.
    pub(crate) fn name(&self) -> String {
        format!("events/{}/{}.json", self.function, self.case)
    }

    fn status(&self) -> u64 {
        let last = self.case.rsplit('_').next().and_then(|part| part.parse().ok());
        last.unwrap_or(200)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn all_samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for folder in fs::read_dir(root().join("events")).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            samples.push(Sample {
                function: folder.file_name().unwrap().to_str().unwrap().to_owned(),
                case: file.file_stem().unwrap().to_str().unwrap().to_owned(),
                text: fs::read_to_string(&file).unwrap(),
            });
        }
    }
    samples
}

/// All samples in an order that works: connects before frames, and deletions last.
pub(crate) fn in_order() -> Vec<Sample> {
    let mut samples = all_samples();
    samples.sort_by_key(|sample| match (sample.function.as_str(), sample.case.as_str()) {
        (_, "connect") => 0,
        (_, "replace") => 2,
        (_, "delete" | "disconnect" | "logout_all") => 3,
        ("auth", "delete_account") => 4,
        _ => 1,
    });
    samples
}

/// A studio with the user and the conversation that samples need.
pub(crate) async fn prepared() -> TestStudio {
    let studio = own_studio().await;
    let user = studio.user("ada").await;
    user.conversation("kept", &["hi", "hello"]).await;
    studio
}

/// Begins a new session, since some samples end theirs.
pub(crate) async fn sign_in(studio: &TestStudio) -> Value {
    let credentials = json!({"username": "ada", "password": PASSWORD});
    studio.visitor().post("/api/auth/login", &credentials).await.expect(200).body
}

#[tokio::test]
async fn every_sample_event_is_answered_as_its_name_says() {
    let studio = prepared().await;
    for sample in &in_order() {
        check(&studio, sample).await;
    }
}

async fn check(studio: &TestStudio, sample: &Sample) {
    let name = sample.name();
    let signed_in = sign_in(studio).await;
    let answer = studio.invoke(&sample.function, sample.event(&signed_in)).await;
    let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
    // A task has no answer; everything else has a status.
    if matches!(sample.function.as_str(), "replies" | "tasks") {
        assert_eq!(answer, Value::Null, "{name}");
    } else {
        assert_eq!(answer["statusCode"], sample.status(), "{name}: {answer}");
    }
}

#[test]
fn every_route_has_a_sample_event_that_names_it() {
    let filed: BTreeSet<(String, String)> = all_samples()
        .iter()
        .filter_map(|sample| {
            let event = sample.event(&Value::Null);
            let key = event["routeKey"].as_str().or_else(|| event["requestContext"]["routeKey"].as_str())?;
            Some((sample.function.clone(), key.to_owned()))
        })
        .collect();
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let routes = local::routes(&template).unwrap();
    for route in &routes {
        assert!(
            filed.contains(&(route.binary.clone(), route.key.clone())),
            "no sample event for {}",
            route.key
        );
    }
    assert_eq!(filed.len(), routes.len(), "a sample event names a route that the template does not");
}

#[test]
fn the_sample_login_uses_the_password_of_the_tests() {
    let login = all_samples().into_iter().find(|sample| sample.case == "login").unwrap();
    assert!(login.text.contains(PASSWORD));
}
