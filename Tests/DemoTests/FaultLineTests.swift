import Testing

@testable import Demo

@Suite("A Redis that fails on demand")
struct FaultLineTests {
    private let ping = Array("*1\r\n$4\r\nPING\r\n".utf8)
    private let read = Array("*2\r\n$4\r\nXLEN\r\n$1\r\na\r\n".utf8)

    @Test("while it is well, requests pass whole, in whatever pieces they come")
    func passes() {
        for split in 1..<(ping + read).count {
            var line = FaultLine()
            let bytes = ping + read
            let first = line.requested(bytes[..<split], isFailing: false)
            let second = line.requested(bytes[split...], isFailing: false)
            #expect(first + second == [.forward(ping), .forward(read)], "split at \(split)")
        }
    }

    @Test("while it fails, each request is answered with an error")
    func fails() {
        var line = FaultLine()
        let error = FaultLine.Action.answer(Array("-LOADING Redis is loading the dataset in memory\r\n".utf8))
        #expect(line.requested(ping + read, isFailing: true) == [error, error])
        #expect(line.requested(ping, isFailing: false) == [.forward(ping)])
    }

    @Test("a reply that is still awaited comes before any error")
    func keepsOrder() {
        var line = FaultLine()
        #expect(line.requested(read, isFailing: false) == [.forward(read)])
        #expect(line.requested(ping, isFailing: true) == [.forward(ping)])
        line.answered(Array(":1\r\n+PO".utf8))
        line.answered(Array("NG\r\n".utf8))
        #expect(line.requested(ping, isFailing: true) == [.answer(FaultLine.loading)])
    }

    @Test("what is no Redis passes as it is")
    func opaque() {
        var line = FaultLine()
        let bytes = Array("*x\r\n".utf8)
        #expect(line.requested(bytes, isFailing: true) == [.forward(bytes)])
        #expect(line.requested(ping, isFailing: true) == [.forward(ping)])
    }
}
