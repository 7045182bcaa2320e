import Foundation
import NIOCore

/// Values as JSON on one line, with its newline: what every answer of the admin API is made of.
enum JSONLine {
    static func append(_ value: some Encodable, to buffer: inout ByteBuffer) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Plain structures of texts and finite numbers: there is nothing in them that could not be encoded.
        guard let data = try? encoder.encode(value) else { return }
        buffer.writeBytes(data)
        buffer.writeInteger(UInt8(ascii: "\n"))
    }

    static func buffer(_ value: some Encodable) -> ByteBuffer {
        var buffer = ByteBuffer()
        append(value, to: &buffer)
        return buffer
    }
}
