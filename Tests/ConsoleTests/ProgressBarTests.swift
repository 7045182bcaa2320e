import Console
import Testing

@Suite("Progress bars")
struct ProgressBarTests {
    @Test("On a terminal the bar is drawn over itself, not too often, and makes room at the end")
    func terminal() {
        var bar = ProgressBar("copying", isTerminal: true)
        #expect(bar.end() == nil)
        #expect(bar.text(done: 0, of: 10, atSeconds: 1) == "\rcopying [........................]   0 %")
        #expect(bar.text(done: 1, of: 10, atSeconds: 1.05) == nil)
        #expect(bar.text(done: 5, of: 10, atSeconds: 1.2) == "\rcopying [############............]  50 %")
        #expect(bar.text(done: 10, of: 10, atSeconds: 1.21) == "\rcopying [########################] 100 %")
        #expect(bar.end()?.hasSuffix("\r") == true)
    }

    @Test("Elsewhere it is a line every five seconds, and none for what is quick")
    func plain() {
        var bar = ProgressBar("checking", isTerminal: false)
        #expect(bar.text(done: 0, of: 0, atSeconds: 1) == nil)
        #expect(bar.text(done: 3, of: 10, atSeconds: 5.9) == nil)
        #expect(bar.text(done: 4, of: 10, atSeconds: 6) == "checking: 40 %\n")
        #expect(bar.text(done: 5, of: 10, atSeconds: 10) == nil)
        #expect(bar.end() == nil)
    }
}
