//! Translation of DynamoDB errors.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::error::Error;

/// Translates an error that the operation does not handle itself: overload, timeouts and connection failures become
/// [`Error::unavailable`], all others [`Error::internal`].
pub(in crate::store) fn failed<E>(error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let transient = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            status >= 500 || service.err().code().is_some_and(is_overload)
        }
        _ => false,
    };
    let cause = DisplayErrorContext(error).to_string();
    if transient { Error::unavailable(cause) } else { Error::internal(cause) }
}

fn is_overload(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "TransactionConflictException"
    )
}

/// Whether the condition of a write failed.
pub(in crate::store) fn condition_failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    has_code(error, "ConditionalCheckFailedException")
}

pub(in crate::store) fn has_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, code: &str) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some(code)
}
