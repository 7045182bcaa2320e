import Synchronization

/// Every short text that spans and metrics share, numbered once for the whole process.
///
/// Destinations, groups, consumers and error types come from the wire, so the table is bounded: past `capacity`
/// every new text becomes `_other`. Event loops keep their own cache in front of it and come here on a miss only.
public final class NameTable: Sendable {
    /// What every text beyond the capacity reads as.
    public static let overflowText = "_other"
    /// Places that the empty text and `_other` take up.
    public static let reserved = 2

    private struct State {
        var texts: [String]
        var numbers: [String: UInt32]
    }

    /// The most texts, the reserved ones included.
    public let capacity: Int
    private let state: Mutex<State>

    /// A table with nothing but the reserved texts.
    public init(capacity: Int) {
        self.capacity = capacity
        state = Mutex(State(texts: ["", Self.overflowText], numbers: ["": 0, Self.overflowText: 1]))
    }

    /// The number of `text`, given out now if it is new; `.other` when the table is full.
    public func intern(_ text: String) -> NameID {
        state.withLock { state in
            if let number = state.numbers[text] { return NameID(index: number) }
            guard state.texts.count < capacity else { return .other }
            let number = UInt32(state.texts.count)
            state.texts.append(text)
            state.numbers[text] = number
            return NameID(index: number)
        }
    }

    /// The text that has this number.
    public func text(of name: NameID) -> String {
        state.withLock { $0.texts[Int(name.index)] }
    }
}

/// Every `SpanDescriptor` in use, numbered once for the whole process. Written by event loops on first sight of a
/// combination, read by the encoder on first use of a number.
public final class SpanCatalog: Sendable {
    private struct State {
        var descriptors: [SpanDescriptor] = []
        var numbers: [SpanDescriptor: UInt32] = [:]
    }

    private let state = Mutex(State())

    /// An empty catalog.
    public init() {}

    /// The number of `descriptor`, given out now if it is new.
    public func intern(_ descriptor: SpanDescriptor) -> SpanDescriptorID {
        state.withLock { state in
            if let number = state.numbers[descriptor] { return SpanDescriptorID(index: number) }
            let number = UInt32(state.descriptors.count)
            state.descriptors.append(descriptor)
            state.numbers[descriptor] = number
            return SpanDescriptorID(index: number)
        }
    }

    /// The descriptor that has this number.
    public func descriptor(_ id: SpanDescriptorID) -> SpanDescriptor {
        state.withLock { $0.descriptors[Int(id.index)] }
    }
}

/// Where event loops leave finished spans. Implemented by the exporter's queue; tests collect into an array.
public protocol SpanSink: Sendable {
    /// Takes all of `batch` and leaves it empty with its capacity kept. Never waits: what does not fit is dropped by
    /// the sink and counted there with a reason.
    func offer(_ batch: inout [SpanRecord])
}
