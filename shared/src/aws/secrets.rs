//! Secrets, read from Secrets Manager where they are kept: never from a variable, never logged. The only request that this
//! takes is signed by the SDK's library, and sent by us: to make the SDK's client of Secrets Manager, for one request, was a
//! fifteenth of a cold start.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde::Deserialize;
use serde_json::json;

use super::{AwsConfig, tries};
use crate::clock;
use crate::error::{Error, Result};

/// The headers that say what is asked for.
const HEADERS: [(&str, &str); 2] =
    [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")];

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A secret as it is, and as it was before its last rotation. It has no `Debug`, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Versions {
    /// What it is.
    pub current: String,
    /// What it was, if it was rotated.
    pub previous: Option<String>,
}

/// Reads secrets. Cloning it is cheap.
#[derive(Clone)]
pub struct Secrets {
    connector: SharedHttpConnector,
    credentials: Credentials,
    region: String,
    endpoint: String,
}

/// What Secrets Manager answers. The text of a refusal does not have the secret in it.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    secret_string: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    /// The name of the error, which may have a namespace and `#` before it.
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Answer {
    /// Why it was refused, unless it was not.
    fn refusal(&self) -> Option<Refusal> {
        if self.status == 200 {
            return None;
        }
        let other = || Refusal { kind: format!("status {}", self.status), message: String::new() };
        Some(serde_json::from_slice(&self.body).unwrap_or_else(|_| other()))
    }

    /// Whether another try may be answered better.
    fn is_passing(&self) -> bool {
        self.status >= 500
            || self.status == 429
            || self.refusal().is_some_and(|refusal| refusal.kind.contains("Throttl"))
    }
}

impl Secrets {
    /// A reader of secrets.
    #[must_use]
    pub fn connect(aws: &AwsConfig) -> Self {
        Self {
            connector: aws.connector.clone(),
            credentials: aws.credentials.clone(),
            region: aws.region.clone(),
            endpoint: aws.endpoint("SECRETS_MANAGER", "secretsmanager"),
        }
    }

    /// The secret with this ARN as it is.
    ///
    /// # Errors
    /// When there is none, or Secrets Manager is out of reach.
    pub async fn read(&self, arn: &str) -> Result<String> {
        let current = self.version(arn, "AWSCURRENT").await?;
        current.ok_or_else(|| Error::internal("a secret has no value"))
    }

    /// Both versions of the secret with this ARN, asked for at once.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_versions(&self, arn: &str) -> Result<Versions> {
        let (current, previous) = tokio::join!(self.read(arn), self.version(arn, "AWSPREVIOUS"));
        Ok(Versions { current: current?, previous: previous? })
    }

    async fn version(&self, arn: &str, stage: &str) -> Result<Option<String>> {
        let wanted = json!({ "SecretId": arn, "VersionStage": stage }).to_string();
        let answer = tokio::time::timeout(tries::ALTOGETHER, self.ask(&wanted)).await;
        let answer = answer.map_err(Error::unavailable)?.map_err(Error::unavailable)?;
        match answer.refusal() {
            None => {
                // What is wrong with it may name a part of the secret.
                let unread = |_error| Error::unavailable("Secrets Manager answered with something else");
                let found: Found = serde_json::from_slice(&answer.body).map_err(unread)?;
                Ok(found.secret_string)
            }
            Some(refusal) if refusal.kind.ends_with("ResourceNotFoundException") => Ok(None),
            Some(Refusal { kind, message }) => Err(Error::unavailable(format!("{kind}: {message}"))),
        }
    }

    /// Asks until the answer is one that stands.
    async fn ask(&self, wanted: &str) -> Result<Answer, Failure> {
        let mut pause = tries::FIRST_PAUSE;
        let mut left = tries::MOST;
        loop {
            let answer = tokio::time::timeout(tries::PATIENCE, self.ask_once(wanted)).await;
            left -= 1;
            match answer {
                Ok(Ok(answer)) if left == 0 || !answer.is_passing() => return Ok(answer),
                Ok(Err(error)) if left == 0 => return Err(error),
                Err(late) if left == 0 => return Err(late.into()),
                _ => tokio::time::sleep(clock::jitter(pause)).await,
            }
            pause *= 2;
        }
    }

    async fn ask_once(&self, wanted: &str) -> Result<Answer, Failure> {
        let answer = self.connector.call(self.request(wanted)?).await?;
        let status = answer.status().as_u16();
        let body = ByteStream::new(answer.into_body()).collect().await?.to_vec();
        Ok(Answer { status, body })
    }

    /// The request, signed.
    fn request(&self, wanted: &str) -> Result<HttpRequest, Failure> {
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("secretsmanager")
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(clock::now().get()))
            .settings(SigningSettings::default())
            .build()?;
        let body = SignableBody::Bytes(wanted.as_bytes());
        let signable = SignableRequest::new("POST", self.endpoint.as_str(), HEADERS.into_iter(), body)?;
        let (signed, _) = sign(signable, &parameters.into())?.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(wanted));
        request.set_method("POST")?;
        request.set_uri(self.endpoint.as_str())?;
        for (name, value) in HEADERS.into_iter().chain(signed.headers()) {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned())?;
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use aws_lc_rs::{digest, hmac};
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::aws::http;

    /// What a try meets: a status and a body, or a connection that breaks.
    type Met = Option<(u16, &'static str)>;

    /// A Secrets Manager that answers one try after the other, and tells what it was sent in the end: heads with bodies.
    struct Service(JoinHandle<Vec<String>>);

    impl Service {
        fn sent(self) -> Vec<String> {
            self.0.join().unwrap()
        }
    }

    fn secrets(meets: &'static [Met]) -> (Service, Secrets) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = thread::spawn(move || meets.iter().map(|met| serve(&listener, *met)).collect());
        let credentials = Credentials::new("AKID", "the key", Some("a token".to_owned()), None, "test");
        let (connector, region) = (http::connector().unwrap(), "eu-north-1".to_owned());
        (Service(service), Secrets { connector, credentials, region, endpoint })
    }

    fn serve(listener: &TcpListener, met: Met) -> String {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if let Some((status, body)) = met {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} .\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all((head + body).as_bytes()).unwrap();
        }
        head + std::str::from_utf8(&body).unwrap()
    }

    const FOUND: Met =
        Some((200, r#"{"ARN":"arn","SecretString":"a secret","VersionStages":["AWSCURRENT"]}"#));
    const NOT_FOUND: Met = Some((400, r#"{"__type":"ResourceNotFoundException","Message":"no such stage"}"#));
    const THROTTLED: Met = Some((400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#));
    const DENIED: Met = Some((400, r#"{"__type":"com.amazon#AccessDeniedException","Message":"not yours"}"#));

    #[tokio::test]
    async fn what_passes_is_asked_again() {
        let (service, secrets) = secrets(&[None, Some((500, "")), THROTTLED, Some((503, "busy")), FOUND]);
        assert_eq!(secrets.read("arn").await.unwrap(), "a secret");
        assert_eq!(service.sent().len(), 5);
    }

    #[tokio::test]
    async fn it_gives_up_after_six_tries() {
        let (service, secrets) = secrets(&[None; 6]);
        let error = secrets.read("arn").await.err().unwrap();
        assert_eq!(error.code(), crate::error::Code::Unavailable);
        assert_eq!(service.sent().len(), 6);
    }

    #[tokio::test]
    async fn what_stands_is_not_asked_again_and_is_logged_by_name() {
        let (service, secrets) = secrets(&[DENIED]);
        let error = secrets.read("arn").await.err().unwrap();
        assert!(format!("{error:?}").contains("AccessDeniedException: not yours"), "{error:?}");
        assert_eq!(service.sent().len(), 1);
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_not_told() {
        let (_, secrets) = secrets(&[Some((200, r#"{"SecretString":4471}"#))]);
        let error = secrets.read("arn").await.err().unwrap();
        assert!(!format!("{error:?}").contains("4471"), "{error:?}");
    }

    #[tokio::test]
    async fn a_version_that_is_not_there_is_none() {
        let (service, secrets) = secrets(&[FOUND, NOT_FOUND]);
        assert_eq!(secrets.version("arn", "AWSCURRENT").await.unwrap().as_deref(), Some("a secret"));
        assert_eq!(secrets.version("arn", "AWSPREVIOUS").await.unwrap(), None);
        assert_eq!(service.sent().len(), 2);
    }

    /// Signs again, as <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html> says.
    #[tokio::test]
    async fn requests_are_signed_as_aws_demands() {
        let (service, secrets) = secrets(&[FOUND]);
        secrets.read("arn:aws:secretsmanager:1").await.unwrap();
        let sent = service.sent().remove(0);
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap().to_owned()
        };
        assert_eq!(body, r#"{"SecretId":"arn:aws:secretsmanager:1","VersionStage":"AWSCURRENT"}"#);

        let hash = |text: &str| HEXLOWER.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        let mac = |key: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
        };
        let names = ["content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"];
        let headers: String = names.iter().map(|name| format!("{name}:{}\n", header(name))).collect();
        let (names, time) = (names.join(";"), header("x-amz-date"));
        let canonical = format!("POST\n/\n\n{headers}\n{names}\n{}", hash(body));
        let scope = format!("{}/eu-north-1/secretsmanager/aws4_request", time.split_at(8).0);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(&canonical));
        let key = scope.split('/').fold(b"AWS4the key".to_vec(), |key, part| mac(&key, part));
        let signature = HEXLOWER.encode(&mac(&key, &text));
        assert_eq!(
            header("authorization"),
            format!("AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={signature}")
        );
        assert_eq!(header("x-amz-security-token"), "a token");
    }
}
