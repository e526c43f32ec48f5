//! Reads secrets from AWS Secrets Manager. Secrets are never in environment variables and never logged.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata as _, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_types::SdkConfig;

use crate::error::{Error, Result};

/// The current value of a secret and the one before its last rotation. It has no `Debug`, so that it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Versions {
    /// The current value.
    pub current: String,
    /// The previous value, if the secret was rotated.
    pub previous: Option<String>,
}

/// Reads secrets. Cloning it is cheap.
#[derive(Clone)]
pub struct Secrets(Client);

impl Secrets {
    /// Creates a reader of secrets.
    #[must_use]
    pub fn connect(aws: &SdkConfig) -> Self {
        Self(Client::new(aws))
    }

    /// The current value of the secret with this ARN.
    ///
    /// # Errors
    /// When the secret does not exist, or Secrets Manager does not answer.
    pub async fn read(&self, arn: &str) -> Result<String> {
        let current = self.find_version(arn, "AWSCURRENT").await?;
        current.ok_or_else(|| Error::internal("a secret has no value"))
    }

    /// The current and the previous value of the secret with this ARN, read in parallel.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_versions(&self, arn: &str) -> Result<Versions> {
        let (current, previous) = tokio::join!(self.read(arn), self.find_version(arn, "AWSPREVIOUS"));
        Ok(Versions { current: current?, previous: previous? })
    }

    async fn find_version(&self, arn: &str, stage: &str) -> Result<Option<String>> {
        match self.0.get_secret_value().secret_id(arn).version_stage(stage).send().await {
            Ok(found) => Ok(found.secret_string),
            Err(error) => match error.as_service_error() {
                Some(GetSecretValueError::ResourceNotFoundException(_)) => Ok(None),
                _ => Err(Error::unavailable(reason(&error))),
            },
        }
    }
}

/// Why a request failed, for the log. The response itself is left out, since it may contain the secret.
fn reason(error: &SdkError<GetSecretValueError>) -> String {
    match (error.raw_response(), error.code()) {
        (None, _) => DisplayErrorContext(error).to_string(),
        (Some(_), Some(code)) => format!("{code}: {}", error.message().unwrap_or_default()),
        (Some(response), None) => {
            format!("cannot read the answer of Secrets Manager, status {}", response.status().as_u16())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use aws_credential_types::Credentials;

    use super::*;
    use crate::aws::sdk_config;

    /// How the server answers a request: with a status and a body, or by closing the connection.
    type Reaction = Option<(u16, &'static str)>;

    const FOUND: Reaction =
        Some((200, r#"{"ARN":"arn","SecretString":"a secret","VersionStages":["AWSCURRENT"]}"#));
    const NOT_FOUND: Reaction =
        Some((400, r#"{"__type":"ResourceNotFoundException","Message":"no such stage"}"#));
    const THROTTLED: Reaction = Some((400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#));
    const DENIED: Reaction =
        Some((400, r#"{"__type":"com.amazon#AccessDeniedException","Message":"not yours"}"#));

    /// Starts a server that reacts to one request after the other, and returns the requests it received when joined.
    fn serve(reactions: &'static [Reaction]) -> (JoinHandle<Vec<String>>, Secrets) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server =
            thread::spawn(move || reactions.iter().map(|reaction| react(&listener, *reaction)).collect());
        let credentials = Credentials::new("AKID", "the key", Some("a token".to_owned()), None, "test");
        let aws = sdk_config("eu-north-1".to_owned(), credentials, Some(endpoint)).unwrap();
        (server, Secrets::connect(&aws))
    }

    /// Reads a request, which it returns in lower case, and reacts to it.
    fn react(listener: &TcpListener, reaction: Reaction) -> String {
        let mut reader = BufReader::new(listener.accept().unwrap().0);
        let (mut request, mut length) = (String::new(), 0);
        while !request.ends_with("\r\n\r\n") {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            request.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if let Some((status, answer)) = reaction {
            let length = answer.len();
            let head =
                format!("HTTP/1.1 {status} .\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            reader.get_mut().write_all((head + answer).as_bytes()).unwrap();
        }
        (request + std::str::from_utf8(&body).unwrap()).to_lowercase()
    }

    #[tokio::test]
    async fn broken_connections_server_errors_and_throttling_are_retried() {
        let (server, secrets) = serve(&[None, Some((500, "")), THROTTLED, Some((503, "busy")), FOUND]);
        assert_eq!(secrets.read("arn").await.unwrap(), "a secret");
        assert_eq!(server.join().unwrap().len(), 5);
    }

    #[tokio::test]
    async fn reading_fails_after_six_attempts() {
        let (server, secrets) = serve(&[None; 6]);
        let error = secrets.read("arn").await.err().unwrap();
        assert_eq!(error.code(), crate::error::Code::Unavailable);
        assert_eq!(server.join().unwrap().len(), 6);
    }

    #[tokio::test]
    async fn a_refusal_is_not_retried_and_the_error_names_it() {
        let (server, secrets) = serve(&[DENIED]);
        let error = secrets.read("arn").await.err().unwrap();
        assert!(format!("{error:?}").contains("AccessDeniedException: not yours"), "{error:?}");
        assert_eq!(server.join().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_error_never_quotes_an_unreadable_answer() {
        for answer in [r#"{"SecretString":4471}"#, "{4471", r#"{"SecretString":"4471"#] {
            let reactions: &'static [Reaction] = Box::leak(Box::new([Some((200, answer))]));
            let (_, secrets) = serve(reactions);
            let error = secrets.read("arn").await.err().unwrap();
            assert!(!format!("{error:?}").contains("4471"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_secret_that_was_never_rotated_has_no_previous_version() {
        let (server, secrets) = serve(&[FOUND, NOT_FOUND]);
        assert_eq!(secrets.find_version("arn", "AWSCURRENT").await.unwrap().as_deref(), Some("a secret"));
        assert_eq!(secrets.find_version("arn", "AWSPREVIOUS").await.unwrap(), None);
        assert_eq!(server.join().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_request_names_the_secret_and_carries_the_credentials_of_the_function() {
        let (server, secrets) = serve(&[FOUND]);
        secrets.read("arn:aws:secretsmanager:1").await.unwrap();
        let [request] = server.join().unwrap().try_into().unwrap();
        for part in [
            "x-amz-target: secretsmanager.getsecretvalue\r\n",
            "x-amz-security-token: a token\r\n",
            "/eu-north-1/secretsmanager/aws4_request",
            r#"{"secretid":"arn:aws:secretsmanager:1","versionstage":"awscurrent"}"#,
        ] {
            assert!(request.contains(part), "{part} is missing in {request}");
        }
    }
}
