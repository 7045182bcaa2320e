import Glibc
import Pipeline

/// With what the sidecar signs in on connections of its own to one upstream. The password is in a file, so that it stands
/// in no configuration, environment or list of processes.
public struct CredentialsConfiguration: Sendable, Equatable {
    /// Nil for the default user.
    public var username: String?
    /// Nil signs in nowhere.
    public var passwordFile: String?

    /// Signs in nowhere.
    public init() {}

    private static let passwordBytesMax = 4_096

    /// Reads the password. Nil without a file.
    func read() throws(CredentialsError) -> OutboundCredentials? {
        guard let passwordFile else { return nil }
        guard let file = fopen(passwordFile, "r") else {
            throw CredentialsError(path: passwordFile, reason: String(cString: strerror(errno)))
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: Self.passwordBytesMax + 1)
        bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard 1...Self.passwordBytesMax ~= bytes.count else {
            throw CredentialsError(path: passwordFile, reason: "expected a password of 1 to 4096 bytes")
        }
        return OutboundCredentials(username: username ?? "", password: String(decoding: bytes, as: UTF8.self))
    }
}

/// The file of a password could not be read.
struct CredentialsError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "credentials.password_file \(path): \(reason)" }
}
