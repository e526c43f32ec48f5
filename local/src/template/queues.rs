//! Reads `AWS::SQS::Queue` and the event sources of functions.

use super::{
    FailureDestination, FunctionDefinition, QueueDefinition, QueueSource, TemplateError, node::Node,
    resolve::Resolver, resources,
};

/// The default maximum number of deliveries of a message.
const DEFAULT_DELIVERIES: u64 = 10;
/// The default maximum number of messages in an event.
const DEFAULT_BATCH: u64 = 10;

/// All queues of the template.
pub(super) fn read(template: &Node, resolver: &Resolver) -> Result<Vec<QueueDefinition>, TemplateError> {
    resources(template, "AWS::SQS::Queue")
        .map(|(id, resource)| queue(id, resource, resolver).map_err(|error| error.within(id)))
        .collect()
}

fn queue(id: &str, resource: &Node, resolver: &Resolver) -> Result<QueueDefinition, TemplateError> {
    let policy = resource.at(&["Properties", "RedrivePolicy"]);
    let dead = policy.and_then(|policy| policy.get("deadLetterTargetArn"));
    let limit = policy.and_then(|policy| policy.get("maxReceiveCount"));
    let redrive = match dead {
        Some(arn) => {
            let limit = limit.map_or(Ok(DEFAULT_DELIVERIES), |node| resolver.number(node))?;
            Some((name_of(&resolver.text(arn)?).to_owned(), u32::try_from(limit).unwrap_or(u32::MAX)))
        }
        None => None,
    };
    Ok(QueueDefinition { name: id.to_owned(), arn: resolver.arn(id)?, redrive })
}

/// The event source `event` of a function.
pub(super) fn source(event: &Node, resolver: &Resolver) -> Result<QueueSource, TemplateError> {
    let property = |key| event.at(&["Properties", key]);
    let queue = property("Queue").ok_or_else(|| TemplateError("Queue is missing".to_owned()))?;
    let batch = property("BatchSize").map_or(Ok(DEFAULT_BATCH), |node| resolver.number(node))?;
    let kinds = property("FunctionResponseTypes").map_or(Ok(Vec::new()), |node| resolver.list(node))?;
    Ok(QueueSource {
        queue: name_of(&resolver.text(queue)?).to_owned(),
        batch: usize::try_from(batch).unwrap_or(usize::MAX),
        names_failures: kinds.iter().any(|kind| kind == "ReportBatchItemFailures"),
    })
}

/// Checks that all queues that functions name exist.
pub(super) fn check(
    functions: &[FunctionDefinition],
    queues: &[QueueDefinition],
) -> Result<(), TemplateError> {
    for function in functions {
        let on_failure = match &function.asynchronous.on_failure {
            Some(FailureDestination::Queue(name)) => Some(name),
            _ => None,
        };
        let mut named = function.queues.iter().map(|source| &source.queue).chain(on_failure);
        if let Some(name) = named.find(|name| !queues.iter().any(|queue| queue.name == **name)) {
            return Err(TemplateError(format!("`{name}` is not a queue")).within(&function.name));
        }
    }
    Ok(())
}

/// The name at the end of an ARN.
pub(super) fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}
