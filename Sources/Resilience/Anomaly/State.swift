/// Learned state as bytes that a store can keep: numbers of 8, 4 or 2 bytes, little-endian, in a fixed order, behind a
/// format number. A restored value goes on exactly as if it had never stopped.
protocol StateCodable {
    func write(to writer: inout StateWriter)
    init(from reader: inout StateReader) throws(StateError)
}

/// Why stored state cannot be used; the key then starts anew.
public enum StateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Written by another version of the program.
    case format(UInt64, expected: UInt64)
    /// Fewer or more bytes than the format has.
    case length
    /// A number that no state can have.
    case value

    /// What is wrong, for a log line.
    public var description: String {
        switch self {
        case .format(let found, let expected): "the stored state has format \(found), expected \(expected)"
        case .length: "the stored state has a wrong length"
        case .value: "the stored state holds an impossible number"
        }
    }
}

/// Appends numbers.
struct StateWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ number: Double) { write(number.bitPattern) }
    mutating func write(_ number: Float) { write(number.bitPattern) }
    mutating func write(_ flag: Bool) { write(UInt8(flag ? 1 : 0)) }
}

/// Takes numbers in the order in which they were written.
struct StateReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func read<Number: FixedWidthInteger>(as type: Number.Type = Number.self) throws(StateError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.endIndex - position >= size else { throw .length }
        var number: Number = 0
        withUnsafeMutableBytes(of: &number) { $0.copyBytes(from: bytes[position..<position + size]) }
        position += size
        return Number(littleEndian: number)
    }

    /// A number that is neither infinite nor none.
    mutating func readFinite() throws(StateError) -> Double {
        let number = Double(bitPattern: try read())
        guard number.isFinite else { throw .value }
        return number
    }

    /// As `readFinite`, and inside the range.
    mutating func read(in range: ClosedRange<Double>) throws(StateError) -> Double {
        let number = try readFinite()
        guard range.contains(number) else { throw .value }
        return number
    }

    mutating func readFloat() throws(StateError) -> Float {
        let number = Float(bitPattern: try read())
        guard number.isFinite else { throw .value }
        return number
    }

    mutating func readFlag() throws(StateError) -> Bool { try read(as: UInt8.self) != 0 }

    /// Nothing may be left.
    func finish() throws(StateError) {
        guard position == bytes.endIndex else { throw .length }
    }
}

extension StateCodable {
    /// The state as bytes.
    func stateBytes(format: UInt64) -> [UInt8] {
        var writer = StateWriter()
        writer.write(format)
        write(to: &writer)
        return writer.bytes
    }

    /// The state from bytes of this format.
    init(stateBytes: [UInt8], format: UInt64) throws(StateError) {
        var reader = StateReader(stateBytes[...])
        let found: UInt64 = try reader.read()
        guard found == format else { throw .format(found, expected: format) }
        try self.init(from: &reader)
        try reader.finish()
    }
}
