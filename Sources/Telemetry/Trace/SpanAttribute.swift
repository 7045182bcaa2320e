/// The keys of everything we say about a span or a resource, in one place.
///
/// Names of the OpenTelemetry semantic conventions 1.44 (messaging, server, network, error, service, host, telemetry)
/// and our own below `tacho.`.
package enum SpanAttribute {
    package static let system: StaticString = "messaging.system"
    package static let operationName: StaticString = "messaging.operation.name"
    package static let operationType: StaticString = "messaging.operation.type"
    package static let destination: StaticString = "messaging.destination.name"
    package static let destinationTemplate: StaticString = "messaging.destination.template"
    package static let consumerGroup: StaticString = "messaging.consumer.group.name"
    package static let serverAddress: StaticString = "server.address"
    package static let serverPort: StaticString = "server.port"
    package static let peerAddress: StaticString = "network.peer.address"
    package static let peerPort: StaticString = "network.peer.port"
    package static let messageID: StaticString = "messaging.message.id"
    package static let conversationID: StaticString = "messaging.message.conversation_id"
    package static let clientID: StaticString = "messaging.client.id"
    package static let batchCount: StaticString = "messaging.batch.message_count"
    package static let bodySize: StaticString = "messaging.message.body.size"
    package static let errorType: StaticString = "error.type"
    /// What Jaeger's pages read ...
    package static let peerService: StaticString = "peer.service"
    /// ... and what the conventions call it now.
    package static let servicePeerName: StaticString = "service.peer.name"

    package static let consumerName: StaticString = "tacho.consumer.name"
    package static let deliveryAttempt: StaticString = "tacho.delivery.attempt"
    package static let queueSeconds: StaticString = "tacho.queue.seconds"
    package static let outcome: StaticString = "tacho.outcome"
    package static let deadLetterReason: StaticString = "tacho.dead_letter.reason"
    package static let fallbackStep: StaticString = "tacho.fallback.step"
    package static let redeliveryDelay: StaticString = "tacho.redelivery.delay.seconds"
    package static let streamName: StaticString = "tacho.stream.name"
    package static let consumerSequence: StaticString = "tacho.consumer.sequence"
    package static let consumerPending: StaticString = "tacho.consumer.pending"
    package static let samplingReason: StaticString = "sampling.reason"
    package static let causality: StaticString = "tacho.causality"
    package static let causalityConfidence: StaticString = "tacho.causality.confidence"
    /// The value of `tacho.causality` on links.
    package static let candidate: StaticString = "candidate"

    package static let serviceName = "service.name"
    package static let serviceInstanceID = "service.instance.id"
    package static let hostName = "host.name"
    package static let distributionName = "telemetry.distro.name"
    package static let distributionVersion = "telemetry.distro.version"
    package static let sdkName = "telemetry.sdk.name"
    package static let sdkLanguage = "telemetry.sdk.language"
    package static let sdkVersion = "telemetry.sdk.version"

    /// The version of the conventions that the names above come from.
    package static let schemaURL = "https://opentelemetry.io/schemas/1.44.0"
    package static let scopeName = "tachograph"
}
