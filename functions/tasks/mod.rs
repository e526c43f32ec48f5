//! The function `tasks`: sends mails and deletes accounts. Other functions invoke it asynchronously, and Lambda retries
//! tasks that fail.

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use shared::Result;
use shared::accounts::{AccountTask, Mails, delete_account};
use shared::aws;
use shared::aws::mail::Mailer;
use shared::store::Store;
use tracing::Instrument as _;

use crate::start::{self, StartError};

/// What the tasks of this function share.
pub struct Tasks {
    store: Store,
    mails: Mails,
}

impl Tasks {
    /// Reads the settings and creates the clients.
    ///
    /// # Errors
    /// All variables that are missing or bad.
    pub async fn start() -> Result<Self, StartError> {
        let mut variables = start::variables();
        let (studio, app_url) = (variables.text("STUDIO_TABLE"), variables.text("APP_URL"));
        let from = variables.optional("MAIL_FROM", Ok::<_, &str>);
        let aws = aws::config(&mut variables)?;
        variables.done(Some(()))?;
        let store = Store::connect(&aws, studio, String::new());
        let mails = Mails::new(store.clone(), Mailer::connect(&aws, from), app_url);
        Ok(Self { store, mails })
    }

    /// Carries out tasks until the runtime ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API is unavailable.
    pub async fn serve(self) -> Result<(), StartError> {
        let tasks = Arc::new(self);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<AccountTask>| {
            let tasks = Arc::clone(&tasks);
            async move { tasks.perform(event).await }
        }))
        .await
    }

    async fn perform(&self, event: LambdaEvent<AccountTask>) -> Result<(), lambda_runtime::Error> {
        let span = tracing::info_span!("task", id = event.context.request_id);
        let done = match &event.payload {
            AccountTask::VerifyAddress { user } => self.mails.verify_address(*user).instrument(span).await,
            AccountTask::ForgotPassword { email } => self.mails.forgot_password(email).instrument(span).await,
            AccountTask::AddressChanged { email, was_verified } => {
                self.mails.address_changed(email, *was_verified).instrument(span).await
            }
            AccountTask::DeleteAccount { user } => delete_account(&self.store, *user).instrument(span).await,
        };
        done.map_err(|error| {
            tracing::error!(id = event.context.request_id, ?error, "cannot carry out a task");
            lambda_runtime::Error::from(error.code().as_str())
        })
    }
}
