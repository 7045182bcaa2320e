/// The value of an attribute, of the types that we use. In JSON it is the bare text or number.
public enum AttributeValue: Hashable, Sendable {
    case string(String)
    case integer(Int64)
    case double(Double)
}

extension AttributeValue: Codable {
    /// A number if it reads as one, else a text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int64.self) {
            self = .integer(number)
        } else if let number = try? container.decode(Double.self) {
            self = .double(number)
        } else {
            self = .string(try container.decode(String.self))
        }
    }

    /// The bare value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let text): try container.encode(text)
        case .integer(let number): try container.encode(number)
        case .double(let number): try container.encode(number)
        }
    }
}

extension AttributeValue: CustomStringConvertible {
    /// As people read it.
    public var description: String {
        switch self {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .double(let number): "\(number)"
        }
    }
}

extension SpanDescriptor {
    /// The attributes that all spans of this descriptor have.
    package var constantAttributes: [(key: StaticString, value: AttributeValue)] {
        var pairs: [(key: StaticString, value: AttributeValue)] = [
            (SpanAttribute.system, .string(system)),
            (SpanAttribute.operationName, .string(operation)),
        ]
        if let operationType { pairs.append((SpanAttribute.operationType, .string(operationType.rawValue))) }
        func add(_ key: StaticString, _ text: String) {
            if !text.isEmpty { pairs.append((key, .string(text))) }
        }
        func add(_ key: StaticString, _ number: Int) {
            if number > 0 { pairs.append((key, .integer(Int64(number)))) }
        }
        add(SpanAttribute.destination, destination)
        add(SpanAttribute.destinationTemplate, template)
        add(SpanAttribute.consumerGroup, group)
        add(SpanAttribute.serverAddress, broker.server)
        add(SpanAttribute.serverPort, broker.port)
        // The application processes a message without the network (semantic conventions, messaging-spans, "Process").
        if operationType != .process, !broker.peer.isEmpty {
            add(SpanAttribute.peerAddress, broker.peer)
            add(SpanAttribute.peerPort, broker.peerPort)
        }
        return pairs
    }

    /// What lets Jaeger draw the broker behind a span that calls it.
    package var peerAttributes: [(key: StaticString, value: AttributeValue)] {
        [(SpanAttribute.peerService, .string(system)), (SpanAttribute.servicePeerName, .string(system))]
    }
}

extension SpanRecord {
    /// The attributes of this span alone, as they are exported.
    package func ownAttributes(_ names: NameTable) -> [(key: StaticString, value: AttributeValue)] {
        var pairs: [(key: StaticString, value: AttributeValue)] = []
        func add(_ key: StaticString, _ text: String) {
            if !text.isEmpty { pairs.append((key, .string(text))) }
        }
        add(SpanAttribute.messageID, messageID.description)
        let conversation = conversationIsTraceID ? traceID.description : detail?.conversationID
        add(SpanAttribute.conversationID, conversation ?? "")
        add(SpanAttribute.clientID, names.text(of: client))
        if batchCount > 0 { pairs.append((SpanAttribute.batchCount, .integer(Int64(batchCount)))) }
        if bodySize >= 0 { pairs.append((SpanAttribute.bodySize, .integer(bodySize))) }
        add(SpanAttribute.errorType, names.text(of: error))
        add(SpanAttribute.consumerName, names.text(of: consumer))
        if attempt > 0 { pairs.append((SpanAttribute.deliveryAttempt, .integer(Int64(attempt)))) }
        if queueNanoseconds != .min {
            pairs.append((SpanAttribute.queueSeconds, .double(Double(queueNanoseconds) / 1e9)))
        }
        add(SpanAttribute.outcome, outcome.text)
        add(SpanAttribute.deadLetterReason, deadLetter.text)
        add(SpanAttribute.fallbackStep, fallback.text)
        if redeliveryDelayMilliseconds > 0 {
            pairs.append((SpanAttribute.redeliveryDelay, .double(Double(redeliveryDelayMilliseconds) / 1e3)))
        }
        add(SpanAttribute.samplingReason, reason?.text ?? "")
        add(SpanAttribute.causality, causality.rule)
        add(SpanAttribute.causalityConfidence, causality.confidence)
        if let position = detail?.position {
            add(SpanAttribute.streamName, names.text(of: position.stream))
            if position.consumerSequence > 0 {
                pairs.append((SpanAttribute.consumerSequence, .integer(Int64(clamping: position.consumerSequence))))
                pairs.append((SpanAttribute.consumerPending, .integer(Int64(clamping: position.pending))))
            }
        }
        return pairs
    }
}

extension SpanLink {
    /// The attributes of the link, as they are exported.
    package var attributes: [(key: StaticString, value: AttributeValue)] {
        var pairs: [(key: StaticString, value: AttributeValue)] = []
        if messageID.isShown { pairs.append((SpanAttribute.messageID, .string(messageID.description))) }
        if isCandidate { pairs.append((SpanAttribute.causality, .string(SpanAttribute.candidate.description))) }
        if queueNanoseconds != .min {
            pairs.append((SpanAttribute.queueSeconds, .double(Double(queueNanoseconds) / 1e9)))
        }
        return pairs
    }
}
