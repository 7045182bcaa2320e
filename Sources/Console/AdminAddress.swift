public import Proxy
import Sidecar
import Telemetry

/// Where a running sidecar serves its admin API, as the commands that look into it are told.
public struct AdminAddress: Hashable, Sendable {
    /// Host and port to connect to.
    public let endpoint: Endpoint

    /// The address in `text`, else in the variable that `tacho run` itself obeys, else the one it has by default.
    ///
    /// - Throws: `AdminError` of code `address`.
    public init(_ text: String?, environment: [String: String]) throws(AdminError) {
        let variable = environment["TACHO_HTTP_LISTEN"].flatMap { $0.isEmpty ? nil : $0 }
        do throws(Endpoint.ParseError) {
            let written = try Endpoint(parsing: text ?? variable ?? "127.0.0.1:9464")
            guard case .tcp(let host, let port) = written, port > 0 else { throw .missingPort }
            // What listens on every interface is reached on this machine's own.
            let hosts = ["0.0.0.0": "127.0.0.1", "::": "::1"]
            endpoint = .tcp(host: hosts[host] ?? host, port: port)
        } catch {
            let source = text == nil ? "TACHO_HTTP_LISTEN" : "--http"
            throw AdminError(.address, "\(source): expected HOST:PORT of a running sidecar's HTTP server; \(error)")
        }
    }

    /// The URL of a resource. Parameters without a value are left out.
    func url(_ path: String, _ parameters: [(name: String, value: String?)]) -> String {
        let query = parameters.compactMap { parameter in
            parameter.value.map { "\(parameter.name)=\(Self.escaped($0))" }
        }
        return "http://\(endpoint)\(path)" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }

    /// Percent-encodes everything but the unreserved characters (RFC 3986, section 2.3).
    static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += byte < 0x10 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }
}

/// Why a running sidecar could not be asked.
public struct AdminError: Error, Hashable, CustomStringConvertible {
    /// The closed set of reasons.
    public enum Code: Sendable {
        /// The address is not one.
        case address
        /// A directory is not what it should be.
        case place
        /// Nothing answers there.
        case unreachable
        /// It answered with a problem.
        case refused
        /// What it answered is not what was asked for.
        case answer
        /// The connection broke while it was answering.
        case interrupted
    }

    /// For programs.
    public let code: Code
    /// What happened and what to do, for people.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// For an answer that cannot be read.
    static let foreign = AdminError(
        .answer, "the answer is not that of a sidecar of this version (tacho \(TachographVersion.text))")
}
