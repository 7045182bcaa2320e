package import COTLP
import CProtobufC

package typealias OTLPKeyValue = Opentelemetry__Proto__Common__V1__KeyValue
package typealias OTLPAnyValue = Opentelemetry__Proto__Common__V1__AnyValue
package typealias OTLPScope = Opentelemetry__Proto__Common__V1__InstrumentationScope
package typealias OTLPResource = Opentelemetry__Proto__Resource__V1__Resource
package typealias OTLPResourceSpans = Opentelemetry__Proto__Trace__V1__ResourceSpans
package typealias OTLPScopeSpans = Opentelemetry__Proto__Trace__V1__ScopeSpans
package typealias OTLPSpan = Opentelemetry__Proto__Trace__V1__Span

/// The value of an attribute, of the types that we use.
package enum AttributeValue: Hashable, Sendable {
    case string(String)
    case integer(Int64)
    case double(Double)
}

/// A tree of protobuf-c messages and the owner of all memory in it, which lives exactly as long as the tree.
///
/// It builds what is packed rarely: resources, scopes, and the constant part of spans.
package struct OTLPTree: ~Copyable {
    private var allocations: [UnsafeMutableRawPointer] = []

    package init() {}

    deinit {
        for allocation in allocations { allocation.deallocate() }
    }

    /// A message that its generated `init` function has set to its defaults.
    package mutating func message<Message>(
        _ initialize: (UnsafeMutablePointer<Message>?) -> Void
    ) -> UnsafeMutablePointer<Message> {
        let message = allocate(Message.self, count: 1)
        initialize(message)
        return message
    }

    /// Text for protobuf-c, which ends at the first NUL: a NUL inside becomes U+FFFD.
    package mutating func text(_ text: String) -> UnsafeMutablePointer<CChar> {
        let safe = text.utf8.contains(0) ? String(text.map { $0 == "\0" ? "\u{fffd}" : $0 }) : text
        let utf8 = safe.utf8
        let bytes = allocate(CChar.self, count: utf8.count + 1)
        for (position, byte) in utf8.enumerated() { bytes[position] = CChar(bitPattern: byte) }
        bytes[utf8.count] = 0
        return bytes
    }

    package mutating func bytes(_ words: [UInt64]) -> ProtobufCBinaryData {
        let data = allocate(UInt8.self, count: 8 * words.count)
        for (position, word) in words.enumerated() {
            UnsafeMutableRawPointer(data).storeBytes(
                of: word.bigEndian, toByteOffset: 8 * position, as: UInt64.self)
        }
        return ProtobufCBinaryData(len: 8 * words.count, data: data)
    }

    package mutating func list<Message>(
        _ messages: [UnsafeMutablePointer<Message>]
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Message>?> {
        let list = allocate(UnsafeMutablePointer<Message>?.self, count: max(messages.count, 1))
        for (position, message) in messages.enumerated() { (list + position).initialize(to: message) }
        return list
    }

    package mutating func attribute(_ key: String, _ value: AttributeValue) -> UnsafeMutablePointer<OTLPKeyValue> {
        let any: UnsafeMutablePointer<OTLPAnyValue> = message(opentelemetry__proto__common__v1__any_value__init)
        switch value {
        case .string(let string):
            any.pointee.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE
            any.pointee.string_value = text(string)
        case .integer(let integer):
            any.pointee.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE
            any.pointee.int_value = integer
        case .double(let double):
            any.pointee.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_DOUBLE_VALUE
            any.pointee.double_value = double
        }
        let pair: UnsafeMutablePointer<OTLPKeyValue> = message(opentelemetry__proto__common__v1__key_value__init)
        pair.pointee.key = text(key)
        pair.pointee.value = any
        return pair
    }

    package mutating func attributes(
        _ pairs: [(key: String, value: AttributeValue)]
    ) -> [UnsafeMutablePointer<OTLPKeyValue>] {
        var messages: [UnsafeMutablePointer<OTLPKeyValue>] = []
        for pair in pairs { messages.append(attribute(pair.key, pair.value)) }
        return messages
    }

    package mutating func resource(
        _ attributes: [ResourceAttribute]
    ) -> UnsafeMutablePointer<OTLPResource> {
        let pairs = self.attributes(attributes.map { ($0.key, .string($0.value)) })
        let resource: UnsafeMutablePointer<OTLPResource> = message(
            opentelemetry__proto__resource__v1__resource__init)
        resource.pointee.n_attributes = pairs.count
        resource.pointee.attributes = list(pairs)
        return resource
    }

    package mutating func scope(name: String, version: String) -> UnsafeMutablePointer<OTLPScope> {
        let scope: UnsafeMutablePointer<OTLPScope> = message(
            opentelemetry__proto__common__v1__instrumentation_scope__init)
        scope.pointee.name = text(name)
        scope.pointee.version = text(version)
        return scope
    }

    /// The bytes of any message of this tree.
    package static func packed<Message>(_ message: UnsafeMutablePointer<Message>) -> [UInt8] {
        message.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) { base in
            let size = protobuf_c_message_get_packed_size(base)
            return [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
                // With size 0 there is no base address, and nothing to pack.
                if let start = bytes.baseAddress { _ = protobuf_c_message_pack(base, start) }
                count = size
            }
        }
    }

    private mutating func allocate<Value>(_ type: Value.Type, count: Int) -> UnsafeMutablePointer<Value> {
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<Value>.stride * count, alignment: MemoryLayout<Value>.alignment)
        allocations.append(memory)
        return memory.bindMemory(to: type, capacity: count)
    }
}
