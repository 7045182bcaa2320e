import NIOCore
import Wire

/// With what the sidecar signs in on connections of its own.
public struct OutboundCredentials: Sendable, Equatable {
    /// Empty for the default user.
    public var username: String
    /// Never shown.
    public var password: String

    /// Both parts.
    public init(username: String, password: String) {
        self.username = username
        self.password = password
    }
}

/// One question at a time to a Redis: signs in, selects the database, asks, and finds the answer.
///
/// What precedes a command is answered before the command is sent: an XADD in a database that could not be selected
/// would go to another one.
struct RedisExchange {
    private let credentials: OutboundCredentials?
    private var reader = RedisReplyReader()
    private var isSignedIn = false
    private var database = 0
    private var waiting = Waiting.nothing
    private var command: [UInt8] = []
    private var wantedDatabase = 0
    /// When the answer is overdue, on the monotonic clock; nil while nothing is asked.
    private(set) var deadline: UInt64?

    private enum Waiting {
        case nothing
        case signIn
        case selection
        case reply
    }

    enum Progress {
        case nothing
        /// To be written.
        case more([UInt8])
        case answer(RedisReply)
    }

    init(credentials: OutboundCredentials?) { self.credentials = credentials }

    var isAsking: Bool { deadline != nil }

    /// A new connection begins.
    mutating func reset() {
        reader = RedisReplyReader()
        isSignedIn = credentials == nil
        database = 0
        waiting = .nothing
        deadline = nil
    }

    /// Returns what is to be written.
    mutating func ask(_ words: [[UInt8]], database: Int, until deadline: UInt64) -> [UInt8] {
        ask(Self.encode(words), database: database, until: deadline)
    }

    /// The same for a command that is put together already.
    mutating func ask(_ command: [UInt8], database: Int, until deadline: UInt64) -> [UInt8] {
        self.command = command
        wantedDatabase = database
        self.deadline = deadline
        return next()
    }

    mutating func take(_ bytes: ByteBuffer) throws(RESPError) -> Progress {
        reader.append(bytes)
        guard let reply = try reader.next() else { return .nothing }
        switch waiting {
        case .nothing: throw .notACommand
        case .signIn:
            if case .failure = reply { return finished(reply) }
            isSignedIn = true
            return .more(next())
        case .selection:
            if case .failure = reply { return finished(reply) }
            database = wantedDatabase
            return .more(next())
        case .reply:
            return finished(reply)
        }
    }

    private mutating func next() -> [UInt8] {
        if !isSignedIn, let credentials {
            waiting = .signIn
            return Self.signIn(credentials)
        }
        if database != wantedDatabase {
            waiting = .selection
            return Self.selection(wantedDatabase)
        }
        waiting = .reply
        return command
    }

    private mutating func finished(_ reply: RedisReply) -> Progress {
        waiting = .nothing
        deadline = nil
        return .answer(reply)
    }

    static func signIn(_ credentials: OutboundCredentials) -> [UInt8] {
        let user = credentials.username.isEmpty ? [] : [Array(credentials.username.utf8)]
        return encode([Array("AUTH".utf8)] + user + [Array(credentials.password.utf8)])
    }

    static func selection(_ database: Int) -> [UInt8] { encode([Array("SELECT".utf8), Array("\(database)".utf8)]) }

    static func encode(_ words: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: words.count, to: &bytes)
        for word in words { RESPWriter.appendBulk(word, to: &bytes) }
        return bytes
    }
}
