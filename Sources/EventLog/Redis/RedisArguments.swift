import Wire

/// The words of one command, name first, as places in the bytes that they came in.
struct RedisArguments: Sendable {
    private let bytes: [UInt8]
    private let start: Int
    private let places: [Range<Int>]

    /// Words that lie in `bytes`; their places are counted from `start`.
    init(_ bytes: [UInt8], from start: Int, _ places: [Range<Int>]) {
        self.bytes = bytes
        self.start = start
        self.places = places
    }

    /// Words one by one, as inline commands and tests have them.
    init(words: [[UInt8]]) {
        var bytes: [UInt8] = []
        start = 0
        places = words.map { word in
            bytes.append(contentsOf: word)
            return bytes.count - word.count..<bytes.count
        }
        self.bytes = bytes
    }

    /// The same words in bytes of their own, for what outlives the buffer.
    var detached: RedisArguments {
        RedisArguments(words: arrays(0..<count))
    }

    var count: Int { places.count }

    private func range(_ index: Int) -> Range<Int> {
        let place = places[index]
        return start + place.lowerBound..<start + place.upperBound
    }

    subscript(_ index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    func array(_ index: Int) -> [UInt8] { Array(bytes[range(index)]) }

    func arrays(_ range: Range<Int>) -> [[UInt8]] { range.map { array($0) } }

    /// What a person reads; never an identifier.
    func text(_ index: Int, prefix: Int = .max) -> String {
        String(decoding: bytes[range(index)].prefix(prefix), as: UTF8.self)
    }

    /// The word in capital letters, for looking it up.
    func word(_ index: Int) -> String {
        String(
            decoding: bytes[range(index)].lazy.map { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 }, as: UTF8.self)
    }

    /// Whether the word there is this one, in any case of letters.
    func isWord(_ index: Int, _ word: StaticString) -> Bool {
        index < count && RESPText.matches(bytes.span, in: range(index), word)
    }

    /// The number there, in the one spelling that Redis takes.
    func integer(
        _ index: Int, orElse message: String = "ERR value is not an integer or out of range"
    ) throws(RedisCommandError) -> Int64 {
        guard let value = RESPText.integer(bytes.span, in: range(index)) else { throw RedisCommandError(message) }
        return Int64(value)
    }

    /// The id there, `ms` or `ms-seq`.
    func id(_ index: Int, missingSequence: UInt64 = 0) throws(RedisCommandError) -> StreamID {
        guard let id = plainID(range(index), missingSequence) else { throw .invalidID }
        return id
    }

    /// The id there, if it is one.
    func idIfAny(_ index: Int) -> StreamID? { plainID(range(index), 0) }

    /// The id there, or `-` for the lowest and `+` for the highest.
    func idOrEnd(_ index: Int, missingSequence: UInt64 = 0) throws(RedisCommandError) -> StreamID {
        if isWord(index, "-") { return .zero }
        if isWord(index, "+") { return .max }
        return try id(index, missingSequence: missingSequence)
    }

    /// The lower end of an interval as the lowest id within it.
    func lowerBound(_ index: Int) throws(RedisCommandError) -> StreamID {
        guard let inner = exclusive(index) else { return try idOrEnd(index) }
        guard let id = plainID(inner, 0) else { throw .invalidID }
        guard let next = id.next else { throw RedisCommandError("ERR invalid start ID for the interval") }
        return next
    }

    /// The upper end of an interval as the highest id within it.
    func upperBound(_ index: Int) throws(RedisCommandError) -> StreamID {
        guard let inner = exclusive(index) else { return try idOrEnd(index, missingSequence: .max) }
        guard let id = plainID(inner, .max) else { throw .invalidID }
        guard let previous = id.previous else { throw RedisCommandError("ERR invalid end ID for the interval") }
        return previous
    }

    /// What follows the `(` of an exclusive bound.
    private func exclusive(_ index: Int) -> Range<Int>? {
        let range = range(index)
        guard range.count > 1, bytes[range.lowerBound] == UInt8(ascii: "(") else { return nil }
        return range.dropFirst()
    }

    private func plainID(_ range: Range<Int>, _ missingSequence: UInt64) -> StreamID? {
        // Redis copies an id into a buffer of this size.
        guard range.count < 128 else { return nil }
        return RESPText.entryID(bytes.span, in: range, missingSequence: missingSequence)
            .map { StreamID($0.milliseconds, $0.sequence) }
    }

    /// The milliseconds of `ms-*`.
    func automaticSequence(_ index: Int) -> UInt64? {
        let range = range(index)
        guard range.count > 2, range.count < 128, bytes[range.upperBound - 1] == UInt8(ascii: "*"),
            bytes[range.upperBound - 2] == UInt8(ascii: "-")
        else { return nil }
        return plainID(range.dropLast(2), 0).flatMap { $0.sequence == 0 ? $0.milliseconds : nil }
    }
}

/// Why a command was not even tried, in the words that Redis has for it.
struct RedisCommandError: Error, Equatable {
    let message: String

    init(_ message: String) { self.message = message }

    static let syntax = RedisCommandError("ERR syntax error")
    static let invalidID = RedisCommandError("ERR Invalid stream ID specified as stream command argument")

    static func arity(_ name: String) -> RedisCommandError {
        RedisCommandError("ERR wrong number of arguments for '\(name)' command")
    }
}
